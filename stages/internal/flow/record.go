package flow

import (
	"errors"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// Classes of dead letters that every stage may write.
const (
	// ClassInvalidEvent: the record is not an event of its topic.
	ClassInvalidEvent = "invalid_event"
	// ClassInvalidState: what this stage remembers was written by a newer release.
	ClassInvalidState = "invalid_state"
	// ClassUnexpectedAnswer: the provider said something that makes no sense.
	ClassUnexpectedAnswer = "unexpected_answer"
	// ClassLoginRefused: the provider refuses the login of the import's user.
	ClassLoginRefused = "login_refused"
)

// Classes returns the classes above together with a stage's own.
func Classes(own ...string) []string {
	return append([]string{ClassInvalidEvent, ClassInvalidState, ClassUnexpectedAnswer, ClassLoginRefused}, own...)
}

// TypeOf returns the name of the event that a record on topic carries. Anything
// else belongs into the dead letters.
func TypeOf(r *pipeline.Record, topic string) (string, error) {
	name, ok := schemas.TypeOf(r.Header(schemas.HeaderType), topic)
	if !ok {
		return "", pipeline.Permanent(ClassInvalidEvent, fmt.Errorf("read record: its %s names no event of topic %s", schemas.HeaderType, topic))
	}
	return name, nil
}

// Decode reads a record that must carry a T under the id of its import.
// Anything else belongs into the dead letters.
func Decode[T schemas.Event](r *pipeline.Record) (T, error) {
	var none T
	if _, err := typed(r, none); err != nil {
		return none, err
	}
	event, err := schemas.Decode[T](r.Value)
	if err != nil {
		return none, pipeline.Permanent(ClassInvalidEvent, err)
	}
	if event.Subject() != string(r.Key) {
		return none, pipeline.Permanent(ClassInvalidEvent, fmt.Errorf("read %s: its import_id is not the record's key", event.Type()))
	}
	return event, nil
}

// typed checks that the headers of r announce an event like want.
func typed(r *pipeline.Record, want schemas.Event) (string, error) {
	name, err := TypeOf(r, want.Topic())
	if err == nil && name != want.Type() {
		err = pipeline.Permanent(ClassInvalidEvent, errors.New("read record: it carries another event"))
	}
	return name, err
}

// EventTime is when the event in r happened: what its headers say, else when
// the record was written.
func EventTime(r *pipeline.Record) time.Time {
	var at schemas.Instant
	if err := at.UnmarshalText([]byte(r.Header(schemas.HeaderTime))); err != nil {
		return schemas.At(r.Timestamp).Time
	}
	return at.Time
}
