package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

const (
	// maxEvent is the largest event or state that is tried: what a broker
	// takes by default, less the framing of a batch.
	maxEvent = 1_000_000
	// maxResult bounds what one trigger may publish, so that a transaction
	// ends in time.
	maxResult = 32 << 20

	retryFirst       = time.Second // whoever is called is not asked more than once a second for one thing
	retryMost        = 30 * time.Second
	unavailableAfter = 5 * time.Second
)

// start runs jobs, all at once.
func (s *session) start(jobs []*job) { s.pool.start(jobs) }

// run runs a job and returns those that may start now.
func (s *session) run(j *job) []*job {
	out, at := s.handle(j)
	next, news := s.tracker.finish(j, out, at)
	if news.commit {
		signal(s.finished)
	}
	if news.urgent {
		signal(s.urgent)
	}
	if news.room {
		signal(s.room)
	}
	if news.resume {
		s.flow(func() (start []*job, pause, resume []int32) { return nil, nil, s.tracker.resumes() })
	}
	return next
}

// handle tries a trigger until there is something to commit: a result, or the
// dead letter of a trigger that was given up, and when that was. The outcome is
// nil if it was interrupted.
func (s *session) handle(j *job) (out *outcome, at time.Time) {
	ctx := j.part.ctx
	state := j.before
	a := attempts{}
	var spent time.Duration // of the retry budget
	probe := false          // this attempt is the one that looks whether the world is back
	probed := func(success bool) {
		if probe {
			s.hold.probed(success)
			probe = false
		}
	}
	defer func() { probed(false) }() // whatever happens, the next in line gets its turn
	for {
		if !a.first.IsZero() && !s.tracker.current(j) { // and goes again, on what is true now
			return &j.first, at
		}
		t := j.trigger(state)
		if a.first.IsZero() {
			a.first = t.Now
		}
		a.last = t.Now
		a.count++
		result, err := s.try(ctx, t, state.seenBy(j))
		took := time.Since(t.Now)
		at = t.Now.Add(took)
		if ctx.Err() != nil {
			s.cfg.Metrics.trigger(s.stage.Name, triggerInterrupted, took)
			return nil, at
		}
		returned := err == nil
		if returned {
			probed(true)
			if err = s.valid(j, result, t.Now); err == nil {
				s.cfg.Metrics.trigger(s.stage.Name, triggerDone, took)
				j.first = outcome{result: result, size: resultSize(result)}
				return &j.first, at
			}
		}
		if !s.tracker.current(j) { // it is not to be given up for that
			s.cfg.Metrics.trigger(s.stage.Name, triggerInterrupted, took)
			return &j.first, at
		}
		if returned {
			s.gaveUpAfter(took)
			return s.giveUp(j, classInvalidResult, err, a), at
		}
		if after, ok := RetryAfter(err); ok {
			a.count--
			if after <= 0 {
				after = unavailableAfter
			}
			s.cfg.Metrics.trigger(s.stage.Name, triggerUnavailable, took)
			s.logTrigger(j, slog.LevelDebug, "unavailable, the stage is held", a, "probe", probe, "after", after, "err", oneLine(err.Error()))
			if probe, ok = s.hold.wait(j.part.open, after, probe); !ok {
				return nil, at
			}
			continue
		}
		if class, ok := Class(err); ok {
			probed(true) // there was an answer
			if !s.declared(class) {
				err, class = fmt.Errorf("class %s is not declared by the stage: %w", class, err), classUndeclared
			}
			s.gaveUpAfter(took)
			return s.giveUp(j, class, err, a), at
		}
		wait := min(retryFirst<<min(a.count-1, 10), retryMost)
		wait += rand.N(wait/2 + 1)
		if !s.hold.on() { // then it may have to do with why
			spent += took + wait
		}
		if spent > s.cfg.RetryBudget {
			class := classRetriesExhausted
			if _, ok := errors.AsType[*panicError](err); ok {
				class = classPanicked
			}
			s.gaveUpAfter(took)
			return s.giveUp(j, class, err, a), at
		}
		probed(false)
		s.cfg.Metrics.trigger(s.stage.Name, triggerRetried, took)
		s.logTrigger(j, slog.LevelWarn, "failed, will be retried", a, "in", wait, "err", oneLine(err.Error()))
		if !sleep(j.part.open, wait) {
			return nil, at
		}
		var on bool
		if probe, on = s.hold.join(j.part.open); !on {
			return nil, at
		}
	}
}

func (s *session) logTrigger(j *job, level slog.Level, msg string, a attempts, args ...any) {
	args = append(args, "topic", s.topic, "partition", j.part.id, "attempt", a.count)
	if j.in != nil {
		args = append(args, "offset", j.in.rec.Offset)
	} else {
		args = append(args, "timer_of", j.key) // a key with state: the stage has accepted it
	}
	s.log.Log(context.Background(), level, msg, args...)
}

// trigger is what the handler gets to see of a job.
func (j *job) trigger(state *keyState) Trigger {
	t := Trigger{Key: j.key, Due: j.due, Now: time.Now()}
	if state != nil {
		t.CauseID, t.Traceparent = state.cause, state.traceparent
	}
	if j.in == nil {
		return t
	}
	r := &j.in.rec
	t.Redrive = r.redrives()
	if due, ok := r.wake(); ok {
		t.Due = due
		if t.CauseID == "" { // the key has been forgotten
			t.CauseID = j.causeID()
		}
		return t
	}
	t.Event, t.CauseID, t.Traceparent = r, j.causeID(), j.traceparent
	return t
}

func (s *keyState) seenBy(j *job) State {
	if s == nil {
		return State{}
	}
	if j.in == nil {
		return State{Value: s.value}
	}
	return State{Value: s.value, Wake: s.wake}
}

// A panicError is a handler's panic, turned into the failure of its trigger.
// The panic's value may hold anything, so it is not repeated.
type panicError struct{ at string }

func (e *panicError) Error() string { return "handler panicked: " + e.at }

func (s *session) try(ctx context.Context, t Trigger, state State) (result Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{at: fmt.Sprintf("%T", v)}
			s.log.Error("handler panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	return s.stage.Handler.Handle(ctx, t, state)
}

func (s *session) gaveUpAfter(took time.Duration) {
	s.cfg.Metrics.trigger(s.stage.Name, triggerGaveUp, took)
}

// giveUp makes the outcome of a trigger that will not be tried again: its dead
// letter and what the stage says to publish beside it.
func (s *session) giveUp(j *job, class string, cause error, a attempts) *outcome {
	dead := deadLetter(s.stage.Name, s.topic, j, class, cause, a)
	dead.Topic = s.cfg.DeadLetterTopic
	s.logTrigger(j, slog.LevelError, "gave up, a dead letter is written", a, "dead_letter", string(dead.Key), "class", class, "err", oneLine(cause.Error()))
	t := j.trigger(j.before)
	result, err := s.gaveUp(t, j.before.seenBy(j), cause)
	if err == nil {
		err = s.valid(j, result, t.Now)
	}
	if err != nil {
		s.log.Error("what the stage wants published beside a dead letter is left out", "err", oneLine(err.Error()))
		result = Result{}
	}
	return &outcome{result: result, dead: &dead, class: class, size: resultSize(result) + dead.size()}
}

func (s *session) gaveUp(t Trigger, state State, cause error) (result Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("GaveUp panicked: %T", v)
		}
	}()
	return s.stage.Handler.GaveUp(t, state, cause), nil
}

// refused is the outcome of a job whose records Kafka does not take: a dead
// letter. If that is refused it goes without its value, and if what the stage
// says beside it is refused, without that.
func (s *session) refused(j *job, r *refusedError) (*outcome, error) {
	out := j.out
	if out.dead == nil {
		now := time.Now()
		return s.giveUp(j, classInvalidResult, fmt.Errorf("kafka refused the result: %w", r.err), attempts{1, now, now}), nil
	}
	next := &outcome{result: out.result, dead: out.dead, class: out.class}
	if r.rest {
		if next.result = (Result{}); !r.dead && out.result.empty() {
			return nil, fatalf("topic %s: kafka refuses the state that a key has had: %w; look at the topic's settings, above all max.message.bytes", s.state, r.err)
		}
	}
	if r.dead {
		if out.dead.truncated() {
			return nil, fatalf("topic %s: kafka refuses even a dead letter without its value: %w; look at the topic's settings", s.outputs[s.cfg.DeadLetterTopic], r.err)
		}
		dead := withoutValue(*out.dead)
		dead.Topic = s.cfg.DeadLetterTopic
		next.dead = &dead
	}
	next.size = resultSize(next.result) + next.dead.size()
	return next, nil
}

func (s *session) declared(class string) bool {
	return slices.Contains(s.stage.Classes, class)
}

// valid says whether the engine and Kafka can take a result.
func (s *session) valid(j *job, r Result, now time.Time) error {
	if !j.keyed && (r.State.set || r.Wake.set) {
		return errors.New("state or wake for a record without a key")
	}
	for _, e := range r.Events {
		if _, ok := s.outputs[e.Topic]; !ok {
			return fmt.Errorf("event for topic %q, which is not an output of the stage", e.Topic)
		}
		if n := e.size(); n > maxEvent {
			return fmt.Errorf("event of %d bytes for topic %s, at most %d are possible", n, e.Topic, maxEvent)
		}
	}
	if n := resultSize(r); n > maxResult {
		return fmt.Errorf("result of %d bytes, at most %d are possible", n, maxResult)
	}
	if v, _ := r.State.Value(); len(v) > maxEvent {
		return fmt.Errorf("state of %d bytes, at most %d are possible", len(v), maxEvent)
	}
	if at, _ := r.Wake.Value(); at.After(now.Add(s.cfg.StateRetention)) {
		return fmt.Errorf("wake in %s, beyond the state retention of %s", at.Sub(now).Round(time.Second), s.cfg.StateRetention)
	}
	return nil
}

func resultSize(r Result) int64 {
	var n int64
	for _, e := range r.Events {
		n += e.size()
	}
	v, _ := r.State.Value()
	return n + int64(len(v))
}
