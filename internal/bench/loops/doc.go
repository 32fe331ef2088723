// Package loops has the contestants of the benchmark that need nothing but
// this module: the engine, and what people write without it. Each is written as
// well as it can be without changing what it is; so all clients of franz-go have
// the engine's options against long waits.
package loops

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// All are the contestants by name.
func All() map[string]contest.Loop {
	return map[string]contest.Loop{
		"engine":           Engine,
		"stages":           Stages,
		"pages":            Pages,
		"raw-pages":        RawPages,
		"at-least-once":    AtLeastOnce,
		"transact-session": TransactSession,
		"kafka-go":         KafkaGo,
		"kafka-go-tuned":   KafkaGoTuned,
	}
}

// options keep a client of franz-go from waiting longer than it must. With its
// defaults, transactions that follow each other closely cost seconds on Kafka 4.
func options(t contest.Task, more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(t.Brokers...),
		kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.ConcurrentTransactionsBackoff(2 * time.Millisecond),
		kgo.RetryBackoffFn(func(try int) time.Duration { return min(5*time.Millisecond<<min(try, 10), 500*time.Millisecond) }),
		kgo.MaxBufferedRecords(1 << 20),
		kgo.ProducerLinger(0),
	}, more...)
}

// member are the options of a group's member that reads the input from its start.
func member(t contest.Task, more ...kgo.Opt) []kgo.Opt {
	return options(t, append([]kgo.Opt{
		kgo.ConsumerGroup(t.Group),
		kgo.ConsumeTopics(t.Input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, more...)...)
}
