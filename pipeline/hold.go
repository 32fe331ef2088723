package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A hold stops a stage while the world outside is down. The first handler that
// says [Unavailable] closes it: nothing new is admitted, and every trigger that
// says so waits here. One of them at a time probes; the first that gets through
// opens the hold for all.
//
//	open ──Unavailable──▶ held ──after──▶ probing ──success──▶ open
//	                        ▲               │
//	                        └──unavailable──┘  the next in line probes
//
// All methods may be called concurrently.
type hold struct {
	changed func(held bool) // called without the mutex

	mu      sync.Mutex
	held    bool
	probing bool          // one trigger is on its way
	waiting []*waiter     // in the order in which they will probe
	after   time.Duration // until the next probe
	next    *time.Timer   // nil: no probe is due
}

// A waiter is a trigger that waits for its probe or for the hold to open.
type waiter struct {
	turn  chan struct{} // closed when it may try
	probe bool          // it goes alone, to see; set before turn is closed
	other bool          // it has failed in another way: no reason to hold on
}

// do changes the hold and tells about it.
func (h *hold) do(f func()) {
	h.mu.Lock()
	before := h.held
	f()
	after := h.held
	h.mu.Unlock()
	if before != after {
		h.changed(after)
	}
}

// wait blocks until a trigger that met [Unavailable] may try again: alone, as
// the probe, or with all others. It says whether it was the probe and whether
// it is that now; it is not ok if ctx ended first. Who returns as the probe
// calls wait again or [hold.probed].
func (h *hold) wait(ctx context.Context, after time.Duration, was bool) (probe, ok bool) {
	w := &waiter{turn: make(chan struct{})}
	h.do(func() {
		if was {
			h.probing = false
		}
		h.held, h.after = true, after
		h.waiting = append(h.waiting, w)
		h.schedule()
	})
	return h.await(ctx, w)
}

// join is wait for a trigger that failed in another way: where the stage is held it
// gets in line, else it may go on at once.
func (h *hold) join(ctx context.Context) (probe, ok bool) {
	w := &waiter{turn: make(chan struct{}), other: true}
	held := false
	h.do(func() {
		if held = h.held; held {
			h.waiting = append(h.waiting, w)
			h.schedule()
		}
	})
	if !held {
		return false, true
	}
	return h.await(ctx, w)
}

func (h *hold) await(ctx context.Context, w *waiter) (probe, ok bool) {
	select {
	case <-w.turn:
		return w.probe, true
	case <-ctx.Done():
	}
	h.do(func() {
		if i := slices.Index(h.waiting, w); i >= 0 {
			h.waiting = slices.Delete(h.waiting, i, i+1)
		} else if w.probe { // chosen in this moment
			h.probing = false
		}
		h.schedule()
	})
	return false, false
}

// probed says how the probe went, if not unavailable again. Anything but
// success makes room for the next in line.
func (h *hold) probed(success bool) {
	h.do(func() {
		h.probing = false
		if success {
			h.open()
		}
		h.schedule()
	})
}

// schedule sees to it that somebody probes. Where nobody is left who has met
// [Unavailable], the hold opens: it might stay closed for ever.
func (h *hold) schedule() {
	switch {
	case !h.held || h.probing:
	case !slices.ContainsFunc(h.waiting, func(w *waiter) bool { return !w.other }):
		h.open()
	case h.next == nil:
		h.next = time.AfterFunc(h.after, func() { h.do(h.send) })
	}
}

// send lets the first in line probe.
func (h *hold) send() {
	h.next = nil
	if !h.held || h.probing {
		return
	}
	if len(h.waiting) > 0 {
		w := h.waiting[0]
		h.waiting = h.waiting[1:]
		h.probing, w.probe = true, true
		close(w.turn)
	}
	h.schedule()
}

func (h *hold) open() {
	h.held = false
	if h.next != nil {
		h.next.Stop()
		h.next = nil
	}
	for _, w := range h.waiting {
		close(w.turn)
	}
	h.waiting = nil
}

// on reports whether the stage is held.
func (h *hold) on() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}
