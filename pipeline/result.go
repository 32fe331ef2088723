package pipeline

import "time"

// Event is one record to publish. The topic is logical (without prefix).
type Event struct {
	Topic   string
	Key     []byte
	Value   []byte // nil publishes a tombstone
	Headers []Header
}

// Result is what one step changes. Everything in it is committed in one Kafka
// transaction together with the trigger. The zero Result publishes nothing and
// leaves state and timer as they are.
type Result struct {
	Events []Event
	State  StateChange
	Wake   WakeChange
}

// empty says that the result changes nothing.
func (r Result) empty() bool { return len(r.Events) == 0 && !r.State.set && !r.Wake.set }

// StateChange keeps, replaces or clears the state of a key. Zero keeps it.
type StateChange struct {
	set   bool
	value []byte
}

// SetState replaces the state with b. An empty b is a state; use [ClearState]
// to have none. The engine keeps b: do not change it afterwards.
func SetState(b []byte) StateChange {
	if b == nil {
		b = []byte{}
	}
	return StateChange{set: true, value: b}
}

// ClearState forgets the state of the key.
func ClearState() StateChange { return StateChange{set: true} }

// Value returns the new state (nil: cleared) and whether there is a change.
func (c StateChange) Value() ([]byte, bool) { return c.value, c.set }

// WakeChange keeps, sets or clears the timer of a key. Zero keeps it: a
// duplicate that changes nothing must not cancel a wait.
type WakeChange struct {
	set bool
	at  time.Time
}

// WakeAt sets the key's timer; a time that has passed fires at once.
func WakeAt(t time.Time) WakeChange { return WakeChange{set: true, at: t} }

// ClearWake removes the key's timer.
func ClearWake() WakeChange { return WakeChange{set: true} }

// Value returns the new wake time (zero: cleared) and whether there is a change.
func (c WakeChange) Value() (time.Time, bool) { return c.at, c.set }
