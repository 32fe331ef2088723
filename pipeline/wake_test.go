package pipeline

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWakesAreKeptAsTheyAreWritten: the state topic has milliseconds. A wake time
// in memory that a restart would not find the same could fire twice, or before
// its time.
func TestWakesAreKeptAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, rapid.Int64Range(1<<59, 1<<61).Draw(t, "now"))
		asked := now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "in")))
		s, changed := (*keyState)(nil).next(Result{Wake: WakeAt(asked)}, rapid.Bool().Draw(t, "timer"), "c", "", now)
		if !changed {
			t.Fatal("a new wake time is no change")
		}
		back, err := decodeState(s.encode(testTopicID), testTopicID)
		if err != nil {
			t.Fatal(err)
		}
		if !back.wake.Equal(s.wake) {
			t.Fatalf("a restart finds %v instead of %v", back.wake, s.wake)
		}
		if asked.After(now) && s.wake.Before(asked) {
			t.Fatalf("asked for %v, set to %v: too early", asked, s.wake)
		}
		if d := s.wake.Sub(asked); d > time.Millisecond || d < -time.Millisecond {
			t.Fatalf("asked for %v, set to %v", asked, s.wake)
		}
		if !asked.After(now) && s.wake.After(now) {
			t.Fatalf("asked for now, set to %v at %v", s.wake, now)
		}
	})
}

// TestWakesAreNeverEarly asks for times that are no whole milliseconds.
func TestWakesAreNeverEarly(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	asked := make(chan time.Time, 1)
	c.run(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
		if tr.Event == nil {
			if at := <-asked; tr.Now.Before(at) || tr.Due.Before(at) {
				t.Errorf("asked for %v, due %v, fired %v", at, tr.Due, tr.Now)
			}
			return Result{Events: []Event{out(tr.Key, "woken")}}, nil
		}
		at := tr.Now.Add(20*time.Millisecond + 900*time.Microsecond + time.Nanosecond)
		asked <- at
		return Result{Wake: WakeAt(at)}, nil
	}})
	for i := range 5 {
		c.publish("k", "x")
		c.read("out", i+1)
	}
}
