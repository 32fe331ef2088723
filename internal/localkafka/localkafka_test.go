package localkafka_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/localkafka"
)

func start(t *testing.T, cfg localkafka.Config) *localkafka.Kafka {
	t.Helper()
	k, err := localkafka.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func client(t *testing.T, k *localkafka.Kafka, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Addr()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// What the engine checks before it starts must be there: transactions of
// version 2; and a topic can be created with the broker's own replication.
func TestStart_HasWhatTheEngineNeeds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	k := start(t, localkafka.Config{})
	cl := client(t, k, kgo.TransactionalID("test"), kgo.TransactionTimeout(10*time.Second))
	adm := kadm.NewClient(cl)

	versions, err := adm.ApiVersions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(versions) != 1 {
		t.Errorf("got %d brokers, want 1", len(versions))
	}
	for _, v := range versions {
		level := int16(-1)
		for _, f := range v.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" {
				level = f.MaxVersionLevel
			}
		}
		if level < 2 {
			t.Errorf("got transaction.version %d, want 2 or more", level)
		}
	}

	created, err := adm.CreateTopic(ctx, 3, -1, nil, "facts")
	if err != nil || created.Err != nil {
		t.Fatal(err, created.Err)
	}
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}

	if err := client(t, k).ProduceSync(ctx, &kgo.Record{Topic: "misspelt", Value: []byte("x")}).FirstErr(); err == nil {
		t.Error("a topic that nobody created was written to")
	}
}

// A killed member is missed after a session shorter than Kafka allows.
func TestStart_AllowsShortSessions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	k := start(t, localkafka.Config{})
	if _, err := kadm.NewClient(client(t, k)).CreateTopic(ctx, 1, 1, nil, "facts"); err != nil {
		t.Fatal(err)
	}
	assigned := make(chan struct{})
	client(t, k, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("facts"),
		kgo.SessionTimeout(time.Second), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { close(assigned) }))
	select {
	case <-assigned:
	case <-ctx.Done():
		t.Error("the member got no partition")
	}
}

func TestStart_UsesTheGivenListener(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := start(t, localkafka.Config{Listener: listener})
	if got, want := k.Addr(), listener.Addr().String(); got != want {
		t.Errorf("got address %s, want %s", got, want)
	}
	brokers, err := kadm.NewClient(client(t, k)).ListBrokers(t.Context())
	if err != nil || len(brokers) != 1 || int(brokers[0].Port) != listener.Addr().(*net.TCPAddr).Port {
		t.Errorf("got brokers %+v, %v; want the one at %s", brokers, err, listener.Addr())
	}

	k.Close()
	k.Close()
	again, err := net.Listen("tcp", k.Addr())
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	again.Close()
}

func TestStart_RefusesOtherHosts(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4zero, Port: 9092}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9092}, &net.UnixAddr{Name: "kafka.sock"},
	} {
		k, err := localkafka.Start(localkafka.Config{Listener: elsewhere{listener, addr}})
		if err == nil {
			k.Close()
			t.Errorf("%s: got no error", addr)
		} else if !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: got %q, want it to say why", addr, err)
		}
	}
	if _, err := listener.Accept(); err == nil {
		t.Error("the listener that was refused is still open")
	}
}

// elsewhere says that it listens on another address.
type elsewhere struct {
	net.Listener
	addr net.Addr
}

func (e elsewhere) Addr() net.Addr { return e.addr }
