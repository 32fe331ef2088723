package kafkaconn_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/kafkaconn"
)

// Upstream, the engine and other teams write with other clients: the same key
// must be on the same partition whoever wrote it.
func TestWriter_PartitionsLikeKafka(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(12, "hints"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := kafkaconn.Config{Brokers: cluster.ListenAddrs()}

	w := cfg.Writer("hints", nil)
	defer w.Close()
	var messages []kafka.Message
	for i := range 200 {
		messages = append(messages, kafka.Message{Key: fmt.Appendf(nil, "key-%d", i), Value: []byte("x")})
	}
	if err := w.WriteMessages(ctx, messages...); err != nil {
		t.Fatal(err)
	}

	reader, err := kgo.NewClient(append(cfg.Options(), kgo.ConsumeTopics("hints"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	want := kgo.StickyKeyPartitioner(nil).ForTopic("hints")
	for got := 0; got < len(messages); {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got++
			if p := want.Partition(&kgo.Record{Key: r.Key}, 12); int(r.Partition) != p {
				t.Errorf("key %s: got partition %d, want %d", r.Key, r.Partition, p)
			}
		})
	}
}

func TestWriter_Reachable(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "hints"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := kafkaconn.Config{Brokers: cluster.ListenAddrs()}

	there, misspelt := cfg.Writer("hints", nil), cfg.Writer("hint", nil)
	defer there.Close()
	defer misspelt.Close()
	if err := there.Reachable(ctx); err != nil {
		t.Errorf("got %v, want it to be reachable", err)
	}
	if err := misspelt.Reachable(ctx); err == nil {
		t.Error("a topic that does not exist: got no error")
	}
	cluster.Close()
	if err := there.Reachable(ctx); err == nil {
		t.Error("without a broker: got no error")
	}
}

func TestWriter_GivesUpSoon(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "hints"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := kafkaconn.Config{Brokers: cluster.ListenAddrs()}
	w := cfg.Writer("hints", nil)
	defer w.Close()
	if err := w.WriteMessages(t.Context(), kafka.Message{Key: []byte("k")}); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	begin := time.Now()
	if err := w.WriteMessages(t.Context(), kafka.Message{Key: []byte("k")}); err == nil {
		t.Error("without a broker: got no error")
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to give up", took)
	}
}
