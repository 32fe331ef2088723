package kafkaconn

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
)

// How hard a writer tries. A record is given up after about 3.5 s, so that who
// waits for it can say so, and so that little waits behind it.
const (
	writeAttempts = 3
	writeTimeout  = time.Second // of one attempt
	backoffLeast  = 50 * time.Millisecond
	backoffMost   = 250 * time.Millisecond
	// The default batches for a second before it sends anything.
	batchWait = 2 * time.Millisecond
	// The layout of the cluster is this old at most: a partition whose leader
	// has moved cannot be written until the new one is known.
	layoutAge = 2 * time.Second
)

// Writer is a producer of kafka-go for one topic. It is safe for concurrent
// use; one that is shared batches what arrives together.
type Writer struct {
	*kafka.Writer
	transport *kafka.Transport
}

// Writer returns a writer for the topic, given with its prefix. What it has
// accepted is on all in-sync replicas, on the partition that Kafka's own
// partitioner gives its key; it may be there twice. Nothing is connected yet.
// The logger may be nil. The caller closes the writer.
func (c Config) Writer(topic string, logger *slog.Logger) *Writer {
	transport := c.Transport(topic)
	transport.MetadataTTL = layoutAge
	w := &kafka.Writer{
		Addr:      c.Addr(),
		Topic:     topic,
		Transport: transport,
		// Everything below that is not a time is a rule: without it keys land on
		// other partitions than with other clients, or a lost broker loses what
		// was acknowledged.
		Balancer:        kafka.Murmur2Balancer{Consistent: true},
		RequiredAcks:    kafka.RequireAll,
		BatchTimeout:    batchWait,
		MaxAttempts:     writeAttempts,
		WriteTimeout:    writeTimeout,
		ReadTimeout:     writeTimeout,
		WriteBackoffMin: backoffLeast,
		WriteBackoffMax: backoffMost,
	}
	if logger != nil {
		w.ErrorLogger = kafka.LoggerFunc(func(format string, args ...any) {
			logger.Warn("kafka writer", "says", fmt.Sprintf(format, args...))
		})
	}
	return &Writer{Writer: w, transport: transport}
}

// Reachable asks a broker something, and returns nil when it answers and the
// topic is there. It serves as a readiness check.
func (w *Writer) Reachable(ctx context.Context) error {
	client := &kafka.Client{Addr: w.Addr, Transport: w.transport}
	// The topic is answered from what the transport remembers, also while the
	// brokers are away; the versions are not.
	versions, err := client.ApiVersions(ctx, &kafka.ApiVersionsRequest{Addr: w.Addr})
	if err == nil {
		err = versions.Error
	}
	if err != nil {
		return fmt.Errorf("reach Kafka at %s: %w", w.Addr, err)
	}
	layout, err := client.Metadata(ctx, &kafka.MetadataRequest{Addr: w.Addr, Topics: []string{w.Topic}})
	if err != nil {
		return fmt.Errorf("reach Kafka at %s: %w", w.Addr, err)
	}
	for _, t := range layout.Topics {
		if t.Name == w.Topic && t.Error != nil {
			return fmt.Errorf("topic %s: %w", w.Topic, t.Error)
		}
	}
	return nil
}

// Close waits for the records that were accepted, some seconds where the
// brokers do not answer, and closes the connections.
func (w *Writer) Close() error {
	err := w.Writer.Close()
	w.transport.CloseIdleConnections()
	return err
}
