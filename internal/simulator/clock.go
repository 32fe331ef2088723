package simulator

import (
	"slices"
	"sync"
	"time"
)

// Clock tells the simulator the time. Forms expire, tokens die and downloads end
// by it. Time-outs of the network do not: they are real.
type Clock interface {
	Now() time.Time
	// At sends on the channel once, when it is t or later. stop frees what that
	// takes; it may be called at any time. It takes no duration: the clock may be
	// moved between reading it and waiting.
	At(t time.Time) (c <-chan time.Time, stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) At(t time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(time.Until(t))
	return timer.C, func() { timer.Stop() }
}

// ManualClock is a clock that stands still until it is moved. It is safe for
// concurrent use.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Time
	alarms []*alarm
}

type alarm struct {
	due time.Time
	c   chan time.Time
}

// NewManualClock returns a clock that shows the given time.
func NewManualClock(now time.Time) *ManualClock { return &ManualClock{now: now} }

// Now is the time that the clock shows.
func (m *ManualClock) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock forward. What was due by then is told at once; it may
// still be running when Advance returns.
func (m *ManualClock) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	m.alarms = slices.DeleteFunc(m.alarms, func(a *alarm) bool {
		if a.due.After(m.now) {
			return false
		}
		a.c <- m.now
		return true
	})
}

// At implements [Clock].
func (m *ManualClock) At(t time.Time) (<-chan time.Time, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &alarm{due: t, c: make(chan time.Time, 1)}
	if !t.After(m.now) {
		a.c <- m.now
		return a.c, func() {}
	}
	m.alarms = append(m.alarms, a)
	return a.c, func() { m.remove(a) }
}

func (m *ManualClock) remove(a *alarm) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarms = slices.DeleteFunc(m.alarms, func(b *alarm) bool { return a == b })
}
