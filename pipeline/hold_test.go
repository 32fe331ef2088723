package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// holdLog notes what happens at a hold, with the seconds since the start.
type holdLog struct {
	began time.Time
	mu    sync.Mutex
	lines []string
}

func (l *holdLog) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%.0f: ", time.Since(l.began).Seconds())+fmt.Sprintf(format, args...))
}

// check waits for everybody to stand still and compares what happened.
func (l *holdLog) check(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Fatalf("got\n%q, want\n%q", l.lines, want)
	}
}

func newHold() (*hold, *holdLog) {
	l := &holdLog{began: time.Now()}
	return &hold{changed: func(held bool) { l.add("held %t", held) }}, l
}

// meet lets a trigger meet Unavailable; what it does in its turn is up to then.
func (l *holdLog) meet(ctx context.Context, h *hold, name string, was bool, then func(probe bool)) {
	go func() {
		probe, ok := h.wait(ctx, 5*time.Second, was)
		if !ok {
			l.add("%s gave up", name)
			return
		}
		l.add("%s probes %t", name, probe)
		then(probe)
	}()
	synctest.Wait() // so that they come in this order
}

func TestHoldLetsOneAtATimeProbeInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHold()
		back := l.began.Add(21 * time.Second)
		for _, name := range []string{"a", "b", "c"} {
			var again func(probe bool)
			again = func(probe bool) {
				switch {
				case probe && time.Now().Before(back):
					go func() {
						probe, _ := h.wait(t.Context(), 5*time.Second, true)
						l.add("%s probes %t", name, probe)
						again(probe)
					}()
				case probe:
					h.probed(true)
				}
			}
			l.meet(t.Context(), h, name, false, again)
		}
		if !h.on() {
			t.Error("the hold is open")
		}
		time.Sleep(24 * time.Second)
		l.check(t, "0: held true", "5: a probes true", "10: b probes true", "15: c probes true", "20: a probes true")
		time.Sleep(time.Minute)
		synctest.Wait()
		slices.Sort(l.lines[5:]) // those who are let go come in any order
		l.check(t, "0: held true", "5: a probes true", "10: b probes true", "15: c probes true", "20: a probes true",
			"25: a probes false", "25: b probes true", "25: c probes false", "25: held false")
	})
}

func TestHoldGoesOnWithoutAWaiterThatLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHold()
		ctx, cancel := context.WithCancel(t.Context())
		l.meet(ctx, h, "a", false, nil)
		l.meet(t.Context(), h, "b", false, func(bool) { h.probed(true) })
		cancel()
		time.Sleep(time.Minute)
		l.check(t, "0: held true", "0: a gave up", "5: b probes true", "5: held false")
	})
}

// TestHoldGoesOnWhenTheChosenOneLeaves takes a trigger away in the moment in
// which its turn comes, whichever of the two it notices.
func TestHoldGoesOnWhenTheChosenOneLeaves(t *testing.T) {
	t.Parallel()
	for _, turnFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("turn first %t", turnFirst), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, l := newHold()
				ctx, cancel := context.WithCancel(t.Context())
				l.meet(ctx, h, "a", false, func(bool) { h.probed(false) }) // as a handler that was interrupted
				l.meet(t.Context(), h, "b", false, func(bool) { h.probed(true) })
				h.mu.Lock()
				if turnFirst {
					h.send()
					cancel()
				} else {
					cancel()
					h.send()
				}
				h.mu.Unlock()
				time.Sleep(time.Minute)
				synctest.Wait()
				if got, want := l.lines[1], map[bool]string{true: "0: a probes true", false: "0: a gave up"}[turnFirst]; got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
				l.check(t, "0: held true", l.lines[1], "5: b probes true", "5: held false")
			})
		})
	}
}

func TestHoldGoesOnAfterAPlainErrorOfTheProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHold()
		l.meet(t.Context(), h, "a", false, func(bool) { h.probed(false) })
		l.meet(t.Context(), h, "b", false, func(bool) { h.probed(true) })
		time.Sleep(time.Minute)
		l.check(t, "0: held true", "5: a probes true", "10: b probes true", "10: held false")
	})
}

// TestHoldOpensWhenNobodyIsLeft: a hold that nobody can open would last for ever.
func TestHoldOpensWhenNobodyIsLeft(t *testing.T) {
	t.Parallel()
	t.Run("the last waiter leaves", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h, l := newHold()
			ctx, cancel := context.WithCancel(t.Context())
			l.meet(ctx, h, "a", false, nil)
			time.Sleep(time.Second)
			cancel()
			synctest.Wait()
			slices.Sort(l.lines)
			l.check(t, "0: held true", "1: a gave up", "1: held false")
		})
	})
	t.Run("the probe fails otherwise", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h, l := newHold()
			l.meet(t.Context(), h, "a", false, func(bool) { h.probed(false) })
			time.Sleep(time.Minute)
			l.check(t, "0: held true", "5: a probes true", "5: held false")
		})
	})
	t.Run("others have failed otherwise", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h, l := newHold()
			if probe, ok := h.join(t.Context()); probe || !ok {
				t.Errorf("got %t, %t where nothing is held, want to go on at once", probe, ok)
			}
			l.meet(t.Context(), h, "a", false, func(bool) { h.probed(false) })
			time.Sleep(time.Second)
			for range 2 {
				go func() {
					if probe, ok := h.join(t.Context()); probe || !ok {
						t.Errorf("got %t, %t, want all to go on together", probe, ok)
					}
					l.add("b goes on")
				}()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			slices.Sort(l.lines)
			l.check(t, "0: held true", "5: a probes true", "5: b goes on", "5: b goes on", "5: held false")
		})
	})
}
