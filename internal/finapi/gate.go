package finapi

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	maxRetryAfter = 15 * time.Minute // more than any advice is followed
	pauseFirst    = time.Second      // after a 429 without advice; doubles while they go on
	pauseLast     = time.Minute
	pauseJitter   = 0.1 // share by which a pause is lengthened at random
)

// gate is what every call passes, the token's too: the pause that a 429 asks
// for, then the limiter, then the breaker.
type gate struct {
	limiter *limiter
	breaker *breaker
	log     *slog.Logger

	mu     sync.Mutex // guards the pause; never held while waiting
	until  time.Time  // nothing is sent before
	streak int        // pauses without advice in a row
}

func newGate(maxConcurrent int, log *slog.Logger) *gate {
	return &gate{limiter: newLimiter(maxConcurrent), breaker: newBreaker(), log: log}
}

// held says that a call was not made, and when to look again.
type held struct {
	code  string
	after time.Duration
}

// pass is a call's permit. It must be given back with leave.
type pass struct {
	turn int
	at   time.Time
}

// enter waits for a permit. It returns held when the provider takes no calls
// now, and the context's error when that ended first.
func (g *gate) enter(ctx context.Context, poll bool) (pass, *held, error) {
	if h := g.closed(); h != nil {
		return pass{}, h, nil
	}
	if err := g.limiter.acquire(ctx, poll); err != nil {
		return pass{}, nil, err
	}
	// Things may have changed while it waited.
	if after := g.paused(); after > 0 {
		g.limiter.giveBack()
		return pass{}, &held{CodeSlowDown, after}, nil
	}
	turn, wait, ok := g.breaker.admit()
	if !ok {
		g.limiter.giveBack()
		return pass{}, &held{CodeBreakerOpen, wait}, nil
	}
	return pass{turn, time.Now()}, nil, nil
}

// closed tells without waiting whether it is any use to enter.
func (g *gate) closed() *held {
	if after := g.paused(); after > 0 {
		return &held{CodeSlowDown, after}
	}
	if after := g.breaker.wait(); after > 0 {
		return &held{CodeBreakerOpen, max(after, breakerProbeGap)}
	}
	return nil
}

// leave gives the pass back. strain says that there was too much for the
// provider to do, which a wrong answer does not say.
func (g *gate) leave(p pass, s sign, strain bool) {
	now := time.Now()
	before, after := g.breaker.report(p.turn, s)
	switch {
	case s == healthy && !strain:
		g.limiter.succeeded()
	case strain && before == circuitbreaker.ClosedState:
		g.limiter.strained(now)
	default:
		// A probe into an outage says nothing about how much would be too
		// much; counting it would leave a limit of one behind.
		g.limiter.giveBack()
	}
	switch {
	case before == circuitbreaker.ClosedState && after == circuitbreaker.OpenState:
		g.log.Warn("provider breaker opened: no calls but probes until one succeeds")
	case before == circuitbreaker.HalfOpenState && after == circuitbreaker.ClosedState:
		g.log.Info("provider breaker closed: calls go on")
	}
	if s == healthy && !strain {
		g.mu.Lock()
		if !now.Before(g.until) {
			g.streak = 0
		}
		g.mu.Unlock()
	}
}

// slowDown notes a 429 and returns how long nothing will be sent. Answers to
// calls that were under way together lengthen one pause, they do not add up.
func (g *gate) slowDown(advice time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	fresh := !now.Before(g.until)
	if advice <= 0 {
		if fresh {
			g.streak++
		}
		advice = min(pauseFirst<<min(max(g.streak, 1)-1, 10), pauseLast)
	}
	advice += time.Duration(rand.Float64() * pauseJitter * float64(advice))
	if until := now.Add(min(advice, maxRetryAfter)); until.After(g.until) {
		g.until = until
	}
	if fresh {
		g.log.Warn("provider asked for a pause", "pause", g.until.Sub(now).Round(time.Millisecond))
	}
	return g.until.Sub(now)
}

// paused is how long nothing may be sent.
func (g *gate) paused() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(time.Until(g.until), 0)
}
