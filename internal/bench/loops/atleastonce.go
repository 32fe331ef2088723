package loops

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// AtLeastOnce is the simplest loop: poll, handle, produce, commit the offsets.
// No transactions, so a crash repeats outputs.
func AtLeastOnce(ctx context.Context, t contest.Task, m *contest.Meter) error {
	cl, err := kgo.NewClient(member(t, kgo.DisableAutoCommit())...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		batch, err := poll(ctx, t, func() kgo.Fetches { return cl.PollRecords(ctx, t.Poll) })
		if err != nil || batch == nil {
			return err
		}
		if err := cl.ProduceSync(ctx, outputs(t, batch)...).FirstErr(); err != nil {
			return stopped(ctx, fmt.Errorf("produce: %w", err))
		}
		if err := cl.CommitUncommittedOffsets(ctx); err != nil {
			return stopped(ctx, fmt.Errorf("commit offsets: %w", err))
		}
		m.Add(len(batch))
	}
}

// poll polls records and handles them; nil without an error means the end.
func poll(ctx context.Context, t contest.Task, records func() kgo.Fetches) ([]*kgo.Record, error) {
	for ctx.Err() == nil {
		fetches := records()
		if err := fetches.Err(); err != nil {
			return nil, stopped(ctx, fmt.Errorf("poll: %w", err))
		}
		batch := fetches.Records()
		if len(batch) == 0 {
			continue
		}
		handled := t.Ordered(ctx, len(batch),
			func(i int) string { return string(batch[i].Key) },
			func(i int) bool { return t.Latency.Wait(ctx, batch[i].Partition, batch[i].Offset) })
		if handled {
			return batch, nil
		}
	}
	return nil, nil
}

func outputs(t contest.Task, batch []*kgo.Record) []*kgo.Record {
	out := make([]*kgo.Record, len(batch))
	for i, r := range batch {
		out[i] = &kgo.Record{Topic: t.Output, Key: r.Key, Value: r.Value}
	}
	return out
}

// stopped drops an error that only says that the measurement is over.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
