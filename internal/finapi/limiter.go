package finapi

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	limitAtStart = 32  // calls at the same time before anything is known
	limitCut     = 0.7 // what an overload leaves of the limit
	limitCutRest = time.Second
	workPerPoll  = 4 // at least every fifth permit goes to a waiting poll
)

// limiter bounds the calls that run at the same time and adapts the bound the
// way TCP does: it grows while the provider copes and shrinks when it shows
// strain (429, 503, 504, timeouts). It goes by such signs and not by latency,
// since a page of 500 rows takes many times as long as a token and their mix
// changes all the time.
//
// Those who wait are served in order, real work before polls.
type limiter struct {
	mu       sync.Mutex // guards all below; never held while waiting
	max      int
	limit    float64
	steady   bool // false: grows by one per call, as nothing has gone wrong yet
	cutAt    time.Time
	inFlight int
	work     *list.List // of *waiter
	polls    *list.List // of *waiter
	served   int        // real work served since the last poll
}

type waiter struct {
	granted chan struct{} // closed under mu
}

func newLimiter(most int) *limiter {
	return &limiter{max: most, limit: float64(min(most, limitAtStart)), work: list.New(), polls: list.New()}
}

// acquire waits for a permit. It fails only with the context's error; whoever
// got a permit must return it by one of giveBack, succeeded and strained.
func (l *limiter) acquire(ctx context.Context, poll bool) error {
	l.mu.Lock()
	queue := l.work
	if poll {
		queue = l.polls
	}
	w := &waiter{granted: make(chan struct{})}
	place := queue.PushBack(w)
	l.grant()
	l.mu.Unlock()

	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-w.granted: // in the same moment: pass it on
		l.inFlight--
		l.grant()
	default:
		queue.Remove(place)
	}
	return ctx.Err()
}

// giveBack returns a permit that taught nothing.
func (l *limiter) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.grant()
}

// succeeded returns the permit of a call that went well.
func (l *limiter) succeeded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Growing without need would lift the limit far above what was tried.
	if l.inFlight >= int(l.limit) {
		step := 1.0
		if l.steady {
			step /= l.limit
		}
		l.limit = min(l.limit+step, float64(l.max))
	}
	l.inFlight--
	l.grant()
}

// strained returns the permit of a call that was too much for the provider.
func (l *limiter) strained(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.cutAt) >= limitCutRest { // calls that ran together count once
		l.limit = max(l.limit*limitCut, 1)
		l.steady, l.cutAt = true, now
	}
	l.inFlight--
	l.grant()
}

// grant hands out free permits. It is called with mu held.
func (l *limiter) grant() {
	for l.inFlight < int(l.limit) {
		queue := l.work
		if l.work.Len() == 0 || (l.polls.Len() > 0 && l.served >= workPerPoll) {
			queue = l.polls
		}
		front := queue.Front()
		if front == nil {
			return
		}
		if queue == l.polls {
			l.served = 0
		} else if l.polls.Len() > 0 {
			l.served++
		}
		queue.Remove(front)
		l.inFlight++
		close(front.Value.(*waiter).granted)
	}
}

// state is what the metrics show.
func (l *limiter) state() (inFlight, waiting, limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight, l.work.Len() + l.polls.Len(), int(l.limit)
}
