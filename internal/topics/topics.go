package topics

import (
	"strconv"
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// Topic is one topic as it must be.
type Topic struct {
	Name string // with prefix
	// Partitions of topics with SamePartitions must be equal.
	Partitions     int
	SamePartitions bool // keyed by import id: a stage, its input and its state go by partition number
	Replication    int  // -1: the broker's default
	Configs        map[string]string
}

const (
	cleanupPolicy   = "cleanup.policy"
	retentionMS     = "retention.ms"
	segmentMS       = "segment.ms"
	segmentBytes    = "segment.bytes"
	maxMessageBytes = "max.message.bytes"
)

const (
	day = 24 * time.Hour

	// A segment is deleted when its newest record is too old, so records live
	// as long as the retention and a segment. Kafka's default of 7 days would
	// double the shortest retention and keep personal data a week longer.
	dataSegment = day

	// Only closed segments are compacted, and a stage reads its whole state
	// topic when it starts: short segments keep that short.
	stateSegment      = time.Hour
	stateSegmentBytes = 64 << 20

	// The engine forgets by its own clock; the topic must not be quicker.
	stateMargin = 5 * day

	deadLetterRetention = 30 * day
	// A dead letter holds a whole record of another topic (up to the default
	// of about 1 MiB) and its own headers.
	deadLetterMaxBytes = 2 << 20
)

// List returns every topic, in the order data flows, then dead letters and
// state.
func List(s Settings) []Topic {
	s = s.withDefaults()
	var list []Topic
	for _, spec := range schemas.Topics() {
		t := s.topic(spec.Name, spec.Kind, spec.Retention, dataSegment)
		t.SamePartitions = spec.FlowPartitions
		if spec.MaxMessageBytes > 0 {
			t.Configs[maxMessageBytes] = strconv.Itoa(spec.MaxMessageBytes)
		}
		list = append(list, t)
	}
	dead := s.topic(schemas.TopicDeadLetters, schemas.CleanupCompactDelete, deadLetterRetention, dataSegment)
	dead.Configs[maxMessageBytes] = strconv.Itoa(deadLetterMaxBytes)
	list = append(list, dead)
	for _, stage := range s.Stages {
		t := s.topic("", schemas.CleanupCompactDelete, s.StateRetention+stateMargin, stateSegment)
		t.Name = pipeline.StateTopic(s.Prefix, s.Group, stage)
		t.SamePartitions = true
		t.Configs[segmentBytes] = strconv.Itoa(stateSegmentBytes)
		list = append(list, t)
	}
	return list
}

func (s Settings) topic(name, cleanup string, retention, segment time.Duration) Topic {
	return Topic{
		Name:        s.Prefix + name,
		Partitions:  s.Partitions,
		Replication: s.Replication,
		Configs: map[string]string{
			cleanupPolicy: cleanup,
			retentionMS:   millis(retention),
			segmentMS:     millis(segment),
		},
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
