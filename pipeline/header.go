package pipeline

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers the engine reads on input records.
const (
	headerID          = "ce_id"       // CloudEvents id of the event
	headerTraceparent = "traceparent" // W3C trace context
	headerRedrives    = "dead_letter_redrives"
	headerWake        = "dead_letter_wake" // stands for a timer that was to fire then, RFC 3339; see wake
)

// causeID is the id by which results name the record as their cause.
func (r *Record) causeID() string {
	if id := r.Header(headerID); id != "" {
		return id
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%d/%d", r.Topic, r.Partition, r.Offset)).String()
}

// redrives is how often the record came back from the dead letters.
func (r *Record) redrives() int {
	text := r.Header(headerRedrives)
	if text == "" { // as good as always, and the error would be an allocation
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// wake reports whether the record stands for a timer of its key, and when that
// was to fire: an empty record that a redrive has put on the input topic.
func (r *Record) wake() (due time.Time, ok bool) {
	if r.Key == nil || len(r.Value) > 0 {
		return time.Time{}, false
	}
	due, err := time.Parse(time.RFC3339Nano, r.Header(headerWake))
	return due, err == nil
}

// inputOf copies a fetched record: a record kept in its fetch buffer would pin
// all of it.
func inputOf(r *kgo.Record, topic string) *input {
	if r.Attrs.IsControl() {
		return &input{rec: &Record{Partition: r.Partition, Offset: r.Offset}, epoch: r.LeaderEpoch, size: 128, control: true}
	}
	rec := &Record{
		Topic: topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp,
		Key: clone(r.Key), Value: clone(r.Value), Headers: make([]Header, len(r.Headers)),
	}
	size := int64(len(r.Key) + len(r.Value) + 128)
	for i, h := range r.Headers {
		rec.Headers[i] = Header{Key: string([]byte(h.Key)), Value: clone(h.Value)}
		size += int64(len(h.Key) + len(h.Value) + 32)
	}
	return &input{rec: rec, epoch: r.LeaderEpoch, size: size}
}

// clone keeps the difference between no bytes and none.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func recordHeaders(hs []Header) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, len(hs))
	for i, h := range hs {
		out[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	return out
}

// size is what an event takes on the wire, roughly.
func (e Event) size() int64 {
	n := int64(len(e.Key) + len(e.Value) + 64)
	for _, h := range e.Headers {
		n += int64(len(h.Key) + len(h.Value) + 8)
	}
	return n
}
