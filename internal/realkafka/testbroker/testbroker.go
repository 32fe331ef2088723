// Package testbroker gives a test one real Apache Kafka broker: a container
// where a Docker engine answers, else a bare process from the jars. The setting
// BANKIMPORT_TEST_KAFKA=docker or =jars asks for one of them, and then nothing
// else will do.
package testbroker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/realkafka/docker"
)

// startLimit is generous: an image may have to be pulled.
const startLimit = 5 * time.Minute

// Config says where a broker has its place.
type Config struct {
	// Dir takes its log, and a process's configuration and data. Required; its
	// owner removes it.
	Dir string
	// Properties are added to the server's, or replace them.
	Properties map[string]string
	// Lifetime after which a container is killed should this process have died.
	// Default: 2 hours. A process dies with this one.
	Lifetime time.Duration
	// Getenv reads the environment. Default: os.Getenv.
	Getenv func(string) string
}

// broker is what a container and a process have in common.
type broker interface {
	Addr() string
	LogPath() string
	Kill() error
	Restart(context.Context) error
	Stop() error
}

// Broker is one Kafka node. Addr and LogPath stay the same for its life; Kill
// ends it with SIGKILL, Stop asks it to end, Restart starts it again on its
// data and returns when it is ready. Not for concurrent use.
type Broker struct {
	broker
	on    string
	close func() error
}

// On says in words what it runs on.
func (b *Broker) On() string { return b.on }

// Close ends the broker and removes the container, where it is one. Its
// directory stays.
func (b *Broker) Close() error { return b.close() }

// Start starts the broker that the environment asks for and returns when it is
// ready. On an error nothing is left running.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	switch selected := cfg.Getenv(realkafka.KafkaVariable); selected {
	case "docker":
		return inDocker(ctx, cfg)
	case "jars":
		return fromJars(ctx, cfg, "")
	case "real", "", "kfake": // who asks here wants a real one
		b, err := inDocker(ctx, cfg)
		if errors.Is(err, errNoEngine) {
			return fromJars(ctx, cfg, ", as "+err.Error())
		}
		return b, err
	default:
		return nil, fmt.Errorf("%s=%q: want docker, jars or real", realkafka.KafkaVariable, selected)
	}
}

var errNoEngine = errors.New("there is no Docker")

func inDocker(ctx context.Context, cfg Config) (*Broker, error) {
	pool, err := docker.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEngine, err)
	}
	b, err := docker.Start(ctx, pool, docker.Config{
		Dir: cfg.Dir, Properties: cfg.Properties, Lifetime: cfg.Lifetime, Getenv: cfg.Getenv,
	})
	if err != nil {
		return nil, err
	}
	return &Broker{broker: b, on: b.String(), close: func() error { return errors.Join(b.Stop(), b.Close()) }}, nil
}

func fromJars(ctx context.Context, cfg Config, why string) (*Broker, error) {
	b, err := realkafka.Start(ctx, realkafka.Config{Dir: cfg.Dir, Properties: cfg.Properties, Getenv: cfg.Getenv})
	if err != nil {
		return nil, err
	}
	return &Broker{broker: b, on: "a process of the jars of " + realkafka.Version + why, close: b.Stop}, nil
}

// ForTest starts a broker that is gone when the test ends. A test that cannot
// have one fails. It logs what the broker runs on. When the test has failed, the
// broker's log stays and the test says where.
func ForTest(tb testing.TB) *Broker {
	tb.Helper()
	cfg := Config{Dir: realkafka.DirForTest(tb)}
	if t, ok := tb.(*testing.T); ok {
		if deadline, ok := t.Deadline(); ok {
			cfg.Lifetime = time.Until(deadline) + time.Minute
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	began := time.Now()
	b, err := Start(ctx, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Logf("Kafka is %s, ready after %v", b.On(), time.Since(began).Round(10*time.Millisecond))
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}
