package pipeline

import (
	"crypto/sha1"
	"strconv"
	"strings"
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
	name := append(append(make([]byte, 0, 128), uuid.NameSpaceURL[:]...), r.Topic...)
	name = strconv.AppendInt(append(name, '/'), int64(r.Partition), 10)
	name = strconv.AppendInt(append(name, '/'), r.Offset, 10)
	// As uuid.NewSHA1, without the memory that it takes for each.
	sum := sha1.Sum(name)
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id.String()
}

// redrives is how often the record came back from the dead letters.
func (r *Record) redrives() int {
	text := r.Header(headerRedrives)
	if text == "" { // as good as always, and the error would be an allocation
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
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

// inputOf copies a fetched record: its memory is the client's, and one that is kept
// would pin all that came with it. Its bytes become one piece of memory, and its
// texts another: the key, the names of the headers, and what the engine itself
// reads in them.
func inputOf(r *kgo.Record, topic string) *input {
	in := &input{epoch: r.LeaderEpoch, size: inputSize, rec: Record{Partition: r.Partition, Offset: r.Offset}}
	if r.Attrs.IsControl() {
		in.control = true
		return in
	}
	var id, trace []byte
	bytes, chars := len(r.Key)+len(r.Value), len(r.Key)
	for _, h := range r.Headers {
		bytes, chars = bytes+len(h.Value), chars+len(h.Key)
		switch h.Key { // of two, the last one
		case headerID:
			id = h.Value
		case headerTraceparent:
			trace = h.Value
		}
	}
	chars += len(id) + len(trace)
	in.size += int64(bytes + chars + headerSize*len(r.Headers))

	room := make(room, 0, bytes)
	in.rec.Topic, in.rec.Timestamp = topic, r.Timestamp
	in.rec.Key, in.rec.Value = room.copy(r.Key), room.copy(r.Value)
	if len(r.Headers) == 0 {
		in.job.key = string(r.Key)
		return in
	}
	var b strings.Builder
	b.Grow(chars)
	b.Write(r.Key)
	b.Write(id)
	b.Write(trace)
	for _, h := range r.Headers {
		b.WriteString(h.Key)
	}
	text := b.String()
	cut := func(n int) (front string) {
		front, text = text[:n], text[n:]
		return front
	}
	in.job.key, in.job.cause, in.job.traceparent = cut(len(r.Key)), cut(len(id)), cut(len(trace))
	in.rec.Headers = make([]Header, len(r.Headers))
	for i, h := range r.Headers {
		in.rec.Headers[i] = Header{Key: cut(len(h.Key)), Value: room.copy(h.Value)}
	}
	return in
}

// What a record takes in memory beside its bytes, roughly, and a header.
const (
	inputSize  = 640
	headerSize = 48
)

// room is memory to copy into.
type room []byte

// copy keeps the difference between no bytes and none.
func (m *room) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	from := len(*m)
	*m = append(*m, b...)
	return (*m)[from:len(*m):len(*m)]
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
