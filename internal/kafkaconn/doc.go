// Package kafkaconn says how to reach the Kafka cluster: addresses, TLS, login.
// It turns one [Config] into the options of franz-go, which the engine uses,
// and into the transport of kafka-go, which the edges use, so that both
// connect in the same way.
//
// It opens no connection itself and decides nothing about producing or
// consuming.
package kafkaconn
