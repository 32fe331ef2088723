package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transaction writes records to the input in one transaction.
func (c *cluster) transaction(end kgo.TransactionEndTry, values ...string) {
	c.t.Helper()
	cl := c.client(kgo.TransactionalID(c.prefix + "upstream"))
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		c.t.Fatal(err)
	}
	for i, v := range values {
		cl.Produce(c.t.Context(), &kgo.Record{Topic: c.prefix + "in", Key: []byte(strconv.Itoa(i)), Value: []byte(v)}, nil)
	}
	if err := cl.Flush(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	if err := cl.EndTransaction(c.t.Context(), end); err != nil {
		c.t.Fatal(err)
	}
}

// TestMarkersCountAsFinished: behind the last record of a transaction there is
// its marker. If the committed offset stayed before it, a topic with nothing new
// would run out of its retention.
func TestMarkersCountAsFinished(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.transaction(kgo.TryCommit, "x", "x", "x", "x")
	c.run(handler{handle: count})
	c.checkCounts(4)
	within(t, 10*time.Second, "all is committed, the markers too", c.caughtUp)
	// Now there is nothing to handle, so nothing else that would be committed.
	c.transaction(kgo.TryAbort, "x", "x", "x", "x")
	within(t, 10*time.Second, "what was aborted is committed", c.caughtUp)
	c.transaction(kgo.TryCommit, "x", "x", "x", "x")
	c.checkCounts(8)
}

// fill writes n records to each partition of the input.
func (c *cluster) fill(n int) {
	c.t.Helper()
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	for p := range int32(testPartitions) {
		for i := range n {
			r := &kgo.Record{Topic: c.prefix + "in", Partition: p, Key: fmt.Appendf(nil, "%d-%d", p, i), Value: []byte("x")}
			if err := cl.ProduceSync(c.t.Context(), r).FirstErr(); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// commit sets the group's offset and metadata in all partitions.
func (c *cluster) commit(offset int64, metadata string) {
	c.t.Helper()
	var o kadm.Offsets = kadm.Offsets{}
	for p := range int32(testPartitions) {
		o.Add(kadm.Offset{Topic: c.prefix + "in", Partition: p, At: offset, LeaderEpoch: -1, Metadata: metadata})
	}
	if err := c.admin().CommitAllOffsets(c.t.Context(), c.group(), o); err != nil {
		c.t.Fatal(err)
	}
}

// cut makes the input begin at an offset.
func (c *cluster) cut(offset int64) {
	c.t.Helper()
	o := kadm.Offsets{}
	for p := range int32(testPartitions) {
		o.Add(kadm.Offset{Topic: c.prefix + "in", Partition: p, At: offset})
	}
	resp, err := c.admin().DeleteRecords(c.t.Context(), o)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// keysOf is the sorted keys of records, without their partitions.
func keysOf(recs []*kgo.Record) (keys []string) {
	for _, r := range recs {
		keys = append(keys, string(r.Key))
	}
	slices.Sort(keys)
	return keys
}

func TestNewGroupReadsAFilledTopicFromItsStart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.fill(8)
	c.cut(5) // what is gone is gone
	c.run(handler{handle: count})
	want := []string{"0-5", "0-6", "0-7", "1-5", "1-6", "1-7", "2-5", "2-6", "2-7"}
	if got := keysOf(c.read("out", 9)); !slices.Equal(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}
	within(t, 10*time.Second, "all is committed", c.caughtUp)
}

// TestLostRecordsAreLoud: records that retention took before they were handled
// end the stage. To go on behind them would be to lose them in silence.
func TestLostRecordsAreLoud(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.fill(8)
	c.commit(2, "")
	c.cut(5)
	c.start(handler{handle: count}).endsWith("records that were not handled yet are gone from the topic", "--reset-offsets")
	c.read("out", 0)
}

// TestCommittedMetadata starts on offsets that somebody committed before.
func TestCommittedMetadata(t *testing.T) {
	t.Parallel()
	own := func(change func(*metadata)) func(*cluster) string {
		return func(c *cluster) string {
			m := metadata{instance: "i", seq: "s", topicID: c.topicID(), done: completion{base: 2, end: 5, unfinished: []int64{2, 4}}}
			if change != nil {
				change(&m)
			}
			s, err := m.encode()
			if err != nil {
				c.t.Fatal(err)
			}
			return s
		}
	}
	for name, c := range map[string]struct {
		metadata func(*cluster) string
		handled  []string // of partition 0; nil: the stage ends
		says     string
	}{
		"none":             {func(*cluster) string { return "" }, []string{"0-2", "0-3", "0-4", "0-5"}, ""},
		"of a person":      {func(*cluster) string { return "set by hand" }, []string{"0-2", "0-3", "0-4", "0-5"}, ""},
		"own":              {own(nil), []string{"0-2", "0-4", "0-5"}, ""},
		"newer":            {func(*cluster) string { return "pipeline/99|x" }, nil, "newer release"},
		"damaged":          {func(c *cluster) string { return own(nil)(c) + "|" }, nil, "the committed offset cannot be used"},
		"of another base":  {own(func(m *metadata) { m.done = completion{base: 3, end: 3} }), nil, "belongs to offset 3, but 2 is committed"},
		"of another topic": {own(func(m *metadata) { m.topicID[0]++ }), nil, "was deleted and created again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCluster(t)
			cl.fill(6)
			cl.commit(2, c.metadata(cl))
			p := cl.start(handler{handle: count})
			if c.handled == nil {
				p.endsWith(c.says)
				cl.read("out", 0)
				return
			}
			got := keysOf(cl.read("out", testPartitions*len(c.handled)))[:len(c.handled)]
			if !slices.Equal(got, c.handled) {
				t.Errorf("handled %v, want %v", got, c.handled)
			}
		})
	}
}

// TestPassedOffsetsAreDropped: what the map calls unfinished and a poll goes
// past is gone from the log. Otherwise the base would stay there for ever.
func TestPassedOffsetsAreDropped(t *testing.T) {
	t.Parallel()
	tr := newTracker(limits{records: 10, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	p := tr.assign(t.Context(), 0, completion{base: 3, end: 10, unfinished: []int64{3, 4, 7}})
	tr.restored(p, map[string]*keyState{})
	start, _ := tr.admit([]*input{{rec: Record{Offset: 4}, size: 1}, {rec: Record{Offset: 11}, size: 1}})
	if len(start) != 2 {
		t.Fatalf("%d started, want offsets 4 and 11", len(start))
	}
	b := tr.pick(10, 100, true, 0)
	if got := b.parts[0].done; got.base != 4 || !slices.Equal(got.unfinished, []int64{4, 11}) || got.end != 12 {
		t.Errorf("got %+v, want base 4, unfinished 4 and 11", got)
	}
	for _, j := range start {
		tr.finish(j, &outcome{size: 1}, time.Time{})
	}
	if got := tr.pick(10, 100, false, 0).parts[0].done; got.base != 12 || len(got.unfinished) > 0 {
		t.Errorf("after all is finished %+v, want base 12", got)
	}
}

// TestTakeKeepsRecordsBesideAnError: a fetch may bring both.
func TestTakeKeepsRecordsBesideAnError(t *testing.T) {
	t.Parallel()
	s := &session{topic: "in", stage: Stage{Input: "in"}, tracker: newTracker(limits{records: 8, waiting: 8, parked: 8, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})}
	p := s.tracker.assign(t.Context(), 0, completion{})
	broken := errors.New("broken")
	err := s.take(kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "in", Partitions: []kgo.FetchPartition{
		{Partition: 0, Err: broken, Records: []*kgo.Record{{Offset: 0}, {Offset: 1}}},
	}}}}})
	if !errors.Is(err, broken) || isFatal(err) || len(p.parked) != 2 {
		t.Errorf("got %d records and %v, want 2 and the error", len(p.parked), err)
	}
}
