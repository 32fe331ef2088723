// Package realkafka runs Apache Kafka for tests: one broker, or a cluster of
// three, as bare Java processes from the jars, on loopback, with their data in
// a directory that goes away afterwards.
//
// The embedded kfake proves logic; only this proves a broker: transactions as
// the broker really commits them, its coordinators, its log. A test that takes
// any real broker asks package testbroker for one, which can also be a
// container; a test that kills nodes of a cluster calls [ClusterForTest]. Such
// a test fails where Kafka cannot run (no Java, no jars); it never skips.
//
//	testbroker   one broker: docker or realkafka, as the environment says
//	docker       one broker as a container, by way of dockertest
//	realkafka    processes from the jars: one broker, a cluster of three
//	node         what their nodes have in common
//	image        builds an image where none can be pulled
//
// It is deliberately not a cluster manager: every node is broker and
// controller, no TLS. Tests of this module use it, nothing that is shipped does.
package realkafka
