//go:build realkafka

package pipeline

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/realkafka/testbroker"
)

// broker is the one real broker that all tests of a run share. TestMain sets it.
var broker *testbroker.Broker

func TestMain(m *testing.M) { os.Exit(withBroker(m)) }

func withBroker(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bankimport-kafka-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if broker, err = testbroker.Start(context.Background(), testbroker.Config{Dir: dir}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stderr, "real Kafka on", broker.On())
	defer broker.Close()
	return m.Run()
}

func startKafka(*testing.T) []string { return []string{broker.Addr()} }

func startGuarded(t *testing.T, user, password string) guardedKafka {
	t.Helper()
	b, guarded := realkafka.GuardedForTest(t, password, user)
	return guardedKafka{addrs: []string{b.Addr()}, guarded: []string{guarded}}
}
