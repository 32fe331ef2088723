package pipelinetest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/pipeline/pipelinetest"
)

// visits counts the visits of each guest and says goodbye an hour after the last.
type visits struct{}

func (visits) Handle(_ context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	n, _ := strconv.Atoi(string(s.Value))
	if t.Event == nil {
		return pipeline.Result{
			Events: []pipeline.Event{{Topic: "goodbyes", Key: []byte(t.Key), Value: s.Value}},
			State:  pipeline.ClearState(),
		}, nil
	}
	if string(t.Event.Value) == "" {
		return pipeline.Result{}, pipeline.Permanent("nobody", errors.New("a visit of nobody"))
	}
	return pipeline.Result{State: pipeline.SetState([]byte(strconv.Itoa(n + 1))), Wake: pipeline.WakeAt(t.Now.Add(time.Hour))}, nil
}

func (visits) GaveUp(t pipeline.Trigger, _ pipeline.State, _ error) pipeline.Result {
	return pipeline.Result{Events: []pipeline.Event{{Topic: "goodbyes", Key: []byte(t.Key), Value: []byte("never came")}}}
}

func visitsStage() pipeline.Stage {
	return pipeline.Stage{Name: "visits", Input: "bell", Outputs: []string{"goodbyes"}, Classes: []string{"nobody"}, Handler: visits{}}
}

// State and timer, as the engine would keep them.
func ExampleMachine() {
	ctx := context.Background()
	m := pipelinetest.Machine{Stage: visitsStage(), Key: "ann", Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for range 2 {
		if _, err := m.Send(ctx, []byte("ring")); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("state %s, wakes in %s\n", m.Value, m.Wake.Sub(m.Now))
	events, _ := m.Fire(ctx)
	fmt.Printf("%s: %s, state %q, timer set: %t\n", events[0].Topic, events[0].Value, m.Value, !m.Wake.IsZero())
	// Output:
	// state 2, wakes in 1h0m0s
	// goodbyes: 2, state "", timer set: false
}

// What is given up: the stage's part of it. The engine adds the dead letter.
func ExampleMachine_GiveUp() {
	m := pipelinetest.Machine{Stage: visitsStage(), Key: "ann", Now: time.Unix(0, 0)}
	t := m.Trigger(m.Record(nil))
	_, err := m.Handle(context.Background(), t)
	class, _ := pipeline.Class(err)
	events := m.GiveUp(t, err)
	fmt.Printf("%s: %s %s\n", class, events[0].Topic, events[0].Value)
	// Output: nobody: goodbyes never came
}

func TestMachine_CommitsWhatTheEngineWould(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	m := pipelinetest.Machine{Stage: visitsStage(), Key: "ann", Now: now}
	if _, err := m.Fire(t.Context()); err == nil {
		t.Error("a timer fired that was not set")
	}
	if _, err := m.Send(t.Context(), []byte("ring"), pipeline.Header{Key: "ce_id", Value: []byte("e1")}); err != nil {
		t.Fatal(err)
	}
	// A result that changes nothing leaves state and timer alone.
	m.Commit(m.Trigger(m.Record([]byte("ring"))), pipeline.Result{})
	if string(m.Value) != "1" || !m.Wake.Equal(now.Add(time.Hour)) {
		t.Errorf("state %q, wake %v", m.Value, m.Wake)
	}
	// What is tried and not committed leaves no trace.
	if _, err := m.Try(t.Context(), m.Trigger(m.Record([]byte("ring")))); err != nil || string(m.Value) != "1" {
		t.Errorf("state %q after a try, %v", m.Value, err)
	}
	// The cause of a timer is the last record that changed something.
	e2 := m.Trigger(m.Record(nil, pipeline.Header{Key: "ce_id", Value: []byte("e2")}))
	m.Commit(e2, pipeline.Result{})
	if got := m.Trigger(nil); got.CauseID != "e1" || !got.Due.Equal(m.Wake) {
		t.Errorf("the timer names cause %q and is due at %v", got.CauseID, got.Due)
	}
	m.Commit(e2, pipeline.Result{State: pipeline.SetState([]byte("1"))})
	if got := m.Trigger(nil); got.CauseID != "e2" {
		t.Errorf("the timer names cause %q after another record changed the state", got.CauseID)
	}
	// A timer that was redriven sees the key's timer and leaves it alone.
	redriven := m.Trigger(nil)
	redriven.Redrive = 1
	if m.Commit(redriven, pipeline.Result{}); m.Wake.IsZero() {
		t.Error("a redriven timer has cleared the key's timer")
	}
	// A timer that fired is gone, unless it is set again.
	m.Commit(m.Trigger(nil), pipeline.Result{})
	if !m.Wake.IsZero() {
		t.Error("a timer that fired is still set")
	}
	m.Commit(m.Trigger(m.Record(nil)), pipeline.Result{Wake: pipeline.WakeAt(now.Add(1500 * time.Microsecond))})
	if !m.Wake.Equal(now.Add(2 * time.Millisecond)) {
		t.Errorf("wake %v, want whole milliseconds and not early", m.Wake)
	}
	if a, b := m.Trigger(m.Record(nil)), m.Trigger(m.Record(nil)); a.CauseID == b.CauseID {
		t.Error("two records without an id have the same one")
	}
	m.Commit(m.Trigger(m.Record(nil)), pipeline.Result{Wake: pipeline.ClearWake(), State: pipeline.ClearState()})
	if !m.Wake.IsZero() || m.Value != nil {
		t.Errorf("state %q, wake %v after both were cleared", m.Value, m.Wake)
	}
}

func TestCluster_RunsAStage(t *testing.T) {
	t.Parallel()
	stage := visitsStage()
	c := pipelinetest.NewCluster(t, stage)
	stop := c.Run(stage, func(cfg *pipeline.Config) { cfg.CommitInterval = time.Millisecond })
	c.Publish("bell", []byte("ann"), nil, pipeline.Header{Key: "h", Value: []byte("kept")})
	if r := c.Collect("goodbyes", 1)[0]; string(r.Key) != "ann" || string(r.Value) != "never came" {
		t.Errorf("goodbyes has %s: %s", r.Key, r.Value)
	}
	r := c.Collect("dead-letters", 1)[0]
	if got := r.Header(pipeline.HeaderDeadLetterClass); got != "nobody" || r.Header("h") != "kept" {
		t.Errorf("dead letter of class %q with header %q", got, r.Header("h"))
	}
	stop()
	stop() // once is enough
	if got := c.Collect("bell", 1); len(got) != 1 {
		t.Errorf("got %d records of the input", len(got))
	}
}
