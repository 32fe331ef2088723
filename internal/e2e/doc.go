// Package e2e tests the product as its users meet it: upstream publishes
// requests with kafka-go, a person fills in the simulator's web form, and a
// reader that is none of our clients sees what is on the topics. One text runs
// on the embedded Kafka ("make test") and on a real broker ("make test-real").
//
// Nothing here looks inside: only topics, HTTP and the binary's commands. The
// truth that results are compared with is the simulator's journal of what it
// served (package check). Waiting is always for something seen, with a
// generous deadline; chance is seeded, and a test prints its seed.
//
// Some tests kill: processes at random and between the steps of a commit
// (TestKilledProcesses), members of a group in a storm (TestRebalanceStorm),
// brokers and nodes. They are short in "make test-real" and long in "make
// chaos". Package tally does the same to a stage that counts, behind a proxy
// that breaks what a broker cannot be asked to break, and switches protections
// of the engine off one by one to show that the judge sees it.
package e2e
