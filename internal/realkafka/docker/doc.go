// Package docker runs one Apache Kafka broker for tests in a container, by way
// of dockertest. Tests that take any real broker ask package testbroker, which
// decides between this and a bare process; nothing that is shipped imports it.
//
// The image behaves like apache/kafka: KAFKA_A_B=c of its environment becomes
// the property a.b=c. Where none can be pulled, ../image builds one.
package docker
