package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const testPartitions = 3

// cluster is a Kafka with the topics of a stage named "test": kfake, or with
// the build tag realkafka a real broker that all tests share.
type cluster struct {
	t      *testing.T
	addrs  []string
	opts   []kgo.Opt                                               // of every client
	dial   func(context.Context, string, string) (net.Conn, error) // nil: as usual
	prefix string                                                  // of this test's topics
	cl     *kgo.Client
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterAt(t, startKafka(t))
}

func newClusterAt(t *testing.T, addrs []string, opts ...kgo.Opt) *cluster {
	t.Helper()
	c := &cluster{t: t, addrs: addrs, opts: append(opts, kgo.SeedBrokers(addrs...)), prefix: uuid.NewString()[:8] + "."}
	c.cl = c.client()
	for _, topic := range []string{"in", "out", "dead-letters", StateTopic("", "bankimport", "test")} {
		if _, err := kadm.NewClient(c.cl).CreateTopic(t.Context(), testPartitions, 1, nil, c.prefix+topic); err != nil {
			t.Fatal(err)
		}
		c.awaitTopic(topic, testPartitions)
	}
	return c
}

// publish writes a record to the input and waits for it.
func (c *cluster) publish(key, value string, headers ...kgo.RecordHeader) {
	c.t.Helper()
	r := &kgo.Record{Topic: c.prefix + "in", Value: []byte(value), Headers: headers}
	if key != "" {
		r.Key = []byte(key)
	}
	if err := c.cl.ProduceSync(c.t.Context(), r).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the first n committed records of a topic and makes sure that
// there are no more.
func (c *cluster) read(topic string, n int) []*kgo.Record {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	cl := c.client(kgo.ConsumeTopics(c.prefix+topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	defer cl.Close()
	var got []*kgo.Record
	for len(got) < n {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			c.t.Fatalf("topic %s has %d records, want %d", topic, len(got), n)
		}
		got = append(got, fs.Records()...)
	}
	quiet, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if got = append(got, cl.PollFetches(quiet).Records()...); len(got) > n {
		c.t.Fatalf("topic %s has %d records, want %d", topic, len(got), n)
	}
	return got
}

// handler is a stage made of functions.
type handler struct {
	handle func(context.Context, Trigger, State) (Result, error)
	gaveUp func(Trigger, State, error) Result
}

func (h handler) Handle(ctx context.Context, t Trigger, s State) (Result, error) {
	return h.handle(ctx, t, s)
}

func (h handler) GaveUp(t Trigger, s State, err error) Result {
	if h.gaveUp == nil {
		return Result{}
	}
	return h.gaveUp(t, s, err)
}

func testStage(h handler) Stage {
	return Stage{Name: "test", Input: "in", Outputs: []string{"out"}, Classes: []string{"bad_input"}, Handler: h}
}

// run starts a stage and returns a function that stops it and waits.
func (c *cluster) run(h handler, change ...func(*Config)) (stop func() error) {
	c.t.Helper()
	return c.start(h, change...).stop
}

func out(key, value string) Event { return Event{Topic: "out", Key: []byte(key), Value: []byte(value)} }

// count is a stage that counts the records of each key in its state and
// publishes the count.
func count(_ context.Context, t Trigger, s State) (Result, error) {
	n, _ := strconv.Atoi(string(s.Value))
	v := strconv.Itoa(n + 1)
	return Result{Events: []Event{out(t.Key, v)}, State: SetState([]byte(v))}, nil
}

func TestOutputsAndStateSurviveRestarts(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const keys, rounds = 20, 4
	for round := range rounds {
		stop := c.run(handler{handle: count})
		for k := range keys {
			c.publish(fmt.Sprintf("key-%d", k), "x")
		}
		c.read("out", keys*(round+1))
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	next := map[string]int{}
	for _, r := range c.read("out", keys*rounds) {
		next[string(r.Key)]++
		if got, want := string(r.Value), strconv.Itoa(next[string(r.Key)]); got != want {
			t.Errorf("key %s: got %s, want %s: state or order was lost", r.Key, got, want)
		}
	}
}

func TestSlowKeyHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	release := make(chan struct{})
	c.run(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		if tr.Key == "slow" {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return count(ctx, tr, s)
	}})
	c.publish("slow", "x")
	for k := range 50 {
		c.publish(strconv.Itoa(k), "x")
	}
	c.read("out", 50)
	close(release)
	c.read("out", 51)
}

// TestFinishedAheadIsNotRepeated stops a stage while an old record still runs:
// what finished above it must not be handled again.
func TestFinishedAheadIsNotRepeated(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var mu sync.Mutex
	calls := map[string]int{}
	block := true
	h := handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		mu.Lock()
		calls[tr.Key]++
		wait := block && tr.Key == "slow"
		mu.Unlock()
		if wait {
			<-ctx.Done()
			return Result{}, ctx.Err()
		}
		return count(ctx, tr, s)
	}}
	fast := func(cfg *Config) { cfg.DrainTimeout = 300 * time.Millisecond }
	stop := c.run(h, fast)
	c.publish("slow", "x")
	for k := range 30 {
		c.publish(strconv.Itoa(k), "x")
	}
	c.read("out", 30)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	block = false
	mu.Unlock()
	c.run(h, fast)
	c.read("out", 31)
	mu.Lock()
	defer mu.Unlock()
	for k, n := range calls {
		if want := map[bool]int{true: 2, false: 1}[k == "slow"]; n != want {
			t.Errorf("key %s was handled %d times, want %d", k, n, want)
		}
	}
}

func TestTimers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	h := handler{handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
		if tr.Event != nil {
			if string(tr.Event.Value) == "cancel" {
				return Result{Events: []Event{out(tr.Key, "cancelled")}, Wake: ClearWake()}, nil
			}
			d, err := time.ParseDuration(string(tr.Event.Value))
			if err != nil {
				return Result{}, Permanent("bad_input", errors.New("not a duration"))
			}
			return Result{State: SetState([]byte("waiting")), Wake: WakeAt(tr.Now.Add(d))}, nil
		}
		if tr.CauseID == "" || !s.Wake.IsZero() {
			t.Errorf("timer of %s: cause %q, wake %v", tr.Key, tr.CauseID, s.Wake)
		}
		return Result{Events: []Event{out(tr.Key, "woken "+string(s.Value))}, State: ClearState()}, nil
	}}
	stop := c.run(h)
	c.publish("cleared", "8s")
	c.publish("cleared", "cancel")
	c.publish("soon", "100ms")
	c.publish("later", "6s")
	c.read("out", 2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.run(h) // "later" comes back with the state
	got := map[string]string{}
	for _, r := range c.read("out", 3) {
		got[string(r.Key)] = string(r.Value)
	}
	for k, want := range map[string]string{"cleared": "cancelled", "soon": "woken waiting", "later": "woken waiting"} {
		if got[k] != want {
			t.Errorf("key %s: got %q, want %q", k, got[k], want)
		}
	}
}

// TestWakeNowIsALoop chains results with wake = now, as page after page does.
func TestWakeNowIsALoop(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		r, err := count(ctx, tr, s)
		if v, _ := r.State.Value(); string(v) != "20" {
			r.Wake = WakeAt(tr.Now)
		}
		return r, err
	}})
	c.publish("k", "go")
	for i, r := range c.read("out", 20) {
		if string(r.Value) != strconv.Itoa(i+1) {
			t.Fatalf("record %d is %s", i, r.Value)
		}
	}
}

func TestGivingUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var unavailable int
	c.run(handler{
		handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			switch string(tr.Event.Value) {
			case "permanent":
				return Result{}, Permanent("bad_input", errors.New("no\nsuch thing"))
			case "undeclared":
				return Result{}, Permanent("surprise", errors.New("x"))
			case "panic":
				panic("at the disco")
			case "error":
				return Result{}, errors.New("again and again")
			case "topic":
				return Result{Events: []Event{{Topic: "elsewhere"}}}, nil
			case "too large":
				return Result{Events: []Event{out("k", string(make([]byte, maxEvent+1)))}}, nil
			case "far away":
				return Result{Wake: WakeAt(tr.Now.Add(1000 * time.Hour))}, nil
			case "unavailable":
				if unavailable++; unavailable < 4 {
					return Result{}, Unavailable(errors.New("down"), 400*time.Millisecond)
				}
			}
			return Result{Events: []Event{out(tr.Key, "ok")}}, nil
		},
		gaveUp: func(tr Trigger, _ State, _ error) Result {
			if string(tr.Event.Value) == "permanent" {
				panic("GaveUp must not")
			}
			return Result{Events: []Event{out(tr.Key, "gave up")}, State: SetState([]byte("gave up"))}
		},
	}, func(cfg *Config) { cfg.RetryBudget = time.Second })
	want := map[string]string{
		"permanent": "bad_input", "undeclared": classUndeclared, "panic": classPanicked, "error": classRetriesExhausted,
		"topic": classInvalidResult, "too large": classInvalidResult, "far away": classInvalidResult,
	}
	for v := range want {
		c.publish("key "+v, v, kgo.RecordHeader{Key: "h", Value: []byte("kept")})
	}
	c.publish("fine", "fine")
	c.publish("patient", "unavailable")
	c.publish("", "no key")
	for _, r := range c.read("dead-letters", len(want)) {
		h := map[string]string{}
		for _, e := range r.Headers {
			h[e.Key] = string(e.Value)
		}
		if h[HeaderDeadLetterClass] != want[string(r.Value)] || h["h"] != "kept" || h[HeaderDeadLetterStage] != "test" || h[HeaderDeadLetterTopic] != c.prefix+"in" {
			t.Errorf("dead letter of %q: headers %v", r.Value, h)
		}
		delete(want, string(r.Value))
	}
	if len(want) > 0 {
		t.Errorf("no dead letter for %v", want)
	}
	got := map[string]int{}
	for _, r := range c.read("out", 6+3) {
		got[string(r.Value)]++
	}
	if got["gave up"] != 6 || got["ok"] != 3 {
		t.Errorf("outputs %v, want 6 times gave up and 3 times ok", got)
	}
}
