// Package localkafka is the Kafka inside the process: one broker on loopback
// that keeps everything in memory, for development and tests.
//
// It is no Kafka to run anything on. There is no disk, no replication and no
// login; old records are cleaned up once an hour at most, so memory grows with
// what is published; and all is gone when the process ends. Real deployments
// use Apache Kafka 4.x.
//
// It behaves like a broker with transaction.version 2 and without the delay
// that brokers put before a new group's first assignment.
package localkafka
