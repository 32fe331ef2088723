package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"
)

// keys are how the records of an input are spread over keys.
type keys string

const (
	keys12       keys = "12"
	keysZipf     keys = "zipf" // 1,000, by Zipf's law with 1.1
	keysDistinct keys = "distinct"
)

// input returns a topic with records for contestants, filled when it is first
// asked for.
func (l *lab) input(ctx context.Context, k keys) (string, error) {
	chance := rand.New(rand.NewPCG(1, 2)) // the same in every run
	zipf := rand.NewZipf(chance, 1.1, 1, 999)
	key := func(i int) uint64 {
		switch k {
		case keys12:
			return uint64(i % 12)
		case keysZipf:
			return zipf.Uint64()
		default:
			return uint64(i)
		}
	}
	return l.fill(ctx, "in-"+string(k), l.records, func(i int) *kgo.Record {
		value := fmt.Appendf(nil, `{"id":"%016x%016x","amount":"%d.%02d","purpose":"%016x"}`,
			chance.Uint64(), chance.Uint64(), chance.IntN(10_000), chance.IntN(100), chance.Uint64())
		return &kgo.Record{
			Key: fmt.Appendf(nil, "00000000-0000-4000-8000-%012d", key(i)), Value: value,
			// Inputs of stages are events with an id; for others the engine makes one.
			Headers: []kgo.RecordHeader{{Key: "ce_id", Value: fmt.Appendf(nil, "00000000-0000-5000-8000-%012d", i)}},
		}
	})
}

// accounts returns a topic with one record for each of n accounts.
func (l *lab) accounts(ctx context.Context, n int) (string, error) {
	return l.fill(ctx, fmt.Sprintf("accounts-%d", n), n, func(i int) *kgo.Record {
		return &kgo.Record{Key: fmt.Appendf(nil, "account-%d", i)}
	})
}

func (l *lab) fill(ctx context.Context, topic string, n int, record func(i int) *kgo.Record) (string, error) {
	if l.inputs[topic] {
		return topic, nil
	}
	if err := l.createTopics(ctx, nil, topic); err != nil {
		return "", err
	}
	var failed error
	for i := range n {
		r := record(i)
		r.Topic = topic
		l.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err // promises run one at a time, and before Flush returns
			}
		})
	}
	if err := l.client.Flush(ctx); err != nil {
		return "", fmt.Errorf("fill %s: %w", topic, err)
	}
	if failed != nil {
		return "", fmt.Errorf("fill %s: %w", topic, failed)
	}
	l.inputs[topic] = true
	return topic, nil
}
