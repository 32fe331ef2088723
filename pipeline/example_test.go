package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/pipeline"
)

// reminder publishes a reminder an hour after the last record of a key.
type reminder struct{}

func (reminder) Handle(_ context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	if t.Event != nil {
		if len(t.Event.Value) == 0 {
			return pipeline.Result{}, pipeline.Permanent("empty_value", errors.New("record without a value"))
		}
		return pipeline.Result{State: pipeline.SetState(t.Event.Value), Wake: pipeline.WakeAt(t.Now.Add(time.Hour))}, nil
	}
	return pipeline.Result{
		Events: []pipeline.Event{{Topic: "reminders", Key: []byte(t.Key), Value: s.Value}},
		State:  pipeline.ClearState(),
	}, nil
}

func (reminder) GaveUp(pipeline.Trigger, pipeline.State, error) pipeline.Result {
	return pipeline.Result{} // the dead letter alone
}

// A stage is tested without Kafka: call its handler and compare values.
func ExampleHandler() {
	ctx, now := context.Background(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	r, _ := reminder{}.Handle(ctx, pipeline.Trigger{Key: "k", Now: now, Event: &pipeline.Record{Value: []byte("call home")}}, pipeline.State{})
	state, _ := r.State.Value()
	wake, _ := r.Wake.Value()
	fmt.Printf("state %q, wake in %s\n", state, wake.Sub(now))

	r, _ = reminder{}.Handle(ctx, pipeline.Trigger{Key: "k", Now: wake, Due: wake}, pipeline.State{Value: state})
	fmt.Printf("%d event: %s\n", len(r.Events), r.Events[0].Value)

	_, err := reminder{}.Handle(ctx, pipeline.Trigger{Key: "k", Now: now, Event: &pipeline.Record{}}, pipeline.State{})
	class, _ := pipeline.Class(err)
	fmt.Println(class)
	// Output:
	// state "call home", wake in 1h0m0s
	// 1 event: call home
	// empty_value
}

// Wiring a stage to its topics; NewRunner and Run connect it to Kafka.
func ExampleStage() {
	stage := pipeline.Stage{
		Name:    "reminder",
		Input:   "notes",
		Outputs: []string{"reminders"},
		Classes: []string{"empty_value"},
		Handler: reminder{},
	}
	fmt.Println(stage.Validate(), pipeline.StateTopic("", "bankimport", stage.Name))
	// Output: <nil> bankimport.reminder.state
}
