package loops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// KafkaGo is a loop over batches with kafka-go and its defaults: fetch, handle
// in goroutines, write, commit the offsets. No transactions. Its writer waits
// for a second with what does not fill a batch.
func KafkaGo(ctx context.Context, t contest.Task, m *contest.Meter) error {
	return kafkaGo(ctx, t, m, &kafka.Writer{})
}

// KafkaGoTuned is the same with a writer that does not wait.
func KafkaGoTuned(ctx context.Context, t contest.Task, m *contest.Meter) error {
	return kafkaGo(ctx, t, m, &kafka.Writer{BatchSize: t.Poll, BatchTimeout: time.Millisecond})
}

func kafkaGo(ctx context.Context, t contest.Task, m *contest.Meter, w *kafka.Writer) (err error) {
	w.Addr, w.Topic, w.Balancer, w.RequiredAcks = kafka.TCP(t.Brokers...), t.Output, &kafka.Hash{}, kafka.RequireAll
	defer func() { err = errors.Join(err, w.Close()) }()
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: t.Brokers, GroupID: t.Group, Topic: t.Input, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: 8 << 20, QueueCapacity: t.Poll,
	})
	defer func() { err = errors.Join(err, r.Close()) }()
	batch, out := make([]kafka.Message, t.Poll), make([]kafka.Message, t.Poll)
	for {
		for i := range batch {
			if batch[i], err = r.FetchMessage(ctx); err != nil {
				return stopped(ctx, fmt.Errorf("fetch: %w", err))
			}
		}
		handled := t.Ordered(ctx, len(batch),
			func(i int) string { return string(batch[i].Key) },
			func(i int) bool { return t.Latency.Wait(ctx, int32(batch[i].Partition), batch[i].Offset) })
		if !handled {
			return nil
		}
		for i, b := range batch {
			out[i] = kafka.Message{Key: b.Key, Value: b.Value}
		}
		if err := w.WriteMessages(ctx, out...); err != nil {
			return stopped(ctx, fmt.Errorf("write: %w", err))
		}
		if err := r.CommitMessages(ctx, batch...); err != nil {
			return stopped(ctx, fmt.Errorf("commit offsets: %w", err))
		}
		m.Add(len(batch))
	}
}
