package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/freeport"
)

// asking are the commands that ask a cluster and end.
func asking() []string {
	return []string{
		"import --user u", "import --user u --wait", "import --user u -o json --wait", "watch",
		"watch 7f3a0c1e-5b1d-4c62-8e0f-0a1b2c3d91c2", "topics plan", "topics apply",
	}
}

func brokers(addr string) []string { return []string{"BANKIMPORT_KAFKA_BROKERS=" + addr} }

// TestNoKafka: nothing listens there.
func TestNoKafka(t *testing.T) {
	t.Parallel()
	addrs, err := freeport.Addrs(1)
	if err != nil {
		t.Fatal(err)
	}
	addr := addrs[0]
	for _, args := range asking() {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			got := call(t, brokers(addr), strings.Fields(args)...)
			got.check(t, exitFailed, "no Kafka at "+addr+" (connect: connection refused)", "start bankimport dev, or set BANKIMPORT_KAFKA_BROKERS")
			if got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got stdout %q and stderr %q, want one line on stderr", got.stdout, got.stderr)
			}
		})
	}
}

// TestReaching: clients end with the time to reach the cluster, and later as long after
// the interrupt as was asked for: a redrive ends its transaction then.
func TestReaching(t *testing.T) {
	t.Parallel()
	life := func(reach, after time.Duration, reached bool) (client context.Context, interrupt func()) {
		ctx, interrupt := context.WithCancel(t.Context())
		_, opt, hasReached := (&app{reach: reach}).reaching(ctx, after)
		cl, err := kgo.NewClient(opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		if reached {
			hasReached()
		}
		return cl.Context(), interrupt
	}
	ends := func(client context.Context) {
		t.Helper()
		select {
		case <-client.Done():
		case <-time.After(patience):
			t.Error("the client does not end")
		}
	}
	client, interrupt := life(time.Millisecond, time.Hour, false)
	ends(client)
	interrupt()

	client, interrupt = life(time.Hour, time.Hour, false)
	interrupt()
	ends(client)

	client, interrupt = life(time.Hour, 0, true)
	interrupt()
	ends(client)

	client, interrupt = life(time.Hour, 100*time.Millisecond, true)
	began := time.Now()
	interrupt()
	ends(client)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("the client has ended %v after the interrupt, want 100ms", took)
	}
}

// TestSilentKafka: something listens there and never answers.
func TestSilentKafka(t *testing.T) {
	t.Parallel()
	addr := listening(t)
	for _, args := range asking() {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var stdout, stderr strings.Builder
			a := &app{environ: brokers(addr), stdout: &stdout, stderr: &stderr, reach: 100 * time.Millisecond}
			code := a.run(ctx, strings.Fields(args))
			ended{code, stdout.String(), stderr.String()}.check(t, exitFailed, "no answer from Kafka at "+addr+" within 100ms", "set BANKIMPORT_KAFKA_BROKERS")
		})
		t.Run(args+", interrupted", func(t *testing.T) {
			t.Parallel()
			s := start(t, brokers(addr), strings.Fields(args)...)
			s.interrupt(t).check(t, exitInterrupted)
		})
	}
}
