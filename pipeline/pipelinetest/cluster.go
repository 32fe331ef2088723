package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/pipeline"
)

const (
	partitions = 3
	// quiet is how long a topic must stay as it is to be taken for complete.
	quiet = 300 * time.Millisecond
)

// Cluster is a Kafka in memory that ends with its test. Whatever goes wrong with
// it fails the test.
type Cluster struct {
	tb     testing.TB
	addrs  []string
	client *kgo.Client
}

// NewCluster starts a Kafka with the inputs, outputs, dead letters and state
// topics of these stages.
func NewCluster(tb testing.TB, stages ...pipeline.Stage) *Cluster {
	tb.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		tb.Fatalf("start kafka: %v", err)
	}
	tb.Cleanup(fake.Close)
	c := &Cluster{tb: tb, addrs: fake.ListenAddrs()}
	if c.client, err = kgo.NewClient(kgo.SeedBrokers(c.addrs...)); err != nil {
		tb.Fatalf("kafka client: %v", err)
	}
	tb.Cleanup(c.client.Close)
	topics := map[string]bool{"dead-letters": true}
	for _, s := range stages {
		topics[s.Input], topics[pipeline.StateTopic("", "bankimport", s.Name)] = true, true
		for _, o := range s.Outputs {
			topics[o] = true
		}
	}
	for name := range topics {
		if _, err := kadm.NewClient(c.client).CreateTopic(context.Background(), partitions, 1, nil, name); err != nil {
			tb.Fatalf("create topic %s: %v", name, err)
		}
	}
	return c
}

// Options are those of a client of this cluster, for further clients of the test.
func (c *Cluster) Options() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(c.addrs...)} }

// Run runs a stage until the test ends or the function that it returns is
// called, which waits for it. A stage that ends by itself fails the test. With
// another prefix, group or topic of dead letters in its configuration, the test
// creates the topics.
func (c *Cluster) Run(stage pipeline.Stage, change ...func(*pipeline.Config)) (stop func()) {
	c.tb.Helper()
	cfg := pipeline.Config{KafkaOpts: c.Options()}
	for _, f := range change {
		f(&cfg)
	}
	runner, err := pipeline.NewRunner(stage, cfg)
	if err != nil {
		c.tb.Fatalf("stage %s: %v", stage.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stopped := false
	stop = func() {
		c.tb.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			c.tb.Errorf("stage %s: %v", stage.Name, err)
		}
	}
	c.tb.Cleanup(stop)
	return stop
}

// Publish writes a record and returns when Kafka has it. A nil key is no key.
func (c *Cluster) Publish(topic string, key, value []byte, headers ...pipeline.Header) {
	c.tb.Helper()
	r := &kgo.Record{Topic: topic, Key: key, Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if err := c.client.ProduceSync(c.tb.Context(), r).FirstErr(); err != nil {
		c.tb.Fatalf("publish to topic %s: %v", topic, err)
	}
}

// Collect returns the first n records that are committed on a topic, in order per
// partition. It fails the test if they do not come within half a minute, or if
// more come.
func (c *Cluster) Collect(topic string, n int) []pipeline.Record {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(append(c.Options(),
		kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))...)
	if err != nil {
		c.tb.Fatalf("kafka client: %v", err)
	}
	defer client.Close()
	var got []pipeline.Record
	for {
		wait, stop := ctx, func() {}
		if len(got) >= n {
			wait, stop = context.WithTimeout(ctx, quiet)
		}
		fetches := client.PollFetches(wait)
		stop()
		for _, r := range fetches.Records() {
			got = append(got, recordOf(r))
		}
		switch err := pollError(fetches); {
		case len(got) > n:
			c.tb.Fatalf("topic %s has %d records, want %d", topic, len(got), n)
		case wait.Err() != nil && len(got) == n:
			return got
		case ctx.Err() != nil:
			c.tb.Fatalf("topic %s has %d records, want %d", topic, len(got), n)
		case err != nil:
			c.tb.Fatalf("read topic %s: %v", topic, err)
		}
	}
}

func pollError(fetches kgo.Fetches) error {
	err := fetches.Err()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("poll: %w", err)
	}
	return nil
}

func recordOf(r *kgo.Record) pipeline.Record {
	rec := pipeline.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, pipeline.Header{Key: h.Key, Value: h.Value})
	}
	return rec
}
