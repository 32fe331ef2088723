package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deadLetters opens the cluster's dead letters.
func (c *cluster) deadLetters() *DeadLetters {
	c.t.Helper()
	d, err := OpenDeadLetters(c.t.Context(), DeadLettersConfig{KafkaOpts: []kgo.Opt{kgo.SeedBrokers(c.addrs...)}, TopicPrefix: c.prefix})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(d.Close)
	return d
}

func all(DeadLetter) bool { return true }

// list returns the dead letters by the key they came from.
func (c *cluster) list() map[string]DeadLetter {
	c.t.Helper()
	got := map[string]DeadLetter{}
	err := c.deadLetters().Each(c.t.Context(), all, func(l DeadLetter) error {
		if _, twice := got[string(l.Key)]; twice {
			c.t.Errorf("the dead letter of %s is listed twice", l.Key)
		}
		got[string(l.Key)] = l
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// redrive redrives everything and returns how that went, by key.
func (c *cluster) redrive() map[string]error {
	c.t.Helper()
	got := map[string]error{}
	if err := c.deadLetters().Redrive(c.t.Context(), all, func(l DeadLetter, err error) { got[string(l.Key)] = err }); err != nil {
		c.t.Fatal(err)
	}
	return got
}

// refusing is a stage that gives up what was never redriven, and publishes the
// rest.
func refusing(_ context.Context, t Trigger, _ State) (Result, error) {
	if t.Redrive == 0 {
		return Result{}, Permanent("bad_input", errors.New("not yet"))
	}
	return Result{Events: []Event{out(t.Key, strconv.Itoa(t.Redrive))}}, nil
}

// TestRedriveRecord: a record comes back as it was, where it was, once.
func TestRedriveRecord(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: refusing})
	c.publish("k", "value", kgo.RecordHeader{Key: "h", Value: []byte("kept")}, kgo.RecordHeader{Key: "ce_id", Value: []byte("id-1")},
		kgo.RecordHeader{Key: "dead_letter_class", Value: []byte("forged")})
	first := c.read("in", 1)[0]
	c.read("dead-letters", 1)
	l := c.list()["k"]
	if l.Stage != "test" || l.Class != "bad_input" || l.Error != "not yet" || l.Attempts != 1 || l.Topic != c.prefix+"in" || l.Partition != first.Partition ||
		l.Offset != first.Offset || l.Timer || string(l.Value) != "value" || !l.RedrivenAt.IsZero() || l.LastAt.IsZero() {
		t.Fatalf("dead letter %+v", l)
	}

	if got := c.redrive(); len(got) != 1 || got["k"] != nil {
		t.Fatalf("redriven %v, want k", got)
	}
	again := c.read("in", 2)[1]
	want := []kgo.RecordHeader{{Key: "h", Value: []byte("kept")}, {Key: "ce_id", Value: []byte("id-1")}, {Key: "dead_letter_redrives", Value: []byte("1")}}
	if again.Partition != first.Partition || string(again.Key) != "k" || string(again.Value) != "value" ||
		!slices.EqualFunc(again.Headers, want, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) }) {
		t.Errorf("came back to partition %d of %d as %q %q with headers %v", again.Partition, first.Partition, again.Key, again.Value, again.Headers)
	}
	if r := c.read("out", 1)[0]; string(r.Value) != "1" {
		t.Errorf("the stage saw redrive %s, want 1", r.Value)
	}
	marked := c.list()["k"]
	if marked.RedrivenAt.IsZero() || marked.Value != nil || marked.ID != l.ID || marked.Class != l.Class || !marked.LastAt.Equal(l.LastAt) || string(marked.Key) != "k" {
		t.Errorf("afterwards the dead letter is %+v", marked)
	}
	if r := c.read("dead-letters", 2)[1]; r.Value == nil {
		t.Error("the mark is a tombstone: compaction would delete it")
	}

	if got := c.redrive(); !errors.Is(got["k"], ErrRedriven) {
		t.Errorf("a second time: %v, want ErrRedriven", got["k"])
	}
	c.read("in", 2)
	c.read("out", 1)
}

// TestRedriveOnlyTheWanted: each dead letter can be redriven alone, wherever it
// stands on its topic.
func TestRedriveOnlyTheWanted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const n = 12
	c.refuseAll(n)
	for k := range n {
		var told []string
		key := strconv.Itoa(k)
		err := c.deadLetters().Redrive(t.Context(), func(l DeadLetter) bool { return string(l.Key) == key }, func(l DeadLetter, err error) {
			told = append(told, fmt.Sprint(string(l.Key), err))
		})
		if err != nil || !slices.Equal(told, []string{key + "<nil>"}) {
			t.Errorf("redrive of %s: told %v, %v", key, told, err)
		}
		if back := c.read("in", n+k+1); len(back) != n+k+1 {
			t.Fatal("more than one came back")
		}
	}
	c.backOnce(n)
}

// TestRedriveGivenUpAgain: what is given up again is another dead letter, which
// counts.
func TestRedriveGivenUpAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: func(_ context.Context, t Trigger, _ State) (Result, error) {
		return Result{}, Permanent("bad_input", errors.New("never"))
	}})
	c.publish("k", "value")
	c.read("dead-letters", 1)
	c.redrive()
	c.read("dead-letters", 3)
	open, marked := 0, 0
	err := c.deadLetters().Each(t.Context(), all, func(l DeadLetter) error {
		if l.RedrivenAt.IsZero() {
			open++
			if l.Redrives != 1 || string(l.Value) != "value" {
				t.Errorf("the second dead letter has %d redrives and value %q, want 1 and the record's", l.Redrives, l.Value)
			}
		} else {
			marked++
		}
		return nil
	})
	if err != nil || open != 1 || marked != 1 {
		t.Errorf("%d dead letters open and %d redriven (%v), want 1 and 1", open, marked, err)
	}
}

// TestRedriveKeepsNullAndEmpty: null and empty keys and values come back as such.
func TestRedriveKeepsNullAndEmpty(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: refusing})
	for _, r := range []*kgo.Record{
		{Key: nil, Value: []byte("no key")}, {Key: []byte{}, Value: []byte("empty key")}, {Key: []byte("null value")}, {Key: []byte("empty value"), Value: []byte{}},
	} {
		r.Topic = c.prefix + "in"
		if err := c.cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range c.read("dead-letters", 4) {
		if r.Value == nil {
			t.Error("a dead letter is a tombstone: compaction would delete it")
		}
	}
	for _, err := range c.redriveCounted(4) {
		if err != nil {
			t.Error(err)
		}
	}
	seen := map[string]int{}
	for _, r := range c.read("in", 8) {
		seen[fmt.Sprintf("%q %v %q %v", r.Key, r.Key == nil, r.Value, r.Value == nil)]++
	}
	for what, n := range seen {
		if n != 2 {
			t.Errorf("%s is there %d times, want twice", what, n)
		}
	}
	c.read("out", 4)
}

// redriveCounted redrives everything, which must be n dead letters.
func (c *cluster) redriveCounted(n int) (errs []error) {
	c.t.Helper()
	if err := c.deadLetters().Redrive(c.t.Context(), all, func(_ DeadLetter, err error) { errs = append(errs, err) }); err != nil {
		c.t.Fatal(err)
	}
	if len(errs) != n {
		c.t.Errorf("told of %d dead letters, want %d", len(errs), n)
	}
	return errs
}

// TestRedriveTimer: a redriven timer is a timer to the handler, with the state
// and the cause of its key, and is handled once.
func TestRedriveTimer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var mu sync.Mutex
	var woken []Trigger
	h := handler{
		handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
			if tr.Event != nil {
				return Result{State: SetState([]byte("waiting")), Wake: WakeAt(tr.Now.Add(50 * time.Millisecond))}, nil
			}
			mu.Lock()
			woken = append(woken, tr)
			mu.Unlock()
			if tr.Redrive < 2 {
				return Result{}, Permanent("bad_input", errors.New("not yet"))
			}
			return Result{Events: []Event{out(tr.Key, string(s.Value))}, State: SetState([]byte("done"))}, nil
		},
		gaveUp: func(Trigger, State, error) Result {
			return Result{State: SetState([]byte("gave up")), Wake: ClearWake()}
		},
	}
	stop := c.run(h)
	c.publish("k", "go", kgo.RecordHeader{Key: "ce_id", Value: []byte("id-1")}, kgo.RecordHeader{Key: "traceparent", Value: []byte("trace-1")})
	c.read("dead-letters", 1)
	first := c.list()["k"]
	if !first.Timer || first.Due.IsZero() || first.Offset != -1 {
		t.Fatalf("dead letter %+v, want a timer's", first)
	}
	c.redriveCounted(1)
	c.read("dead-letters", 3) // its mark, and the timer given up once more
	if errs := c.redriveCounted(2); errors.Join(errs...) == nil || errs[0] != nil && errs[1] != nil {
		t.Errorf("got %v, want one redriven and one that had been", errs)
	}
	if r := c.read("out", 1)[0]; string(r.Value) != "gave up" {
		t.Errorf("the redriven timer saw state %q", r.Value)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.run(h)
	c.publish("other", "go")
	c.read("dead-letters", 5)
	mu.Lock()
	defer mu.Unlock()
	n := 0
	for _, tr := range woken {
		if tr.Key != "k" {
			continue
		}
		if tr.Redrive != n || tr.CauseID != "id-1" || tr.Traceparent != "trace-1" || tr.Due.Sub(first.Due).Abs() > time.Millisecond {
			t.Errorf("woken %d: %+v", n, tr)
		}
		n++
	}
	if n != 3 {
		t.Errorf("the timer was handled %d times, want 3", n)
	}
}

// TestRedrivenTimerKeepsTheOther: a timer that the key has since is not the one
// that was redriven, and stays.
func TestRedrivenTimerKeepsTheOther(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
		switch {
		case tr.Event != nil && string(tr.Event.Value) == "soon":
			return Result{Wake: WakeAt(tr.Now)}, nil
		case tr.Event != nil:
			return Result{Wake: WakeAt(tr.Now.Add(4 * time.Second)), Events: []Event{out(tr.Key, "set")}}, nil
		case tr.Redrive > 0:
			return Result{Events: []Event{out(tr.Key, fmt.Sprintf("redriven, another is set: %v", !s.Wake.IsZero()))}}, nil
		case tr.CauseID == "later":
			return Result{Events: []Event{out(tr.Key, "fired")}}, nil
		default:
			return Result{}, Permanent("bad_input", errors.New("x"))
		}
	}})
	c.publish("k", "soon")
	c.read("dead-letters", 1)
	c.publish("k", "later", kgo.RecordHeader{Key: "ce_id", Value: []byte("later")})
	c.read("out", 1)
	c.redriveCounted(1)
	got := c.read("out", 3)
	for i, want := range []string{"set", "redriven, another is set: true", "fired"} {
		if string(got[i].Value) != want {
			t.Errorf("output %d is %q, want %q", i, got[i].Value, want)
		}
	}
}

// TestRedriveRefuses: what cannot go back is told, and the rest goes.
func TestRedriveRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: refusing})
	c.publish("fine", "x")
	c.publish("cut", "x")
	c.publish("gone", "x")
	c.publish("beyond", "x")
	c.publish("old", "x")
	recs := c.read("dead-letters", 5)
	for key, change := range map[string]func(*kgo.Record){
		"cut": func(r *kgo.Record) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderDeadLetterTruncated, Value: []byte("value")})
			r.Value = []byte{}
		},
		"gone":   func(r *kgo.Record) { set(r, HeaderDeadLetterTopic, c.prefix+"no-such-topic") },
		"beyond": func(r *kgo.Record) { set(r, HeaderDeadLetterPartition, "77") },
		"old": func(r *kgo.Record) {
			set(r, HeaderDeadLetterLastAt, time.Now().Add(-Config{}.withDefaults().StateRetention).UTC().Format(time.RFC3339Nano))
		},
	} {
		id := c.list()[key].ID
		i := slices.IndexFunc(recs, func(r *kgo.Record) bool { return string(r.Key) == id })
		r := &kgo.Record{Topic: recs[i].Topic, Key: recs[i].Key, Value: recs[i].Value, Headers: slices.Clone(recs[i].Headers)}
		change(r)
		if err := c.cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*kgo.Record{{Key: []byte("foreign"), Value: []byte("x")}, {Key: []byte("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), Value: []byte("no headers")}, {}} {
		r.Topic = c.prefix + "dead-letters"
		if err := c.cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	got := c.redrive()
	for key, want := range map[string]error{"fine": nil, "cut": ErrTruncated, "gone": ErrNoOrigin, "beyond": ErrNoOrigin, "old": ErrForgotten} {
		if err, told := got[key]; !told || !errors.Is(err, want) {
			t.Errorf("%s: told %v: %v, want %v", key, told, err, want)
		}
	}
	c.read("in", 6)
	if _, err := OpenDeadLetters(t.Context(), DeadLettersConfig{KafkaOpts: []kgo.Opt{kgo.SeedBrokers(c.addrs...)}, TopicPrefix: "other."}); err == nil || !strings.Contains(err.Error(), "topics apply") {
		t.Errorf("another prefix: %v, want an error that says what to do", err)
	}
}

func set(r *kgo.Record, header, value string) {
	for i := range r.Headers {
		if r.Headers[i].Key == header {
			r.Headers[i].Value = []byte(value)
		}
	}
}

// TestRedriveAtOnce: several redrive everything at the same time. Those that
// were taken over say so, and each record is back once.
func TestRedriveAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const n, at, large = 1_500, 4, 40
	stop := c.run(handler{handle: refusing})
	for k := range n { // more than fits into a transaction, in number and in bytes
		size := 10
		if k%(n/large) == 0 {
			size = 100_000
		}
		c.cl.Produce(t.Context(), &kgo.Record{Topic: c.prefix + "in", Key: []byte(strconv.Itoa(k)), Value: make([]byte, size)}, nil)
	}
	if err := c.cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.read("dead-letters", n)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var told, taken atomic.Int32
	for done := false; !done; {
		var all4 sync.WaitGroup
		var good atomic.Int32
		for range at {
			d := c.deadLetters()
			all4.Go(func() {
				err := d.Redrive(t.Context(), all, func(_ DeadLetter, err error) {
					if err == nil {
						told.Add(1)
					}
				})
				switch {
				case errors.Is(err, ErrRedriveTakenOver):
					taken.Add(1)
				case err != nil:
					t.Error(err)
				default:
					good.Add(1)
				}
			})
		}
		all4.Wait()
		done = good.Load() > 0
	}
	t.Logf("%d told, %d taken over", told.Load(), taken.Load())
	if taken.Load() == 0 {
		t.Error("nobody was taken over: nothing is proved")
	}
	seen := map[string]int{}
	for _, r := range c.read("in", 2*n) {
		seen[string(r.Key)]++
	}
	for k, times := range seen {
		if times != 2 {
			t.Errorf("record %s is there %d times, want twice", k, times)
		}
	}
	for k, l := range c.list() {
		if l.RedrivenAt.IsZero() {
			t.Errorf("the dead letter of %s is not marked", k)
		}
	}
	c.run(handler{handle: refusing})
	c.read("out", n)
}

// TestGivenUpTimerIsNamed: a log line about a timer says whose it is, and that of giving
// up which dead letter to look for.
func TestGivenUpTimerIsNamed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var said strings.Builder
	stop := c.run(handler{handle: func(_ context.Context, t Trigger, _ State) (Result, error) {
		if t.Event != nil {
			return Result{Wake: WakeAt(t.Now)}, nil
		}
		return Result{}, Permanent("bad_input", errors.New("no"))
	}}, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	c.publish("k", "x")
	c.read("dead-letters", 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"timer_of=k\n", "dead_letter=" + c.list()["k"].ID} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, said.String())
		}
	}
}
