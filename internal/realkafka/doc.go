// Package realkafka runs one Apache Kafka broker for tests, as a bare Java
// process from its jars, on loopback, with its data in a directory that goes
// away afterwards.
//
// The embedded kfake proves logic; only this proves a broker: transactions as
// the broker really commits them, its coordinators, its log. Tests that need
// it call [ForTest]. Such a test fails where the broker cannot run (no Java,
// no jars); it never skips.
//
// It is deliberately not a cluster manager: one node, broker and controller in
// one process, no TLS. Tests of this module use it, nothing that is shipped does.
package realkafka
