package pipeline

import "time"

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a stage's input topic. The engine owns its memory
// only until the handler returns nothing that refers to it; handlers treat it
// as read-only.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil: the record had no key
	Value     []byte // nil: a tombstone
	Headers   []Header
	Timestamp time.Time
}

// Header returns the value of the last header with this key, or "".
func (r *Record) Header(key string) string {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value)
		}
	}
	return ""
}

// Trigger is what makes a stage do a step: a record, or the timer of a key.
type Trigger struct {
	// Key is the record's key, or the key whose timer fired. A record without
	// a key has a lane of its own and no state.
	Key string
	// Event is the record; nil means that the timer fired.
	Event *Record
	// Due is when the timer was to fire; zero for a record.
	Due time.Time
	// Now is the time at which this attempt started. Handlers use it instead
	// of a clock.
	Now time.Time
	// Redrive says how often an operator has redriven this trigger, record or
	// timer, from the dead letters; 0 for one that never was a dead letter.
	Redrive int
	// CauseID is the event id (ce_id) of the record. Where the timer fired it is
	// that of the last record that changed the key's state or timer. A record
	// without one has a UUIDv5 of its topic, partition and offset.
	CauseID string
	// Traceparent is the W3C trace context that came with that record, or "".
	Traceparent string
}

// State is what the engine keeps for a key.
type State struct {
	// Value is what the last Result with a state left; nil means none.
	Value []byte
	// Wake is when the key's timer fires; zero means that none is set. While
	// a timer trigger is handled it is zero: a timer that fired is gone
	// unless it is set again. A redriven timer is not that one: it shows and
	// keeps the timer that the key may have since.
	Wake time.Time
}
