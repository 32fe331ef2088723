package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Handler is the behaviour of a stage: a function from a trigger and the
// state of its key to what is to be published, remembered and woken for.
//
// The engine calls a Handler from many goroutines at once, but never twice at
// the same time for one key of one partition, unless the first call goes on after
// its context has ended. A call may be repeated after a crash or a lost commit, so
// what Handle does outside Kafka must be safe to repeat. What it returns takes
// effect exactly once.
type Handler interface {
	// Handle does one step. It sends nothing itself: events, new state and
	// wake time are returned and committed in one transaction.
	//
	// An error made by [Permanent] gives the trigger up at once, one made by
	// [Unavailable] waits without counting an attempt, any other error and a
	// panic are retried in place until the retry budget is spent. The text of any
	// error may get into the log and a dead letter: no personal data, no secrets.
	Handle(ctx context.Context, t Trigger, s State) (Result, error)

	// GaveUp says what to publish and remember beside the dead letter when
	// the engine gives up on a trigger. It must be pure: no I/O, no clock but
	// Trigger.Now, no panics. The zero Result means the dead letter alone.
	GaveUp(t Trigger, s State, cause error) Result
}

// Stage names a Handler and the topics it is wired to. Topic names are logical:
// the engine puts its configured prefix in front of them.
type Stage struct {
	// Name identifies the stage: consumer group, transactional id, state
	// topic, metric label. Lower-case letters, digits and hyphens.
	Name string
	// Input is the one topic the stage reads.
	Input string
	// Outputs are the topics its events may go to. An event for any other
	// topic is a bug and gives the trigger up.
	Outputs []string
	// Classes is the closed set of classes the stage passes to [Permanent],
	// used as metric label and dead letter reason.
	Classes []string
	// Handler is what the stage does.
	Handler Handler
}

// Validate reports everything that is wrong with the stage's wiring.
func (s Stage) Validate() error {
	var errs []error
	if !validName(s.Name) {
		errs = append(errs, fmt.Errorf("stage name %q: want lower-case letters, digits and hyphens", s.Name))
	}
	if s.Input == "" {
		errs = append(errs, fmt.Errorf("stage %s: no input topic", s.Name))
	}
	if slices.Contains(s.Outputs, "") {
		errs = append(errs, fmt.Errorf("stage %s: empty output topic", s.Name))
	}
	for _, c := range s.Classes {
		if !validClass(c) || slices.Contains(engineClasses, c) {
			errs = append(errs, fmt.Errorf("stage %s: class %q: want lower_snake and not one of the engine's own %v", s.Name, c, engineClasses))
		}
	}
	if s.Handler == nil {
		errs = append(errs, fmt.Errorf("stage %s: no handler", s.Name))
	}
	return errors.Join(errs...)
}

func validName(s string) bool  { return matches(s, '-') }
func validClass(s string) bool { return matches(s, '_') }

func matches(s string, extra rune) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != extra {
			return false
		}
	}
	return true
}
