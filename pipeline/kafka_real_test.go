//go:build realkafka

package pipeline

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/bankimport/bankimport/internal/realkafka"
)

// broker is the one real broker that all tests of a run share. TestMain sets it.
var broker *realkafka.Broker

func TestMain(m *testing.M) { os.Exit(withBroker(m)) }

func withBroker(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bankimport-kafka-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if broker, err = realkafka.Start(context.Background(), realkafka.Config{Dir: dir}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer broker.Stop()
	return m.Run()
}

func startKafka(*testing.T) []string { return []string{broker.Addr()} }
