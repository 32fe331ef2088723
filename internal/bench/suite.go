package main

import (
	"context"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// A scenario is something that can be measured by itself.
type scenario struct {
	name    string
	about   string
	quick   bool // part of the quick mode
	measure func(context.Context, *lab) (result, error)
}

// suite is all there is, what has targets first.
func suite(s settings) []scenario {
	tail := contest.Latency{Usual: 100 * time.Millisecond, Slow: time.Second, Every: 100}
	steady := contest.Latency{Usual: 100 * time.Millisecond}
	wide := func(latency contest.Latency) comparison {
		return comparison{
			keys: keysDistinct, latency: latency, ideal: atLeast(0.98), memory: atMost(250),
			entrants: []entrant{{name: "engine", program: "engine", inFlight: 10_000}},
		}
	}
	scenarios := []scenario{
		{"tail", "handlers of 100 ms, 1 % of them 1 s; 500 in flight; all keys distinct", true, comparison{
			keys: keysDistinct, latency: tail, ideal: atLeast(0.98),
			entrants: []entrant{
				{name: "engine", program: "engine", inFlight: 500},
				{name: "transact session", program: "transact-session", inFlight: 500, poll: 500, want: atLeast(9)},
				{name: "transact session, poll ×4", program: "transact-session", inFlight: 500, poll: 2000, want: atLeast(3)},
				{name: "kafka-go", program: "kafka-go", inFlight: 1000, poll: 1000, want: atLeast(9)},
				{name: "kafka-go, tuned", program: "kafka-go-tuned", inFlight: 1000, poll: 1000},
				{name: "watermill", program: "watermill", want: atLeast(80)},
			},
		}.measure},
		{"wide", "handlers of 100 ms; 10,000 in flight on 6 partitions", true, wide(steady).measure},
		{"wide-tail", "handlers of 100 ms, 1 % of them 1 s; 10,000 in flight on 6 partitions", false, wide(tail).measure},
		{"no-op", "handlers that take no time; all keys distinct", true, comparison{
			keys: keysDistinct,
			entrants: []entrant{
				{name: "engine", program: "engine", inFlight: 10_000},
				{name: "at least once", program: "at-least-once", poll: 10_000, want: atLeast(0.7)},
				{name: "transact session", program: "transact-session", poll: 10_000, want: atLeast(1.2)},
				{name: "kafka-go, tuned", program: "kafka-go-tuned", poll: 10_000},
			},
		}.measure},
		{"hop", "one stage at 1,000 records/s", true, delay(1, 1000, atMost(8), atMost(20))},
		{"hops", "four stages at 100 records/s", true, delay(4, 100, atMost(50), atMost(150))},
		{"imports", "the stages of an import, 10 imports/s of 20 rows, the provider takes 0 ms", true, imports(10, 20, atMost(50), atMost(150))},
		{"rows", "an account's rows in pages of 500, each page waking the next", true, rowRate(1, atLeast(0.6))},
		{"rows-8", "the same with 8 accounts at once", false, rowRate(8, atLeast(0.6))},
		{"rows-memory", fmt.Sprintf("an account of %d rows against one of %d", s.rows, fewRows), true, rowMemory},
		{"restart", "kill -9 under load", true, restart(false)},
		{"restart-state", "kill -9 under load, with state", true, restart(true)},
	}
	return append(scenarios, grid(tail)...)
}

// grid is every latency with every kind of keys. It has no targets: it shows
// where the engine is worth it and where it is not.
func grid(tail contest.Latency) []scenario {
	latencies := []struct {
		name    string
		latency contest.Latency
	}{
		{"0ms", contest.Latency{}},
		{"20ms", contest.Latency{Usual: 20 * time.Millisecond}},
		{"100ms", contest.Latency{Usual: 100 * time.Millisecond}},
		{"tail", tail},
	}
	var scenarios []scenario
	for _, l := range latencies {
		for _, k := range []keys{keys12, keysZipf, keysDistinct} {
			inFlight, poll := 500, 500
			if l.latency == (contest.Latency{}) {
				inFlight, poll = 10_000, 10_000
			}
			scenarios = append(scenarios, scenario{
				"grid-" + l.name + "-" + string(k), fmt.Sprintf("handlers: %s; keys: %s; %d in flight", l.name, k, inFlight), false, comparison{
					keys: k, latency: l.latency,
					entrants: []entrant{
						{name: "engine", program: "engine", inFlight: inFlight},
						{name: "engine with state", program: "engine", inFlight: inFlight, state: true},
						{name: "transact session", program: "transact-session", inFlight: inFlight, poll: poll},
						{name: "kafka-go, tuned", program: "kafka-go-tuned", inFlight: 1000, poll: 1000},
						{name: "watermill", program: "watermill"},
					},
				}.measure,
			})
		}
	}
	return scenarios
}

// warm lets the broker's compiler see what is to come, in large batches and in
// small ones. It takes its time over the small ones: on two cores a commit of a
// broker that has just started takes six times as long as half a minute of work later,
// and one that people use has worked for days.
func warm(ctx context.Context, l *lab) error {
	input, err := l.input(ctx, keysDistinct)
	if err != nil {
		return err
	}
	for _, program := range []string{"engine", "transact-session", "at-least-once"} {
		_, err := l.race(ctx, 2*patience, program, input, func(t *contest.Task) { t.InFlight, t.Poll, t.Warmup = 10_000, 10_000, 0 })
		if err != nil {
			return err
		}
	}
	_, _, err = l.delays(ctx, 1, 1000, l.warming)
	return err
}
