package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// patience is how long a contestant of a comparison may take beside its window.
const patience = time.Minute

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
	return c.run(l.rounds, func(e entrant) (contest.Report, error) {
		report, err := l.race(ctx, patience, e.program, input, func(t *contest.Task) {
			t.InFlight, t.Poll, t.State, t.Latency = e.inFlight, e.poll, e.state, c.latency
			if c.latency == (contest.Latency{}) {
				t.Warmup = min(t.Warmup, 300*time.Millisecond) // the input does not last longer
			}
		})
		if errors.Is(err, errLate) {
			fmt.Fprintf(l.stderr, "run %d: %s: left out, %v\n", l.runs, e.name, err)
		}
		return report, err
	})
}

// run lets the contestants race in turn. One that is late is left out from then on,
// unless it is the first.
func (c comparison) run(rounds int, race func(e entrant) (contest.Report, error)) (result, error) {
	reports := make([][]contest.Report, len(c.entrants))
	late := make([]bool, len(c.entrants))
	for range rounds {
		for i, e := range c.entrants {
			if late[i] {
				continue
			}
			report, err := race(e)
			if late[i] = i > 0 && errors.Is(err, errLate); late[i] {
				continue
			}
			if err != nil {
				return result{}, err
			}
			reports[i] = append(reports[i], report)
		}
	}
	var r result
	var ended []entrant
	for i, e := range c.entrants {
		if late[i] {
			r.late = append(r.late, e.name)
			continue
		}
		ended = append(ended, e)
		r.spent = append(r.spent, spent{e.name, reports[i]})
	}
	c.entrants = ended
	r.figures = c.figures(r.spent)
	return r, nil
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
