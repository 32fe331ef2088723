// Package cluster gives a test the Kafka that it runs on: the embedded kfake,
// or, with BANKIMPORT_TEST_KAFKA=real, docker or jars, an Apache Kafka broker. One
// test text serves both. With each comes the judge that fits it: sarama, or librdkafka.
package cluster

import (
	"os"
	"testing"

	"github.com/bankimport/bankimport/internal/e2e/judge"
	"github.com/bankimport/bankimport/internal/localkafka"
	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/realkafka/testbroker"
)

// Cluster is a Kafka that lives as long as its test.
type Cluster struct {
	// Brokers are addresses on loopback.
	Brokers []string
	// Real says that it is Apache Kafka.
	Real bool

	follow func(judge.Config) (*judge.Log, error)
}

// ForTest starts a cluster that ends with the test.
func ForTest(tb testing.TB) *Cluster {
	tb.Helper()
	switch selected := os.Getenv(realkafka.KafkaVariable); selected {
	case "real", "docker", "jars":
		return &Cluster{
			Brokers: []string{testbroker.ForTest(tb).Addr()},
			Real:    true,
			follow:  judge.FollowKcat,
		}
	case "", "kfake":
		fake, err := localkafka.Start(localkafka.Config{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(fake.Close)
		return &Cluster{Brokers: []string{fake.Addr()}, follow: judge.FollowSarama}
	default:
		tb.Fatalf("%s=%q: want real, docker, jars, kfake or nothing (kfake)", realkafka.KafkaVariable, selected)
		return nil
	}
}

// Judge follows the topics from their beginning until the test ends.
func (c *Cluster) Judge(tb testing.TB, prefix string, topics ...string) *judge.Log {
	tb.Helper()
	log, err := c.follow(judge.Config{Brokers: c.Brokers, Prefix: prefix, Topics: topics})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(log.Close)
	return log
}
