package pipeline

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestResultsAreBounded makes large results of many records at once: no more
// handlers run than there is memory for what they return.
func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const (
		records = 200
		size    = 300 << 10
		limit   = 4 << 20
	)
	var peak, running, together atomic.Int64
	highest := func(at *atomic.Int64, v int64) {
		for old := at.Load(); v > old && !at.CompareAndSwap(old, v); old = at.Load() {
		}
	}
	var p *process
	started := make(chan struct{})
	look := func() { highest(&peak, p.stats().kept) }
	p = c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
		<-started
		highest(&together, running.Add(1))
		defer running.Add(-1)
		look()
		return Result{Events: []Event{out(tr.Key, incompressible(tr.Key, size))}}, nil
	}}, func(cfg *Config) {
		cfg.MaxResultBytes = limit
		cfg.Committed = func(string, iter.Seq[Event]) { look() }
	})
	close(started)
	c.publish("first", "x") // from it the engine knows what is usual
	c.read("out", 1)
	var recs []*kgo.Record
	for k := range records {
		recs = append(recs, &kgo.Record{Topic: "in", Key: []byte(strconv.Itoa(k)), Value: []byte("x")})
	}
	c.produce(recs...)
	c.read("out", 1+records)
	if got := peak.Load(); got > limit || got < size {
		t.Errorf("%d bytes of results were kept at once, allowed are %d", got, limit)
	}
	if got := together.Load(); got > limit/size {
		t.Errorf("%d handlers ran at once, there is room for the results of %d", got, limit/size)
	}
	eventually(t, "nothing is kept", func() bool { return p.stats().kept == 0 })
}

// TestManyTimersDueAtOnce restores 100,000 timers that are all due.
func TestManyTimersDueAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const timers = 100_000
	due := time.Now().Add(-time.Minute)
	var recs []*kgo.Record
	for k := range timers {
		recs = append(recs, c.stateRecord(int32(k%testPartitions), fmt.Sprint("key-", k), keyState{value: []byte("waiting"), wake: due, changed: due, cause: "c"}))
	}
	c.produceTo(recs...)
	fired := make([]atomic.Int32, timers)
	began := time.Now()
	p := c.start(handler{handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
		k, err := strconv.Atoi(tr.Key[len("key-"):])
		if err != nil || tr.Event != nil || string(s.Value) != "waiting" || tr.Due.UnixMilli() != due.UnixMilli() {
			return Result{}, Permanent("bad_input", errNotATimer)
		}
		fired[k].Add(1)
		r := Result{State: ClearState()}
		if k%100 == 0 {
			r.Events = []Event{out(tr.Key, "woken")}
		}
		return r, nil
	}}, func(cfg *Config) { cfg.MaxInFlight = 10_000 })
	within(t, 3*time.Minute, "all have fired", func() bool {
		s := p.stats()
		return s.partitions == testPartitions && s.restoring == 0 && s.timersWaiting == 0 && s.timersDue == 0 && s.keys == 0
	})
	c.read("out", timers/100)
	t.Logf("%d timers took %s", timers, time.Since(began))
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	for k := range fired {
		if n := fired[k].Load(); n != 1 {
			t.Fatalf("the timer of key %d fired %d times", k, n)
		}
	}
	p = c.start(handler{handle: count}) // nothing is left of them
	p.ready()
	if n := p.stats().keys; n != 0 {
		t.Errorf("%d keys came back", n)
	}
	c.read("dead-letters", 0)
}

var errNotATimer = fmt.Errorf("not the timer that was set")

// TestInputsAreBounded lets large records come while handlers hang: no more are taken
// in than there is memory for, and all go on afterwards.
func TestInputsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const (
		records = 90
		size    = 100 << 10
		limit   = 1 << 20
		fetch   = testPartitions << 20 // what one poll may bring beside it: a batch of each partition
	)
	proceed := make(chan struct{})
	p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		return count(ctx, tr, s)
	}}, func(cfg *Config) { cfg.MaxInFlightBytes = limit })
	var recs []*kgo.Record
	for k := range records {
		recs = append(recs, &kgo.Record{Topic: "in", Key: []byte(strconv.Itoa(k)), Value: []byte(incompressible(strconv.Itoa(k), size))})
	}
	c.produce(recs...)
	eventually(t, "there is no room", func() bool {
		s := p.current.Load()
		return s != nil && s.tracker.room() == 0
	})
	time.Sleep(time.Second) // for more to come, if more could
	if got := p.stats().bytes; got < limit/2 || got > limit+fetch+size {
		t.Errorf("%d bytes of records are held, allowed are %d and a fetch", got, limit)
	}
	close(proceed)
	c.checkCounts(records)
}
