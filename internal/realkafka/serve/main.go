// Command serve runs the tests' Apache Kafka for a person to try things on, at
// 127.0.0.1:9092, until it is interrupted. Its data are gone then. It is what
// "make kafka" runs, and nothing for real data.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/bankimport/bankimport/internal/realkafka"
)

const addr = "127.0.0.1:9092"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "bankimport-kafka-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := realkafka.Start(ctx, realkafka.Config{Dir: dir, Addr: addr})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Apache Kafka %s at %s, log in %s. Ctrl-C ends it, and its data are gone then.\n", realkafka.Version, b.Addr(), b.LogPath())
	<-ctx.Done()
	return b.Stop()
}
