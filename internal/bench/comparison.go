package main

import (
	"context"
	"time"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// A comparison lets contestants run in turn on the same input. Its figures are
// the rate of the first one divided by that of each other, round by round.
type comparison struct {
	keys     keys
	latency  contest.Latency
	entrants []entrant
	ideal    target // of the first one's rate to its records in flight ÷ mean latency
	memory   target // MiB, of the first one
}

// An entrant is a contestant with its settings.
type entrant struct {
	name     string
	program  string
	inFlight int
	poll     int
	state    bool
	want     target // of the ratio of the first entrant to this one
}

func (c comparison) measure(ctx context.Context, l *lab) (result, error) {
	input, err := l.input(ctx, c.keys)
	if err != nil {
		return result{}, err
	}
	if l.other != "" {
		c.entrants = c.againstOther()
	}
	spents := make([]spent, len(c.entrants))
	for range l.rounds {
		for i, e := range c.entrants {
			report, err := l.race(ctx, e.program, input, func(t *contest.Task) {
				t.InFlight, t.Poll, t.State, t.Latency = e.inFlight, e.poll, e.state, c.latency
				if c.latency == (contest.Latency{}) {
					t.Warmup = min(t.Warmup, 300*time.Millisecond) // the input does not last longer
				}
			})
			if err != nil {
				return result{}, err
			}
			spents[i].name, spents[i].reports = e.name, append(spents[i].reports, report)
		}
	}
	return result{figures: c.figures(spents), spent: spents}, nil
}

// againstOther is the engine against that of another build.
func (c comparison) againstOther() []entrant {
	rival := c.entrants[0]
	rival.name, rival.program = rival.name+", other build", other+rival.program
	return []entrant{c.entrants[0], rival}
}

func (c comparison) figures(spents []spent) []figure {
	first := spents[0].reports
	var figures []figure
	add := func(what, unit string, want target, value func(round int) float64) {
		f := figure{what: what, unit: unit, want: want}
		for round := range first {
			f.values = append(f.values, value(round))
		}
		figures = append(figures, f)
	}
	for i, e := range c.entrants[1:] {
		add(c.entrants[0].name+" ÷ "+e.name, "", e.want, func(round int) float64 {
			return first[round].Rate() / spents[i+1].reports[round].Rate()
		})
	}
	if c.ideal != (target{}) {
		add("engine ÷ (in flight ÷ mean latency)", "", c.ideal, func(round int) float64 {
			return first[round].Rate() / (float64(c.entrants[0].inFlight) / c.latency.Mean().Seconds())
		})
	}
	if c.memory != (target{}) {
		add("engine, peak RSS", "MiB", c.memory, func(round int) float64 { return mib(first[round].PeakRSS) })
	}
	return figures
}
