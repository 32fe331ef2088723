// Package pipelinetest helps to test stages of package pipeline.
//
// [Machine] is a stage with one key, in memory: most of what a stage does is
// tested with it, as a comparison of values. [Cluster] is a Kafka in memory with
// the topics of some stages, on which the real engine runs them: for how stages
// and topics fit together. Neither needs anything but Go, and neither proves
// anything about a real broker.
package pipelinetest
