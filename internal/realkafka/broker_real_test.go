//go:build realkafka

package realkafka

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A transaction that was committed survives the broker's kill -9; one that was
// open when the broker died is never seen. The address stays.
func TestBroker_KilledAndRestarted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := ForTest(t)
	createTopic(t, b.Addr(), "facts")

	producer := client(t, []string{b.Addr()}, kgo.TransactionalID("killed-and-restarted"), kgo.TransactionTimeout(10*time.Second))
	transaction(ctx, t, producer, "committed", kgo.TryCommit)
	transaction(ctx, t, producer, "aborted", kgo.TryAbort)
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte("left open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}

	before := b.PID()
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if after := b.PID(); after == before {
		t.Errorf("got process %d again, want another", after)
	}

	// A new producer of the same id ends what the first one left open.
	successor := client(t, []string{b.Addr()}, kgo.TransactionalID("killed-and-restarted"), kgo.TransactionTimeout(10*time.Second))
	transaction(ctx, t, successor, "last", kgo.TryCommit)

	reader := client(t, []string{b.Addr()}, kgo.ConsumeTopics("facts"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	var got []string
	for len(got) == 0 || got[len(got)-1] != "last" {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read after %q: %v", got, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if want := []string{"committed", "last"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read_committed: got %q, want %q", got, want)
	}
}

func TestBroker_StopsAndLeavesItsLog(t *testing.T) {
	b := ForTest(t)
	if err := b.Restart(t.Context()); err == nil {
		t.Error("restart of a running broker: got no error, want one")
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
	log, err := os.ReadFile(b.LogPath())
	if err != nil || len(log) == 0 {
		t.Errorf("got a log of %d bytes and error %v, want what the broker said", len(log), err)
	}
}

func client(t *testing.T, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, addr, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, []string{addr})).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

func transaction(ctx context.Context, t *testing.T, cl *kgo.Client, value string, end kgo.TransactionEndTry) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatalf("produce %q: %v", value, err)
	}
	if err := cl.EndTransaction(ctx, end); err != nil {
		t.Fatalf("end the transaction of %q: %v", value, err)
	}
}
