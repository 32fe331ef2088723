//go:build !realkafka

package pipeline

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestProviderOutage takes the world outside away for ten minutes while records
// wait: nobody is given up, hardly anybody asks, nothing piles up, and all goes
// on as soon as it is back.
func TestProviderOutage(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		const (
			records = 5000
			outage  = 10 * time.Minute
			after   = 5 * time.Second
		)
		var recs []*kgo.Record
		for k := range records {
			recs = append(recs, &kgo.Record{Topic: "in", Key: []byte(strconv.Itoa(k)), Value: make([]byte, 1000)})
		}
		c.produce(recs...)
		back := time.Now().Add(outage)
		var first atomic.Int64 // nanoseconds from the end of the outage to the first commit
		var asked, handled calls
		var probes atomic.Int64
		p := c.start(handler{handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
			if time.Now().Before(back) {
				if asked.add(tr.Key) > 1 {
					probes.Add(1)
				}
				return Result{}, Unavailable(errors.New("down"), after)
			}
			handled.add(tr.Key)
			return Result{Events: []Event{out(tr.Key, "1")}}, nil
		}}, func(cfg *Config) {
			cfg.Committed = func(string, iter.Seq[Event]) { first.CompareAndSwap(0, int64(time.Since(back))) }
		})
		time.Sleep(time.Minute)
		before := p.stats()
		time.Sleep(outage - time.Minute - time.Second)
		s := p.stats()
		if !s.held || s.records != before.records || s.records > 1000 || s.running != before.running {
			t.Errorf("held %t, %d records admitted, %d handlers; nine minutes before %d and %d: want none to come in", s.held, s.records, s.running, before.records, before.running)
		}
		// 1,000 that were admitted, what each partition may have ahead before its
		// fetching pauses, and the poll that was on its way.
		const most = (1000 + testPartitions*maxPoll + maxPoll) * (1000 + inputSize + 16)
		if s.bytes != before.bytes || s.bytes > most || s.kept != 0 {
			t.Errorf("%d bytes of records and %d of results are held, nine minutes before %d and %d", s.bytes, s.kept, before.bytes, before.kept)
		}
		if n, want := int(probes.Load()), int(outage/after); n < want*9/10 || n > want {
			t.Errorf("%d probes in %s, want about %d, one every %s", n, outage, want, after)
		}
		if n := asked.total() - int(probes.Load()); n > 1000 {
			t.Errorf("%d triggers met the outage, at most 1,000 may be admitted", n)
		}
		c.checkCounts(records)
		if d := time.Duration(first.Load()); d <= 0 || d > 5*time.Second {
			t.Errorf("the first commit came %s after the outage, want within 5s", d)
		}
		if n := handled.total(); n != records {
			t.Errorf("%d records were handled, want %d once each", n, records)
		}
		c.read("dead-letters", 0)
	})
}

// TestRetriesForHours fails a record for as long as its budget lasts.
func TestRetriesForHours(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		const budget = 3 * time.Hour
		began := time.Now()
		var attempts atomic.Int64
		c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			if tr.Key == "cursed" {
				attempts.Add(1)
				return Result{}, errors.New("no")
			}
			return count(ctx, tr, s)
		}}, func(cfg *Config) { cfg.RetryBudget = budget })
		c.publish("cursed", "x")
		for range 100 {
			c.publish("fine", "x")
		}
		c.checkCounts(100)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("others waited %s for a record that is retried", d)
		}
		time.Sleep(budget - 2*time.Minute)
		c.read("dead-letters", 0)
		time.Sleep(2 * time.Minute)
		h := headers(c.read("dead-letters", 1)[0])
		if h[HeaderDeadLetterClass] != classRetriesExhausted || h[HeaderDeadLetterAttempts] != strconv.FormatInt(attempts.Load(), 10) {
			t.Errorf("dead letter after %d attempts: headers %v", attempts.Load(), h)
		}
		if n, usual := attempts.Load(), int64(budget/retryMost); n < usual/2 || n > 2*usual {
			t.Errorf("%d attempts in %s, want about %d", n, budget, usual)
		}
	})
}

// TestOutageDoesNotSpendTheBudget lets an outage last longer than the retry
// budget, with plain errors before and after it.
func TestOutageDoesNotSpendTheBudget(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		var n int
		began := time.Now()
		c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			n++
			switch {
			case n == 1, n == 200:
				return Result{}, errors.New("hiccup")
			case n < 200:
				return Result{}, Unavailable(errors.New("down"), 0)
			}
			return count(ctx, tr, s)
		}}, func(cfg *Config) { cfg.RetryBudget = time.Minute })
		c.publish("k", "x")
		time.Sleep(198*unavailableAfter + time.Minute)
		c.checkCounts(1)
		c.read("dead-letters", 0)
		if d := time.Since(began); d < 15*time.Minute {
			t.Errorf("the outage took %s, want one probe every %s", d, unavailableAfter)
		}
	})
}

// TestUnavailableIsNoAttempt: a dead letter counts the attempts that failed for
// the trigger's own sake.
func TestUnavailableIsNoAttempt(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		var n int
		c.start(handler{handle: func(context.Context, Trigger, State) (Result, error) {
			n++
			switch {
			case n == 2:
				return Result{}, errors.New("hiccup")
			case n < 10:
				return Result{}, Unavailable(errors.New("down"), 0)
			}
			return Result{}, Permanent("bad_input", errors.New("no"))
		}})
		c.publish("k", "x")
		time.Sleep(time.Minute)
		if h := headers(c.read("dead-letters", 1)[0]); h[HeaderDeadLetterAttempts] != "2" {
			t.Errorf("headers %v, want 2 attempts", h)
		}
	})
}

// TestHeldStageAdmitsNothing: a record that finishes during an outage makes room
// for others, and none of those that are fetched already comes to meet the outage.
func TestHeldStageAdmitsNothing(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		var asked, back atomic.Int64
		for k := range 100 {
			c.publish(strconv.Itoa(k), "x")
		}
		p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			switch first := asked.Add(1) == 1; {
			case first:
				time.Sleep(time.Second) // the others are out by then
			case back.Load() == 0:
				return Result{}, Unavailable(errors.New("down"), time.Hour)
			}
			return count(ctx, tr, s)
		}}, func(cfg *Config) { cfg.MaxInFlight = 10 })
		time.Sleep(time.Minute)
		if s := p.stats(); !s.held || s.parked == 0 || asked.Load() != 10 {
			t.Errorf("held %t, %d records are parked, %d were handled; want some parked and 10 handled", s.held, s.parked, asked.Load())
		}
		back.Store(1)
		time.Sleep(time.Hour)
		c.checkCounts(100)
	})
}

// TestHeldStageTakesNothingIn: what comes during an outage stays in Kafka, where
// other processes may take it over.
func TestHeldStageTakesNothingIn(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		var back atomic.Bool
		p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			if !back.Load() {
				return Result{}, Unavailable(errors.New("down"), 0)
			}
			return count(ctx, tr, s)
		}})
		for k := range 2 {
			c.publish(strconv.Itoa(k), "x") // the second one by a poll that waits already
			time.Sleep(time.Second)
		}
		for k := range 50 {
			c.publish(strconv.Itoa(k), "x")
		}
		time.Sleep(time.Minute)
		if s := p.stats(); !s.held || s.records > 2 {
			t.Errorf("held %t, %d records were taken in, want 2", s.held, s.records)
		}
		back.Store(true)
		c.checkCounts(52)
		if p.stats().held {
			t.Error("held after a probe got through")
		}
	})
}

// TestOutageBesideOtherErrors: while the stage is held, a trigger that fails in
// another way does not spend its budget, and is no faster than the probes.
func TestOutageBesideOtherErrors(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		const outage = 20 * time.Minute
		back := time.Now().Add(outage)
		var tried calls
		c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			if time.Now().Before(back) {
				tried.add(tr.Key)
				if tr.Key == "other" {
					return Result{}, errors.New("the world is odd")
				}
				return Result{}, Unavailable(errors.New("down"), 0)
			}
			return count(ctx, tr, s)
		}}, func(cfg *Config) { cfg.RetryBudget = time.Minute })
		c.publish("other", "x")
		time.Sleep(time.Second)
		c.publish("down", "x")
		time.Sleep(outage + time.Minute)
		c.checkCounts(2)
		c.read("dead-letters", 0)
		if n, most := tried.total(), int(outage/unavailableAfter)+4; n > most || tried.n["other"] < 10 {
			t.Errorf("attempts %v in %s, want at most %d, one every %s, and some of each", tried.n, outage, most, unavailableAfter)
		}
	})
}
