package main

import (
	"context"
	"strings"
	"testing"
	"time"

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
