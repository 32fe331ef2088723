package pipeline

import (
	"errors"
	"time"
)

// Classes the engine itself gives dead letters.
const (
	classRetriesExhausted = "retries_exhausted" // an error came back until the retry budget was spent
	classPanicked         = "panicked"          // the handler panicked until the retry budget was spent
	classInvalidResult    = "invalid_result"    // a result that Kafka or the engine cannot take
	classUndeclared       = "undeclared_class"  // Permanent with a class the stage did not declare
)

var engineClasses = []string{classRetriesExhausted, classPanicked, classInvalidResult, classUndeclared}

type permanentError struct {
	class string
	err   error
}

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent wraps err so that the engine gives the trigger up now. The class
// must be one of the stage's Classes; it becomes metric label and dead letter
// reason. The text of err is written to the dead letter: no secrets, no
// personal data.
func Permanent(class string, err error) error {
	return &permanentError{class: class, err: err}
}

// Class returns the class of an error made by [Permanent]. Where [Unavailable]
// has been wrapped around it there is none: the outer one counts.
func Class(err error) (string, bool) {
	m, _ := errors.AsType[marked](err)
	p, ok := m.(*permanentError)
	if !ok {
		return "", false
	}
	return p.class, true
}

// marked is either kind of error. What is found first in a chain is the outer
// one.
type marked interface {
	error
	marked()
}

func (*permanentError) marked()   {}
func (*unavailableError) marked() {}

type unavailableError struct {
	after time.Duration
	err   error
}

func (e *unavailableError) Error() string { return e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }

// Unavailable wraps err to say that the outside world is down and nobody's
// trigger is to blame. No attempt is counted, and the stage is held: it admits
// nothing new, and one trigger at a time tries again after the given time (0:
// 5 s) until one gets through.
func Unavailable(err error, after time.Duration) error {
	return &unavailableError{after: after, err: err}
}

// RetryAfter returns the delay of an error made by [Unavailable], unless
// [Permanent] has been wrapped around it.
func RetryAfter(err error) (time.Duration, bool) {
	m, _ := errors.AsType[marked](err)
	u, ok := m.(*unavailableError)
	if !ok {
		return 0, false
	}
	return u.after, true
}
