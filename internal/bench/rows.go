package main

import (
	"context"
	"time"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

const (
	pageRows = 500
	rowBytes = 600
	// rawRows is what a raw transaction holds: as many rows as the engine
	// commits at once of a single account.
	rawRows = 16 * pageRows
	// fewRows are enough to fill everything that has a bound.
	fewRows = 5 * rawRows
)

func pages(t *contest.Task, rows int) {
	t.InFlight, t.Poll, t.PageRows, t.RowBytes, t.Rows = 100, rawRows, pageRows, rowBytes, rows
}

// rowRate compares a stage that publishes the rows of so many accounts page
// after page with a program that only writes the same rows.
func rowRate(accounts int, want target) func(context.Context, *lab) (result, error) {
	return func(ctx context.Context, l *lab) (result, error) {
		input, err := l.accounts(ctx, accounts)
		if err != nil {
			return result{}, err
		}
		rival, rivalName := "raw-pages", "raw transactional produce"
		if l.other != "" {
			rival, rivalName, want = other+"pages", "that of the other build", target{}
		}
		stage, raw := spent{name: "engine"}, spent{name: rivalName}
		ratio := figure{what: "rows/s of the stage ÷ " + rivalName, want: want}
		endless := func(t *contest.Task) {
			pages(t, 1<<31-1)
			t.Limit, t.Warmup = 0, min(t.Warmup, time.Second)
		}
		for range l.rounds {
			a, err := l.race(ctx, 2*patience, "pages", input, endless)
			if err != nil {
				return result{}, err
			}
			b, err := l.race(ctx, 2*patience, rival, input, endless)
			if err != nil {
				return result{}, err
			}
			stage.reports, raw.reports = append(stage.reports, a), append(raw.reports, b)
			ratio.values = append(ratio.values, a.Rate()/b.Rate())
		}
		return result{figures: []figure{ratio}, spent: []spent{stage, raw}}, nil
	}
}

// rowMemory says what an account with many rows adds to the memory of one with
// few.
func rowMemory(ctx context.Context, l *lab) (result, error) {
	input, err := l.accounts(ctx, 1)
	if err != nil {
		return result{}, err
	}
	added := figure{what: "what many rows add", unit: "MiB", want: atMost(50)}
	few, many := figure{what: "peak RSS, few rows", unit: "MiB"}, figure{what: "peak RSS, many rows", unit: "MiB"}
	all := func(rows int) func(t *contest.Task) {
		return func(t *contest.Task) {
			pages(t, rows)
			t.Limit, t.Warmup, t.Window = rows, 0, time.Minute
		}
	}
	for range l.rounds {
		a, err := l.race(ctx, 2*patience, "pages", input, all(fewRows))
		if err != nil {
			return result{}, err
		}
		b, err := l.race(ctx, 2*patience, "pages", input, all(l.rows))
		if err != nil {
			return result{}, err
		}
		few.values, many.values = append(few.values, mib(a.PeakRSS)), append(many.values, mib(b.PeakRSS))
		added.values = append(added.values, mib(b.PeakRSS)-mib(a.PeakRSS))
	}
	return result{figures: []figure{added, few, many}}, nil
}
