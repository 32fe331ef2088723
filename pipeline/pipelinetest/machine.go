package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/pipeline"
)

// Machine is one stage with one event key in memory: what the engine does with
// triggers and results, without Kafka, goroutines and a clock of its own. Its
// fields may be changed between calls. It knows no [pipeline.Config]: sizes and the
// state retention are not looked at. It is not for concurrent use.
type Machine struct {
	Stage pipeline.Stage
	// Key is the event key.
	Key string
	// Now is the virtual clock: it moves only by hand and with [Machine.Fire].
	Now time.Time
	// Value and Wake are the key's state. Nil and zero: none.
	Value []byte
	Wake  time.Time
	// Written are all events committed so far.
	Written []pipeline.Event

	cause, traceparent string
	offset             int64
}

// Record makes a record of the stage's input, at the next offset.
func (m *Machine) Record(value []byte, headers ...pipeline.Header) *pipeline.Record {
	m.offset++
	return &pipeline.Record{Topic: m.Stage.Input, Offset: m.offset, Key: []byte(m.Key), Value: value, Headers: headers, Timestamp: m.Now}
}

// Trigger is what r (nil: the timer) looks like to the stage.
func (m *Machine) Trigger(r *pipeline.Record) pipeline.Trigger {
	t := pipeline.Trigger{Key: m.Key, Now: m.Now, CauseID: m.cause, Traceparent: m.traceparent}
	if r == nil {
		t.Due = m.Now
		if !m.Wake.IsZero() {
			t.Due = m.Wake
		}
		return t
	}
	t.Event, t.Traceparent = r, r.Header("traceparent")
	if t.CauseID = r.Header("ce_id"); t.CauseID == "" {
		t.CauseID = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%d/%d", r.Topic, r.Partition, r.Offset)).String()
	}
	return t
}

// Try handles a trigger and forgets the result, as a crash before the commit
// does.
func (m *Machine) Try(ctx context.Context, t pipeline.Trigger) (pipeline.Result, error) {
	return m.Stage.Handler.Handle(ctx, t, m.seenBy(t))
}

// Handle handles a trigger and commits the result. After an error nothing has
// changed, as when the engine will try again. An event for a topic that is not an
// output of the stage, and an error of a class that it does not declare, are errors
// of their own: the engine gives up on such a trigger.
func (m *Machine) Handle(ctx context.Context, t pipeline.Trigger) ([]pipeline.Event, error) {
	r, err := m.Try(ctx, t)
	if class, ok := pipeline.Class(err); ok && !slices.Contains(m.Stage.Classes, class) {
		return nil, fmt.Errorf("class %s is not declared by the stage: %w", class, err)
	}
	if err != nil {
		return nil, err
	}
	for _, e := range r.Events {
		if !slices.Contains(m.Stage.Outputs, e.Topic) {
			return nil, fmt.Errorf("event for topic %q, which is not an output of the stage", e.Topic)
		}
	}
	return m.Commit(t, r), nil
}

// Send handles a record with this value and commits the result.
func (m *Machine) Send(ctx context.Context, value []byte, headers ...pipeline.Header) ([]pipeline.Event, error) {
	return m.Handle(ctx, m.Trigger(m.Record(value, headers...)))
}

// Fire lets the clock reach the timer, handles it and commits the result.
func (m *Machine) Fire(ctx context.Context) ([]pipeline.Event, error) {
	if m.Wake.IsZero() {
		return nil, errors.New("no timer is set")
	}
	if m.Wake.After(m.Now) {
		m.Now = m.Wake
	}
	return m.Handle(ctx, m.Trigger(nil))
}

// GiveUp commits what the stage wants when the engine gives up on a trigger. The
// engine writes the dead letter itself.
func (m *Machine) GiveUp(t pipeline.Trigger, cause error) []pipeline.Event {
	return m.Commit(t, m.Stage.Handler.GaveUp(t, m.seenBy(t), cause))
}

// Commit makes a result the truth and returns its events.
func (m *Machine) Commit(t pipeline.Trigger, r pipeline.Result) []pipeline.Event {
	if value, set := r.State.Value(); set {
		m.Value = value
	}
	wake, set := r.Wake.Value()
	switch {
	case set && !wake.IsZero():
		m.Wake = m.wholeMillis(wake)
	case set, fired(t): // a timer that fired is gone
		m.Wake = time.Time{}
	}
	if _, changed := r.State.Value(); t.Event != nil && (changed || set) {
		m.cause, m.traceparent = t.CauseID, t.Traceparent
	}
	m.Written = append(m.Written, r.Events...)
	return r.Events
}

// wholeMillis is what the engine keeps of a time: a timer still to come does not fire
// early.
func (m *Machine) wholeMillis(at time.Time) time.Time {
	if at.After(m.Now) {
		at = at.Add(time.Millisecond - time.Nanosecond)
	}
	return time.UnixMilli(at.UnixMilli()).In(at.Location())
}

// fired reports whether a trigger is the key's timer, and not one that came back from
// the dead letters.
func fired(t pipeline.Trigger) bool { return t.Event == nil && t.Redrive == 0 }

// seenBy is the state as a trigger's handler sees it.
func (m *Machine) seenBy(t pipeline.Trigger) pipeline.State {
	if fired(t) {
		return pipeline.State{Value: m.Value}
	}
	return pipeline.State{Value: m.Value, Wake: m.Wake}
}
