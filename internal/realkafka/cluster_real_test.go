//go:build realkafka

package realkafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// With any one node gone, also the one that leads everything, acks=all writes
// and transactions go on, and nothing that was acknowledged is lost. A node
// that comes back is in sync again.
func TestCluster_OneNodeMayDie(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	began := time.Now()
	c := ClusterForTest(t)
	t.Logf("ready after %v", time.Since(began).Round(10*time.Millisecond))

	admin := kadm.NewClient(client(t, c.Brokers()))
	if _, err := admin.CreateTopic(ctx, 6, -1, nil, "facts"); err != nil {
		t.Fatal(err)
	}
	assertInSync(ctx, t, admin, "facts")
	configs, err := admin.DescribeTopicConfigs(ctx, "facts")
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range configs[0].Configs {
		if config.Key == "min.insync.replicas" && config.MaybeValue() != "2" {
			t.Errorf("got min.insync.replicas %q, want 2", config.MaybeValue())
		}
	}

	producer := client(t, c.Brokers()) // idempotent, acks=all
	transactional := client(t, c.Brokers(), kgo.TransactionalID("cluster"), kgo.TransactionTimeout(10*time.Second))
	var want []string
	write := func() {
		t.Helper()
		for range 20 {
			value := fmt.Sprint(len(want))
			if err := producer.ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatalf("write %s: %v", value, err)
			}
			want = append(want, value)
		}
		value := fmt.Sprint(len(want))
		transaction(ctx, t, transactional, value, kgo.TryCommit)
		want = append(want, value)
	}
	write()
	if err := c.AwaitInSync(ctx); err != nil { // internal topics too
		t.Fatal(err)
	}
	for i := range c.Brokers() {
		if err := c.Node(i).Kill(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		write()
		took := time.Since(began)
		t.Logf("node %d killed: 20 writes and a transaction took %v", i+1, took.Round(time.Millisecond))
		if took > 30*time.Second {
			t.Errorf("node %d killed: writing took %v, want some seconds", i+1, took)
		}
		began = time.Now()
		if err := c.Node(i).Restart(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("node %d in sync again after %v", i+1, time.Since(began).Round(time.Millisecond))
		assertInSync(ctx, t, admin, "facts")
	}
	assertRead(ctx, t, c.Brokers(), want)

	// All of them, and what was written is still there.
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	assertRead(ctx, t, c.Brokers(), want)
}

// A node that is asked to stop hands over first, and the rest goes on without
// it. Two nodes that died come back one after the other.
func TestCluster_StopsAndRestarts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := ClusterForTest(t)
	admin := kadm.NewClient(client(t, c.Brokers()))
	if _, err := admin.CreateTopic(ctx, 3, -1, nil, "facts"); err != nil {
		t.Fatal(err)
	}
	if err := c.Node(0).Restart(ctx); err == nil {
		t.Error("restart of a running node: got no error, want one")
	}
	if err := c.Node(2).Stop(); err != nil {
		t.Fatal(err)
	}
	if err := client(t, c.Brokers()).ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte("0")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitInSync(ctx); err == nil {
		t.Error("a node does not run: in sync, want an error")
	}
	if err := c.Node(1).Kill(); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{2, 1} {
		if err := c.Node(i).Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.AwaitInSync(ctx); err != nil {
		t.Fatal(err)
	}
	assertRead(ctx, t, c.Brokers(), []string{"0"})
}

// assertInSync checks that each partition has three replicas, all in sync.
func assertInSync(ctx context.Context, t *testing.T, admin *kadm.Client, topic string) {
	t.Helper()
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range topics[topic].Partitions.Sorted() {
		if len(p.Replicas) != 3 || len(p.ISR) != 3 {
			t.Errorf("%s/%d: got replicas %v, in sync %v, want three of each", topic, p.Partition, p.Replicas, p.ISR)
		}
	}
}

// assertRead checks that read_committed finds each value once.
func assertRead(ctx context.Context, t *testing.T, brokers []string, want []string) {
	t.Helper()
	reader := client(t, brokers, kgo.ConsumeTopics("facts"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	times := make(map[string]int)
	left := len(want)
	for left > 0 {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d values were not read: %v", left, len(want), ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			times[string(r.Value)]++
			left--
		})
	}
	for _, value := range want {
		if times[value] != 1 {
			t.Errorf("value %s: read %d times, want once", value, times[value])
		}
	}
}
