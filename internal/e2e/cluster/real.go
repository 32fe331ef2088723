package cluster

import "github.com/bankimport/bankimport/internal/e2e/judge"

// Real is an Apache Kafka that the test has started itself, because it also kills
// it, or wants it with other settings.
func Real(brokers ...string) *Cluster {
	return &Cluster{Brokers: brokers, Real: true, follow: judge.FollowKcat}
}
