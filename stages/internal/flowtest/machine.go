// Package flowtest runs one stage for one import in memory, for tests: what the
// engine does, without Kafka, threads and a clock.
package flowtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/pipeline/pipelinetest"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/schemas/schematest"
)

// TB is the part of [testing.TB] that is used, so that rapid's T fits too.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var _ TB = (*testing.T)(nil)

// Machine is one stage with one import: [pipelinetest.Machine], in events of the
// flow instead of bytes, which it also checks. Its fields may be changed between
// calls.
type Machine struct {
	pipelinetest.Machine
	T TB
	// Schemas check what is published. Made when it is needed, where nil.
	Schemas *schematest.Validator

	ids map[string]bool // ce_ids written, without those of repeated hints
}

// New returns a machine that has seen nothing yet.
func New(t TB, stage pipeline.Stage, key string, now time.Time) *Machine {
	return &Machine{T: t, Machine: pipelinetest.Machine{Stage: stage, Key: key, Now: now}}
}

// Record makes a record of the stage's input that carries e.
func (m *Machine) Record(e schemas.Event) *pipeline.Record {
	m.T.Helper()
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "test", Time: m.Now})
	if err != nil {
		m.T.Fatalf("encode %s: %v", e.Type(), err)
	}
	all := make([]pipeline.Header, len(headers))
	for i, h := range headers {
		all[i] = pipeline.Header(h)
	}
	return m.Machine.Record(value, all...)
}

// Raw makes a record of the stage's input with any value and no headers.
func (m *Machine) Raw(value []byte) *pipeline.Record { return m.Machine.Record(value) }

// Try handles a trigger without committing: what a crash leaves behind.
func (m *Machine) Try(t pipeline.Trigger) (pipeline.Result, error) {
	m.T.Helper()
	r, err := m.Machine.Try(context.Background(), t)
	if class, ok := pipeline.Class(err); ok && !slices.Contains(m.Stage.Classes, class) {
		m.T.Errorf("class %q of %v is not declared by the stage", class, err)
	}
	return r, err
}

// Send handles a record that carries e and commits the result.
func (m *Machine) Send(e schemas.Event) ([]schemas.Event, error) {
	m.T.Helper()
	return m.Handle(m.Trigger(m.Record(e)))
}

// Fire lets the clock reach the timer, handles it and commits the result.
func (m *Machine) Fire() ([]schemas.Event, error) {
	m.T.Helper()
	if m.Wake.IsZero() {
		m.T.Fatalf("no timer is set")
	}
	if m.Wake.After(m.Now) {
		m.Now = m.Wake
	}
	return m.Handle(m.Trigger(nil))
}

// Handle handles a trigger and commits the result. On an error nothing changes,
// as if the engine would try again.
func (m *Machine) Handle(t pipeline.Trigger) ([]schemas.Event, error) {
	m.T.Helper()
	r, err := m.Try(t)
	if err != nil {
		return nil, err
	}
	return m.published(m.Commit(t, r)), nil
}

// GiveUp does what the engine does when it gives up on a trigger.
func (m *Machine) GiveUp(t pipeline.Trigger, cause error) []schemas.Event {
	m.T.Helper()
	return m.published(m.Machine.GiveUp(t, cause))
}

func (m *Machine) published(events []pipeline.Event) []schemas.Event {
	m.T.Helper()
	read := make([]schemas.Event, 0, len(events))
	for _, e := range events {
		read = append(read, m.read(e))
	}
	return read
}

// read checks a record that the stage publishes and reads it.
func (m *Machine) read(e pipeline.Event) schemas.Event {
	m.T.Helper()
	if !slices.Contains(m.Stage.Outputs, e.Topic) {
		m.T.Errorf("event for topic %q, which the stage does not declare", e.Topic)
	}
	event := Decode(m.T, e)
	if err := m.schemas().Validate(event.Type(), e.Value); err != nil {
		m.T.Errorf("%s breaks its schema: %v", event.Type(), err)
	}
	if got := string(e.Key); got != event.Key() {
		m.T.Errorf("%s has key %q, want %q", event.Type(), got, event.Key())
	}
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	id := Header(e, schemas.HeaderID)
	if m.ids[id] {
		m.T.Errorf("%s is published with an id that was used before: %+v", event.Type(), event)
	}
	m.ids[id] = true
	return event
}

func (m *Machine) schemas() *schematest.Validator {
	if m.Schemas == nil {
		v, err := schematest.New()
		if err != nil {
			m.T.Fatalf("compile schemas: %v", err)
		}
		m.Schemas = v
	}
	return m.Schemas
}

// Header returns the header of a record to publish.
func Header(e pipeline.Event, key string) string {
	for _, h := range e.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// Decode reads a record that a stage publishes.
func Decode(t TB, e pipeline.Event) schemas.Event {
	t.Helper()
	name, ok := schemas.TypeOf(Header(e, schemas.HeaderType), e.Topic)
	if !ok {
		t.Fatalf("record on %s has type %q", e.Topic, Header(e, schemas.HeaderType))
	}
	var event schemas.Event
	var err error
	switch name {
	case schemas.TypeWebformCreated:
		event, err = decode[schemas.WebformCreated](e)
	case schemas.TypeWebformAwaited:
		event, err = decode[schemas.WebformAwaited](e)
	case schemas.TypeWebformCompleted:
		event, err = decode[schemas.WebformCompleted](e)
	case schemas.TypeConnectionReady:
		event, err = decode[schemas.ConnectionReady](e)
	case schemas.TypeAccountsFetched:
		event, err = decode[schemas.AccountsFetched](e)
	case schemas.TypeImportCompleted:
		event, err = decode[schemas.ImportCompleted](e)
	case schemas.TypeImportFailed:
		event, err = decode[schemas.ImportFailed](e)
	case schemas.TypeImportStatus:
		event, err = decode[schemas.ImportStatus](e)
	case schemas.TypeAccount:
		event, err = decode[schemas.Account](e)
	case schemas.TypeTransaction:
		event, err = decode[schemas.Transaction](e)
	default:
		t.Fatalf("no stage publishes %s", name)
	}
	if err != nil {
		t.Fatalf("read %s that was published: %v", name, err)
	}
	return event
}

func decode[T schemas.Event](e pipeline.Event) (schemas.Event, error) {
	event, err := schemas.Decode[T](e.Value)
	return event, err
}

// Of returns the events of one type.
func Of[T schemas.Event](events []schemas.Event) []T {
	var found []T
	for _, e := range events {
		if e, ok := e.(T); ok {
			found = append(found, e)
		}
	}
	return found
}
