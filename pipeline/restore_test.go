package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stateRecord is a record for the state topic that gives a key a state.
func (c *cluster) stateRecord(partition int32, key string, s keyState) *kgo.Record {
	return &kgo.Record{Topic: c.stateTopic(), Partition: partition, Key: []byte(key), Value: s.encode(c.topicID())}
}

// produceTo is produce, to the partitions that the records name.
func (c *cluster) produceTo(recs ...*kgo.Record) {
	c.t.Helper()
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	c.produceBy(cl, recs)
}

// openTransaction does so in a transaction, which is left open.
func (c *cluster) openTransaction(recs ...*kgo.Record) *kgo.Client {
	c.t.Helper()
	cl := c.client(kgo.TransactionalID(c.prefix+"predecessor"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		c.t.Fatal(err)
	}
	c.produceBy(cl, recs)
	return cl
}

func (c *cluster) produceBy(cl *kgo.Client, recs []*kgo.Record) {
	c.t.Helper()
	for _, r := range recs {
		r.Topic = c.prefix + r.Topic
	}
	if err := cl.ProduceSync(c.t.Context(), recs...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// TestRestoreWaitsForLateMarkers: the transaction of a predecessor was accepted,
// but its markers are still on their way. What is read up to the last stable
// offset misses its state. While it hangs, metrics show it.
func TestRestoreWaitsForLateMarkers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var recs []*kgo.Record
	for p := range int32(testPartitions) {
		recs = append(recs, c.stateRecord(p, "k", keyState{value: []byte("41"), changed: time.Now()}))
	}
	cl := c.openTransaction(recs...)
	c.publish("k", "x")
	seen := make(chan string, 10)
	p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		seen <- string(s.Value)
		return count(ctx, tr, s)
	}})
	eventually(t, "the stage restores", func() bool { return p.stats().partitions == testPartitions })
	select { // long enough to read a topic that is nearly empty
	case v := <-seen:
		t.Fatalf("handled on the state %q, although the predecessor's transaction is open", v)
	case <-time.After(500 * time.Millisecond):
	}
	if s := p.stats(); s.restoring != testPartitions || p.Ready() {
		t.Errorf("restoring %d partitions, ready %t: want the hanging transaction to show", s.restoring, p.Ready())
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	p.ready()
	if r := c.read("out", 1)[0]; string(r.Value) != "42" {
		t.Errorf("got %s, want 42", r.Value)
	}
}

// TestStateThatDoesNotFitIsSeenEarly: not when all of it is there, which a transaction
// that hangs may keep from happening.
func TestStateThatDoesNotFitIsSeenEarly(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var recs []*kgo.Record
	for k := range 100 {
		recs = append(recs, c.stateRecord(1, strconv.Itoa(k), keyState{value: []byte("1"), changed: time.Now()}))
	}
	c.produceTo(recs...)
	c.openTransaction(c.stateRecord(1, "k", keyState{value: []byte("1"), changed: time.Now()}))
	c.start(handler{handle: count}, func(cfg *Config) { cfg.MaxStateBytes = 20_000 }).endsWith("20000 are allowed")
}

func TestRestoreRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	good := keyState{value: []byte("1"), changed: time.Now()}
	for name, c := range map[string]struct {
		value func(topicID [16]byte) []byte
		says  string
	}{
		"another program":  {func([16]byte) []byte { return []byte("hello") }, "unknown version"},
		"newer":            {func(id [16]byte) []byte { return append([]byte{stateVersion + 1}, good.encode(id)[1:]...) }, "newer release"},
		"nothing":          {func([16]byte) []byte { return []byte{} }, "unknown version"},
		"cut":              {func(id [16]byte) []byte { return good.encode(id)[:20] }, "damaged"},
		"of another topic": {func(id [16]byte) []byte { id[3]++; return good.encode(id) }, "was deleted and created again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCluster(t)
			cl.produceTo(cl.stateRecord(1, "fine", good), &kgo.Record{Topic: cl.stateTopic(), Partition: 1, Key: []byte("k"), Value: c.value(cl.topicID())})
			cl.publish("k", "x")
			cl.start(handler{handle: count}).endsWith("partition 1", "offset 1", c.says)
		})
	}
}

// TestStateThatDoesNotFit ends a stage at its start, but not one that runs.
func TestStateThatDoesNotFit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	small := func(cfg *Config) { cfg.MaxStateBytes = 20_000 }
	p := c.start(handler{handle: count}, small)
	for k := range 100 {
		c.publish(strconv.Itoa(k), "x")
	}
	c.checkCounts(100)
	eventually(t, "all is there", func() bool { return p.stats().keys == 100 })
	if got := p.stats().stateBytes; got <= 20_000 {
		t.Fatalf("the state takes %d bytes: too little for this test", got)
	}
	p.current.Load().fail(errors.New("a fetch failed")) // as when others have ended, it goes on
	c.publish("6", "x")
	c.checkCounts(101)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	c.start(handler{handle: count}, small).endsWith("MAX_STATE_BYTES", "20000 are allowed")
	p = c.start(handler{handle: count})
	c.publish("7", "x")
	c.checkCounts(102)
	if got, want := p.stats().stateBytes, int64(100*250); got < want || got > 2*want {
		t.Errorf("the state takes %d bytes, want about %d", got, want)
	}
}

func TestRestored_Size(t *testing.T) {
	t.Parallel()
	r := newRestored()
	for key, st := range map[string]*keyState{"a": {value: make([]byte, 100)}, "b": {cause: "c"}} {
		r.set(key, &keyState{value: make([]byte, 7)})
		r.set(key, st)
	}
	r.set("c", &keyState{})
	r.set("c", nil)
	r.set("never seen", nil)
	if want := r.keys["a"].size("a") + r.keys["b"].size("b"); r.size != want || len(r.keys) != 2 {
		t.Errorf("%d bytes for %d keys, want %d for 2", r.size, len(r.keys), want)
	}
}

// TestRestoreAppliesTheNewest writes, replaces and deletes; what is old has been
// forgotten, but not what has a timer.
func TestRestoreAppliesTheNewest(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	now := time.Now()
	old := now.Add(-40 * 24 * time.Hour)
	var recs []*kgo.Record
	for p := range int32(testPartitions) {
		put := func(key string, s keyState) { recs = append(recs, c.stateRecord(p, key, s)) }
		put("replaced", keyState{value: []byte("1"), changed: now})
		put("deleted", keyState{value: []byte("1"), changed: now})
		put("replaced", keyState{value: []byte("2"), changed: now})
		put("old", keyState{value: []byte("1"), changed: old})
		put("old, with a timer", keyState{value: []byte("1"), changed: old, wake: now.Add(time.Hour)})
		put("new, then old", keyState{value: []byte("1"), changed: now})
		put("new, then old", keyState{value: []byte("1"), changed: old})
		recs = append(recs, &kgo.Record{Topic: c.stateTopic(), Partition: p, Key: []byte("deleted")})
	}
	c.produceTo(recs...)
	want := map[string]string{"replaced": "3", "deleted": "1", "old": "1", "old, with a timer": "2", "new, then old": "1", "never seen": "1"}
	for k := range want {
		c.publish(k, "x")
	}
	c.run(handler{handle: count})
	for _, r := range c.read("out", len(want)) {
		if string(r.Value) != want[string(r.Key)] {
			t.Errorf("key %s: got %s, want %s", r.Key, r.Value, want[string(r.Key)])
		}
	}
}

// recreate deletes the input and creates it anew, with records.
func (c *cluster) recreate() {
	c.t.Helper()
	if _, err := c.admin().DeleteTopic(c.t.Context(), c.prefix+"in"); err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, "the topic can be created again", func() bool {
		_, err := c.admin().CreateTopic(c.t.Context(), testPartitions, 1, nil, c.prefix+"in")
		return err == nil
	})
	c.awaitTopic("in", testPartitions)
	cl := c.client()
	defer cl.Close()
	for k := range 9 {
		eventually(c.t, "a record is in the new topic", func() bool { // its leader may not know it yet
			return cl.ProduceSync(c.t.Context(), &kgo.Record{Topic: c.prefix + "in", Key: fmt.Append(nil, k), Value: []byte("x")}).FirstErr() == nil
		})
	}
}

// TestTopicCreatedAgain: offsets, map and state belong to a topic that is no
// more. The stage ends and says so, whether it ran or not.
func TestTopicCreatedAgain(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %t", running), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			h := handler{handle: count}
			if running { // a process knows it even where no state tells
				h.handle = func(_ context.Context, tr Trigger, _ State) (Result, error) {
					return Result{Events: []Event{out(tr.Key, "1")}}, nil
				}
			}
			p := c.start(h)
			for k := range 9 {
				c.publish(strconv.Itoa(k), "x")
			}
			c.checkCounts(9)
			if !running {
				if err := p.stop(); err != nil {
					t.Fatal(err)
				}
			}
			c.recreate()
			if !running {
				p = c.start(h)
			}
			p.endsWith("was deleted and created again", c.prefix+c.stateTopic())
			c.read("out", 9)
		})
	}
}
