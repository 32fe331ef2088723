package pipeline

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config is how a [Runner] runs its stage. Zero values mean the defaults.
type Config struct {
	// KafkaOpts go to every Kafka client: seed brokers, TLS, SASL, dialer,
	// logger, hooks. Required (there is no default broker).
	KafkaOpts []kgo.Opt
	// Hooks, where set, makes the hooks of one client: it is called with
	// "consumer" or "producer" each time the stage makes one, after the one
	// before it is closed. They must not keep records: the memory of one that
	// was consumed is used again.
	Hooks func(stage, client string) []kgo.Hook
	// TopicPrefix goes before every topic, consumer group and transactional id.
	TopicPrefix string
	// Group goes before the stage's name in the consumer group, the
	// transactional id and the state topic. Default "bankimport".
	Group string
	// InstanceID makes membership static: a process that is killed and started
	// again is back at once. It must be unique among the processes of a stage.
	// Empty: a random one per start, and what a killed predecessor held is
	// free only after SessionTimeout.
	InstanceID string
	// DeadLetterTopic takes what the engine gave up on. Default "dead-letters".
	DeadLetterTopic string

	// MaxInFlight bounds the records admitted at once, and separately the
	// timers. Each admitted trigger that is the first of its key is handled
	// at once, in a goroutine of its own. Default 1,000.
	MaxInFlight int
	// MaxInFlightBytes bounds keys, values and headers of the admitted
	// records. One fetch may go over it. Default 64 MiB.
	MaxInFlightBytes int64
	// MaxResultBytes bounds what results take that wait for their commit. No
	// handler is called while another result of the usual size would not fit,
	// unless nothing else goes on. What is usual is judged by the results before,
	// so the first ones after a start may go over it. Default 64 MiB.
	MaxResultBytes int64
	// MaxStateBytes bounds the state of all partitions held, about 250 bytes a
	// key and what it holds. A stage whose state does not fit does not start; one that
	// has started goes on, with a warning every hour, also with what it takes over
	// from one that has ended. Default 1 GiB.
	MaxStateBytes int64
	// RetryBudget is how long a trigger is retried before the engine gives
	// up on it, not counting time in which the handler said Unavailable.
	// Default 15 min.
	RetryBudget time.Duration
	// StateRetention is how long the state of a key without a timer is kept
	// after its last change, and the furthest a timer may be set. The state
	// topic must keep its records longer. Default 30 days.
	StateRetention time.Duration
	// DrainTimeout bounds how long a partition that is taken away, or a
	// shutdown, waits for running handlers and their commit; at two thirds
	// of it the handlers' context is cancelled. Default 10 s.
	DrainTimeout time.Duration
	// CommitInterval is the least time between the starts of two commits.
	// Default 5 ms; a negative value means none.
	CommitInterval time.Duration
	// TransactionTimeout is after how long the broker aborts a transaction
	// that is not ended. Default 10 s.
	TransactionTimeout time.Duration
	// SessionTimeout is after how long the broker gives the partitions of a
	// silent member to others. Default 12 s.
	SessionTimeout time.Duration

	// Logger takes the engine's log. Default: none.
	Logger *slog.Logger
	// Metrics, where set, are kept up to date. One Metrics serves any number of runners.
	Metrics *Metrics
	// Committed, where set, is called after each commit with the events it
	// published, in no particular order of keys. It must not block, and asks for
	// the events before it returns.
	Committed func(stage string, events iter.Seq[Event])
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.RetryBudget, 15*time.Minute)
	def(&c.StateRetention, 30*24*time.Hour)
	def(&c.DrainTimeout, 10*time.Second)
	def(&c.CommitInterval, 5*time.Millisecond)
	def(&c.TransactionTimeout, 10*time.Second)
	def(&c.SessionTimeout, 12*time.Second)
	if c.Group == "" {
		c.Group = "bankimport"
	}
	if c.DeadLetterTopic == "" {
		c.DeadLetterTopic = "dead-letters"
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 1000
	}
	if c.MaxInFlightBytes == 0 {
		c.MaxInFlightBytes = 64 << 20
	}
	if c.MaxResultBytes == 0 {
		c.MaxResultBytes = 64 << 20
	}
	if c.MaxStateBytes == 0 {
		c.MaxStateBytes = 1 << 30
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(len(c.KafkaOpts) == 0, "KafkaOpts is empty: name at least the brokers")
	wrong(len(c.InstanceID) > 64, "InstanceID has %d characters, at most 64 are possible", len(c.InstanceID))
	wrong(!validInstance(c.InstanceID), "InstanceID may hold letters, digits, '.', '_' and '-' only")
	wrong(c.MaxInFlight < 1 || c.MaxInFlight > 100_000, "MaxInFlight is %d, want 1 to 100,000", c.MaxInFlight)
	wrong(c.MaxInFlightBytes < 1, "MaxInFlightBytes is %d, want at least 1", c.MaxInFlightBytes)
	wrong(c.MaxResultBytes < 1, "MaxResultBytes is %d, want at least 1", c.MaxResultBytes)
	wrong(c.MaxStateBytes < 1, "MaxStateBytes is %d, want at least 1", c.MaxStateBytes)
	wrong(c.RetryBudget < 0, "RetryBudget is negative")
	wrong(c.StateRetention < time.Hour, "StateRetention is %s, want at least an hour", c.StateRetention)
	wrong(c.DrainTimeout < 0, "DrainTimeout is negative")
	wrong(c.TransactionTimeout < time.Second, "TransactionTimeout is %s, want at least 1s", c.TransactionTimeout)
	wrong(c.SessionTimeout < c.TransactionTimeout, "SessionTimeout (%s) is below TransactionTimeout (%s): a dead member's transaction would outlive it", c.SessionTimeout, c.TransactionTimeout)
	return errors.Join(errs...)
}

func validInstance(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return true
}
