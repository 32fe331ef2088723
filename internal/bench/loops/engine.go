package loops

import (
	"context"
	"iter"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/pipeline"
)

// Engine is this module's engine with a stage that copies its input.
func Engine(ctx context.Context, t contest.Task, m *contest.Meter) error {
	var state []byte
	if t.State {
		state = make([]byte, 200)
	}
	stages, ctx := errgroup.WithContext(ctx)
	hops := max(t.Hops, 1)
	for i := range hops {
		committed := func(string, iter.Seq[pipeline.Event]) {}
		if i == hops-1 {
			committed = count(m)
		}
		stages.Go(func() error {
			return runStage(ctx, t, i, &copier{latency: t.Latency, output: t.Hop(i + 1), state: state}, committed)
		})
	}
	return stages.Wait()
}

// count adds the events of each commit to the meter.
func count(m *contest.Meter) func(string, iter.Seq[pipeline.Event]) {
	return func(_ string, events iter.Seq[pipeline.Event]) {
		n := 0
		for range events {
			n++
		}
		m.Add(n)
	}
}

// runStage runs stage i of a task.
func runStage(ctx context.Context, t contest.Task, i int, h pipeline.Handler, committed func(string, iter.Seq[pipeline.Event])) error {
	r, err := pipeline.NewRunner(pipeline.Stage{
		Name: t.Stage(i), Input: t.Hop(i), Outputs: []string{t.Hop(i + 1)}, Handler: h,
	}, pipeline.Config{
		KafkaOpts:       []kgo.Opt{kgo.SeedBrokers(t.Brokers...)},
		Group:           t.Group,
		InstanceID:      t.Instance,
		DeadLetterTopic: contest.DeadLetters,
		MaxInFlight:     t.InFlight,
		Logger:          slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Committed:       committed,
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// A copier publishes what it reads, after a while.
type copier struct {
	latency contest.Latency
	output  string
	state   []byte // to be written for each record; nil: none
}

// Handle implements [pipeline.Handler].
func (c *copier) Handle(ctx context.Context, t pipeline.Trigger, _ pipeline.State) (pipeline.Result, error) {
	if !c.latency.Wait(ctx, t.Event.Partition, t.Event.Offset) {
		return pipeline.Result{}, ctx.Err()
	}
	r := pipeline.Result{Events: []pipeline.Event{{Topic: c.output, Key: t.Event.Key, Value: t.Event.Value}}}
	if c.state != nil {
		r.State = pipeline.SetState(c.state)
	}
	return r, nil
}

// GaveUp implements [pipeline.Handler].
func (c *copier) GaveUp(pipeline.Trigger, pipeline.State, error) pipeline.Result {
	return pipeline.Result{}
}
