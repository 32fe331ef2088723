package finapi

import (
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	breakerWindow   = 30 * time.Second
	breakerCalls    = 20  // so many calls in the window before a share means anything
	breakerShare    = 0.5 // failed calls of these that open it
	breakerInARow   = 5   // signs of being down, nothing healthy between them, that open it however few calls there are
	breakerDelay    = 5 * time.Second
	breakerProbeGap = time.Second // when to ask again while a probe is out
)

// sign is what a call said about the provider's health.
type sign int

const (
	healthy sign = iota // the provider answered and meant it
	failing             // an answer that no healthy provider gives, or none in time
	down                // nobody there: no connection, or a gateway in front of nothing
	unknown             // the caller went away; nothing was learnt
)

// breaker stops calls while the provider as a whole is down. It opens when a share
// of many calls fail, and also when signs of being down come and nothing healthy
// between them: with a single import under way there never are many calls. A
// plain 500 or a slow answer never opens it by itself in a quiet hour, since it
// may be the fault of that one request. Whose fault a failed call is, the one that
// opens it and its probes among them, is another question: see [host].
//
// failsafe-go's breaker keeps the window and the states. It takes the results
// of calls that began before it opened for results of its probe; the turn number
// keeps those away from it.
type breaker struct {
	mu    sync.Mutex // guards all below
	cb    circuitbreaker.CircuitBreaker[any]
	turn  int // counts changes of state
	downs int // signs of being down since the last healthy one
}

func newBreaker() *breaker {
	cb := circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(breakerShare, breakerCalls, breakerWindow).
		WithSuccessThreshold(1).
		WithDelay(breakerDelay).
		Build()
	return &breaker{cb: cb}
}

// admit asks whether a call may be made. If so it returns the turn to report
// with, else how long to wait.
func (b *breaker) admit() (turn int, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follow(func() { ok = b.cb.TryAcquirePermit() })
	if !ok {
		return 0, max(b.cb.RemainingDelay(), breakerProbeGap), false
	}
	return b.turn, 0, true
}

// report tells how an admitted call went, and returns the state before and
// after that.
func (b *breaker) report(turn int, s sign) (before, after circuitbreaker.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = b.cb.State()
	if turn != b.turn {
		return before, before
	}
	probing := before == circuitbreaker.HalfOpenState
	b.follow(func() {
		switch {
		case s == healthy:
			b.downs = 0
			b.cb.RecordSuccess()
		case s == unknown && !probing:
		case s == unknown: // a probe's permit cannot be handed back unused
			b.cb.RecordFailure()
		case s == down:
			b.cb.RecordFailure()
			if b.downs++; b.downs >= breakerInARow {
				b.cb.Open()
			}
		default:
			b.cb.RecordFailure()
		}
	})
	return before, b.cb.State()
}

// follow counts a change of state that do makes. It is called with mu held.
func (b *breaker) follow(do func()) {
	before := b.cb.State()
	do()
	if b.cb.State() != before {
		b.turn++
		b.downs = 0
	}
}

// wait is how long the breaker will stay open; 0 when it is not.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cb.RemainingDelay()
}

func (b *breaker) state() circuitbreaker.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cb.State()
}
