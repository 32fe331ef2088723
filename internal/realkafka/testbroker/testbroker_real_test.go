//go:build realkafka

package testbroker

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/realkafka"
)

// Whatever it runs on, it takes transactions, keeps its data over SIGKILL and
// over a stop, and stays where it was.
func TestBroker_KilledStoppedRestarted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := ForTest(t)
	if selected := os.Getenv(realkafka.KafkaVariable); selected == "docker" && !strings.Contains(b.On(), "Docker container") {
		t.Errorf("runs on %s, want a Docker container", b.On())
	}
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(ctx, 1, 1, nil, "facts"); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(ctx); err == nil {
		t.Error("restart of a running broker: got no error, want one")
	}

	commit(ctx, t, b, "before")
	for _, end := range []struct {
		name string
		do   func() error
	}{{"kill", b.Kill}, {"stop", b.Stop}, {"second stop", b.Stop}} {
		began := time.Now()
		if err := end.do(); err != nil {
			t.Fatalf("%s: %v", end.name, err)
		}
		if err := client(t, b).Ping(ctx); err == nil {
			t.Errorf("it answers after: %s", end.name)
		}
		if end.name == "stop" {
			continue
		}
		ended := time.Since(began)
		if err := b.Restart(ctx); err != nil {
			t.Fatalf("restart after %s: %v", end.name, err)
		}
		t.Logf("%s took %v, restart %v", end.name, ended.Round(time.Millisecond), (time.Since(began) - ended).Round(time.Millisecond))
		commit(ctx, t, b, "after "+end.name)
	}

	reader := client(t, b, kgo.ConsumeTopics("facts"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	var got []string
	for len(got) < 3 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read after %q: %v", got, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if want := []string{"before", "after kill", "after second stop"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read_committed: got %q, want %q", got, want)
	}
	if log, err := os.ReadFile(b.LogPath()); err != nil || strings.Count(string(log), "Kafka Server started") != 3 {
		t.Errorf("got error %v and a log of %d bytes, want one with three starts", err, len(log))
	}
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func commit(ctx context.Context, t *testing.T, b *Broker, value string) {
	t.Helper()
	cl := client(t, b, kgo.TransactionalID("testbroker"), kgo.TransactionTimeout(10*time.Second))
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatalf("produce %q: %v", value, err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatalf("commit %q: %v", value, err)
	}
}
