package e2e_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
)

// upstream stands for the services that ask for imports. They are kafka-go
// producers without transactions: what they write may be there twice.
type upstream struct {
	t *testing.T
	w *kafka.Writer
}

func newUpstream(t *testing.T, brokers []string, prefix string) *upstream {
	t.Helper()
	w := &kafka.Writer{
		Addr:         kafka.TCP(brokers...),
		Topic:        prefix + "import-requested",
		Balancer:     kafka.Murmur2Balancer{Consistent: true},
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond,
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close upstream's writer: %v", err)
		}
	})
	return &upstream{t, w}
}

// publish returns when the cluster has them all.
func (u *upstream) publish(ctx context.Context, messages ...kafka.Message) {
	u.t.Helper()
	if err := u.w.WriteMessages(ctx, messages...); err != nil {
		u.t.Fatalf("publish %d requests: %v", len(messages), err)
	}
}

// request makes the message that asks for an import.
func request(t *testing.T, importID string, body map[string]any) kafka.Message {
	t.Helper()
	value, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return kafka.Message{Key: []byte(importID), Value: value}
}

// withHeaders adds what an upstream writes that follows CloudEvents. Headers
// may be left out, so the tests ask in both ways.
func withHeaders(m kafka.Message) kafka.Message {
	for name, value := range map[string]string{
		"ce_specversion": "1.0",
		"ce_id":          uuid.NewString(),
		"ce_type":        "bankimport.import-requested.v1",
		"ce_source":      "/upstream",
		"ce_subject":     string(m.Key),
		"ce_time":        time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"content-type":   "application/json",
		"traceparent":    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		m.Headers = append(m.Headers, kafka.Header{Key: name, Value: []byte(value)})
	}
	return m
}
