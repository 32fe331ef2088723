// Package node is what the Kafka nodes of tests have in common, however they
// run: their properties, and how to tell that they are ready.
package node
