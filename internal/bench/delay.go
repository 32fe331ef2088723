package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// delay sends records at a steady rate through stages of the engine that take
// no time, one behind the other, and takes the time from sending a record to
// reading what came of it under read_committed.
func delay(hops, perSecond int, p50, p99 target) func(context.Context, *lab) (result, error) {
	return func(ctx context.Context, l *lab) (result, error) {
		figures := []figure{
			{what: "p50, sent to read", unit: "ms", want: p50},
			{what: "p99", unit: "ms", want: p99},
			{what: "p99.9", unit: "ms"},
		}
		engine := spent{name: fmt.Sprintf("engine, stages: %d", hops)}
		for range l.rounds {
			delays, report, err := l.delays(ctx, hops, perSecond, l.window)
			if err != nil {
				return result{}, err
			}
			engine.reports = append(engine.reports, report)
			for i, q := range []float64{0.5, 0.99, 0.999} {
				figures[i].values = append(figures[i].values, millis(delays[int(q*float64(len(delays)-1))]))
			}
		}
		return result{figures: figures, spent: []spent{engine}}, nil
	}
}

// delays is one round: what records took, in ascending order.
func (l *lab) delays(ctx context.Context, hops, perSecond int, window time.Duration) ([]time.Duration, contest.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+window)
	defer cancel()
	source := fmt.Sprintf("source-%d", l.runs)
	if err := l.createTopics(ctx, nil, source); err != nil {
		return nil, contest.Report{}, err
	}
	t, err := l.task(ctx, source, func(t *contest.Task) { t.Hops, t.InFlight, t.Limit, t.Window = hops, 1000, 0, window })
	if err != nil {
		return nil, contest.Report{}, err
	}
	p, err := l.start("engine", t)
	if err != nil {
		return nil, contest.Report{}, err
	}
	work, around := context.WithCancel(ctx)
	var delays []time.Duration
	var both errgroup.Group
	both.Go(func() error { return l.send(work, source, perSecond) })
	both.Go(func() (err error) {
		delays, err = l.read(work, t.Output, time.Now().Add(l.warmup+time.Second))
		return err
	})
	report, err := p.wait(ctx)
	around()
	if failed := both.Wait(); err == nil {
		err = failed
	}
	if err == nil && len(delays) == 0 {
		err = fmt.Errorf("nothing was read from %s", t.Output)
	}
	if err != nil {
		return nil, contest.Report{}, err
	}
	slices.Sort(delays)
	return delays, report, l.clean(ctx, t)
}

// send sends records that say when they were sent, until ctx ends.
func (l *lab) send(ctx context.Context, topic string, perSecond int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(l.broker.Addr()), kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		value := make([]byte, 100)
		binary.BigEndian.PutUint64(value, uint64(time.Now().UnixNano()))
		cl.Produce(ctx, &kgo.Record{Key: fmt.Appendf(nil, "%036d", i), Value: value}, nil) // one that is lost is not read
	}
}

// read reads until ctx ends and returns what the records took that were sent
// after the warm-up.
func (l *lab) read(ctx context.Context, topic string, warm time.Time) ([]time.Duration, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(l.broker.Addr()), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var delays []time.Duration
	for {
		fetches := cl.PollFetches(ctx)
		now := time.Now()
		if ctx.Err() != nil {
			return delays, nil
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			sent := time.Unix(0, int64(binary.BigEndian.Uint64(r.Value)))
			if sent.After(warm) {
				delays = append(delays, now.Sub(sent))
			}
		})
	}
}
