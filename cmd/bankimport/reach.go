package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/kafkaconn"
)

// reachTimeout bounds how long a short command waits for the cluster, where a
// test does not say otherwise.
const reachTimeout = 15 * time.Second

// cluster is what a short command needs of the configuration.
func (a *app) cluster() (config.Config, kafkaconn.Config, error) {
	cfg, err := config.Load(a.environ, config.NeedKafka)
	if err != nil {
		return config.Config{}, kafkaconn.Config{}, err
	}
	conn, err := cfg.Kafka.Connect()
	return cfg, conn, err
}

// reaching returns the context in which the cluster must have answered, and an
// option for clients of franz-go: what they wait for does not end with the
// context of the call, so they end with reach until reached is called, and after
// that the given time after ctx. Calling reached twice is harmless.
func (a *app) reaching(ctx context.Context, after time.Duration) (reach context.Context, client kgo.Opt, reached func()) {
	reach, cancel := context.WithTimeout(ctx, a.reach)
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(reach, end)
	context.AfterFunc(ctx, func() { time.AfterFunc(after, end) })
	return reach, kgo.WithContext(life), func() {
		stop()
		cancel()
	}
}

// unreachable says what to do about a cluster that could not be asked.
func (a *app) unreachable(ctx, reach context.Context, err error, cfg config.Config) error {
	const next = "start bankimport dev, or set BANKIMPORT_KAFKA_BROKERS"
	brokers := strings.Join(cfg.Kafka.Brokers, ",")
	var network *net.OpError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.Is(reach.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer from Kafka at %s within %s: %s", brokers, a.reach, next)
	case errors.As(err, &network):
		return fmt.Errorf("no Kafka at %s (%w): %s", brokers, network.Err, next)
	default:
		return fmt.Errorf("the Kafka at %s: %w", brokers, err)
	}
}
