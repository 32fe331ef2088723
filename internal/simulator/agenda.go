package simulator

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// agenda does things when the clock says so: forms expire although nobody looks
// at them, and callbacks leave late. What it does must be quick. It grows with
// the open forms and the callbacks on their way, both of which are bounded.
type agenda struct {
	clock Clock

	mu    sync.Mutex
	items appointments // the next one first
	wake  chan struct{}
}

type appointment struct {
	due   time.Time
	do    func()
	index int // in the heap; -1: no longer in it
}

func newAgenda(clock Clock) *agenda { return &agenda{clock: clock, wake: make(chan struct{}, 1)} }

// at has something done at a time, or at once if that has passed.
func (a *agenda) at(due time.Time, do func()) *appointment {
	item := &appointment{due: due, do: do}
	a.mu.Lock()
	heap.Push(&a.items, item)
	first := item.index == 0
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default: // somebody woke it already
		}
	}
	return item
}

// cancel takes an appointment out, unless it has been kept already.
func (a *agenda) cancel(item *appointment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if item.index >= 0 {
		heap.Remove(&a.items, item.index)
	}
}

// run keeps the appointments until ctx ends. What is left then is forgotten.
func (a *agenda) run(ctx context.Context) {
	for {
		do, due := a.next()
		if do != nil {
			do()
			continue
		}
		alarm, stop := a.clock.At(due)
		select {
		case <-alarm:
		case <-a.wake:
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// next takes out what is due, or else says when to look again.
func (a *agenda) next() (do func(), due time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	if len(a.items) == 0 {
		return nil, now.Add(time.Hour)
	}
	if due = a.items[0].due; due.After(now) {
		return nil, due
	}
	return heap.Pop(&a.items).(*appointment).do, now
}

// appointments are a heap by time.
type appointments []*appointment

func (h appointments) Len() int           { return len(h) }
func (h appointments) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h appointments) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *appointments) Push(x any) {
	item := x.(*appointment)
	item.index = len(*h)
	*h = append(*h, item)
}

func (h *appointments) Pop() any {
	last := len(*h) - 1
	item := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	item.index = -1
	return item
}
