// Package judge reads topics for the tests that judge the product: under
// read_committed, with a client that the product does not use. On the embedded
// Kafka that is sarama, on a real broker librdkafka (kcat). A fault that our
// own client and our own engine share would otherwise hide itself.
//
// A [Log] follows its topics from their beginning while the test runs, so it
// also sees what a reader sees during faults. [Log.Settle] proves at the end
// that it has read everything: a marker written to every partition has become
// visible, which an open transaction would prevent.
//
// It knows nothing of banks, and it never decides whether what it read is right.
package judge
