// Package e2e tests the product as its users meet it: upstream publishes
// requests with kafka-go, a person fills in the simulator's web form, and a
// reader that is none of our clients sees what is on the topics. One text runs
// on the embedded Kafka ("make test") and on a real broker ("make test-real").
//
// Nothing here looks inside: only topics, HTTP and the binary's commands. The
// truth that results are compared with is the simulator's journal of what it
// served (package check). Waiting is always for something seen, with a
// generous deadline; chance is seeded, and a test prints its seed.
package e2e
