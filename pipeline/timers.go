package pipeline

import (
	"container/heap"
	"time"
)

// A timerHeap holds at most one timer per key, earliest first. The zero value
// is empty and ready.
type timerHeap struct {
	items []timer
	at    map[string]int // index into items, by event key
}

type timer struct {
	key string
	due time.Time
}

// set replaces the timer of a key; a zero time removes it.
func (h *timerHeap) set(key string, due time.Time) {
	i, ok := h.at[key]
	switch {
	case ok && h.items[i].due.Equal(due):
	case ok && due.IsZero():
		heap.Remove(h, i)
	case ok:
		h.items[i].due = due
		heap.Fix(h, i)
	case !due.IsZero():
		heap.Push(h, timer{key, due})
	}
}

// first returns the earliest timer.
func (h *timerHeap) first() (key string, due time.Time, ok bool) {
	if len(h.items) == 0 {
		return "", time.Time{}, false
	}
	return h.items[0].key, h.items[0].due, true
}

// Len, Less, Swap, Push and Pop are for package heap.
func (h *timerHeap) Len() int { return len(h.items) }

func (h *timerHeap) Less(i, j int) bool { return h.items[i].due.Before(h.items[j].due) }

func (h *timerHeap) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.at[h.items[i].key], h.at[h.items[j].key] = i, j
}

func (h *timerHeap) Push(x any) {
	if h.at == nil {
		h.at = map[string]int{}
	}
	t := x.(timer)
	h.at[t.key] = len(h.items)
	h.items = append(h.items, t)
}

func (h *timerHeap) Pop() any {
	last := len(h.items) - 1
	t := h.items[last]
	h.items[last] = timer{}
	h.items = h.items[:last]
	delete(h.at, t.key)
	return t
}
