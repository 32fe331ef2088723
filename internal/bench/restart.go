package main

import (
	"context"
	"errors"
	"time"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// restart kills the engine with SIGKILL while it works, starts it again with the
// same instance id, and takes the time from the kill to the next commit. The
// start of the process is part of it.
func restart(state bool) func(context.Context, *lab) (result, error) {
	return func(ctx context.Context, l *lab) (_ result, err error) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		input, err := l.input(ctx, keysDistinct)
		if err != nil {
			return result{}, err
		}
		t, err := l.task(ctx, input, func(t *contest.Task) {
			t.Instance, t.State = "the-one", state
			t.InFlight, t.Latency = 500, contest.Latency{Usual: 20 * time.Millisecond}
			t.Limit, t.Window = 0, time.Hour
		})
		if err != nil {
			return result{}, err
		}
		p, err := l.start("engine", t)
		if err != nil {
			return result{}, err
		}
		defer func() { err = errors.Join(err, p.run.Kill(), l.clean(ctx, t)) }()
		if err := p.started(ctx); err != nil {
			return result{}, err
		}
		took := figure{what: "kill -9 → first commit, static instance id", unit: "ms", want: atMost(1000)}
		for range l.rounds {
			select {
			case <-time.After(time.Second): // in the midst of its work
			case <-ctx.Done():
				return result{}, ctx.Err()
			}
			began := time.Now()
			if err := p.run.Kill(); err != nil {
				return result{}, err
			}
			if p, err = l.start("engine", t); err != nil {
				return result{}, err
			}
			if err := p.started(ctx); err != nil {
				return result{}, err
			}
			took.values = append(took.values, millis(time.Since(began)))
		}
		return result{figures: []figure{took}}, nil
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
