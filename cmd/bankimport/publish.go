package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/schemas"
)

// publish writes one event with kafka-go, as an upstream service does, and
// returns when all in-sync replicas have it. Written twice it is harmless: the
// first stage remembers ids.
func publish(ctx context.Context, conn kafkaconn.Config, prefix string, e schemas.Event) error {
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "cli", Time: time.Now()})
	if err != nil {
		return err
	}
	m := kafka.Message{Key: []byte(e.Key()), Value: value}
	for _, h := range headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	topic := prefix + e.Topic()
	w := conn.Writer(topic, nil)
	if err := w.WriteMessages(ctx, m); err != nil {
		w.Close()
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return fmt.Errorf("topic %s does not exist; create it with bankimport topics apply", topic)
		}
		return fmt.Errorf("publish to topic %s: %w", topic, err)
	}
	return w.Close()
}
