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

// ForTest starts a broker from the jars, whatever [KafkaVariable] says, that is
// stopped when the test ends. A test that cannot have one fails. When a test
// has failed, the broker's directory stays (configuration, data and log) and
// the test says where.
//
// Tests that take any real broker call testbroker.ForTest.
func ForTest(tb testing.TB) *Broker {
	tb.Helper()
	return startForTest(tb, Config{})
}

func startForTest(tb testing.TB, cfg Config) *Broker {
	tb.Helper()
	cfg.Dir = DirForTest(tb)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	b, err := Start(ctx, cfg)
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

// ClusterForTest starts three nodes that are killed when the test ends. For the
// rest it is as [ForTest].
func ClusterForTest(tb testing.TB) *Cluster {
	tb.Helper()
	cfg := Config{Dir: DirForTest(tb)}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c, err := StartCluster(ctx, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// DirForTest makes a directory that goes away with the test, unless the test
// fails: then it stays and the test says where. A broker that is to use it is
// stopped in a cleanup registered later.
func DirForTest(tb testing.TB) string {
	tb.Helper()
	// Not tb.TempDir: that would take the log of a failed test away.
	dir, err := os.MkdirTemp("", "bankimport-kafka-")
	if err != nil {
		tb.Fatalf("start Kafka: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("what Kafka has left (configuration, data, log) is kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove Kafka's directory: %v", err)
		}
	})
	return dir
}
