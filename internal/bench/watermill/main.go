// Command watermill is watermill-kafka as a contestant of the benchmark: a
// router with one handler that copies its input. It is a module of its own, so
// that nothing else depends on watermill.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := contest.Run(ctx, os.Stdin, os.Stdout, loop); err != nil {
		fmt.Fprintln(os.Stderr, "watermill:", err)
		os.Exit(1)
	}
}

// loop handles one message of each partition after the other: watermill takes
// the next one when the last one is acknowledged.
func loop(ctx context.Context, t contest.Task, m *contest.Meter) error {
	from := kafka.DefaultSaramaSubscriberConfig()
	from.Consumer.Offsets.Initial = sarama.OffsetOldest
	subscriber, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers: t.Brokers, ConsumerGroup: t.Group, Unmarshaler: kafka.DefaultMarshaler{}, OverwriteSaramaConfig: from,
	}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	publisher, err := kafka.NewPublisher(kafka.PublisherConfig{
		Brokers: t.Brokers, Marshaler: kafka.DefaultMarshaler{},
	}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	router.AddHandler("copy", t.Input, subscriber, t.Output, counted{publisher, m}, func(msg *message.Message) ([]*message.Message, error) {
		partition, _ := kafka.MessagePartitionFromCtx(msg.Context())
		offset, _ := kafka.MessagePartitionOffsetFromCtx(msg.Context())
		if !t.Latency.Wait(msg.Context(), partition, offset) {
			return nil, context.Cause(msg.Context())
		}
		return []*message.Message{msg}, nil
	})
	return router.Run(ctx)
}

// counted counts what is published. Its offset is committed some time later.
type counted struct {
	message.Publisher
	meter *contest.Meter
}

// Publish implements [message.Publisher].
func (c counted) Publish(topic string, messages ...*message.Message) error {
	if err := c.Publisher.Publish(topic, messages...); err != nil {
		return err
	}
	c.meter.Add(len(messages))
	return nil
}
