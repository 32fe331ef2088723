package realkafka

import (
	"context"
	"os"
	"testing"
	"time"
)

// startLimit is generous: a shared machine may take many times the usual two
// seconds.
const startLimit = 3 * time.Minute

// ForTest starts a broker that is stopped when the test ends. A test that
// cannot have one fails. When a test has failed, the broker's directory stays
// (configuration, data and log) and the test says where.
func ForTest(tb testing.TB) *Broker {
	tb.Helper()
	// Not tb.TempDir: that would take the log of a failed test away.
	dir, err := os.MkdirTemp("", "bankimport-kafka-")
	if err != nil {
		tb.Fatalf("start Kafka: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("Kafka's configuration, data and log are kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove Kafka's directory: %v", err)
		}
	})

	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	b, err := Start(ctx, Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return b
}
