package flow

import (
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// Outbox collects the events that one trigger publishes. The first event that
// cannot be written is remembered and refuses the whole result: a step's events
// appear together or not at all.
type Outbox struct {
	meta   schemas.Meta
	events []pipeline.Event
	err    error
}

// NewOutbox returns an empty outbox of a stage. Its events name what caused the
// trigger as their cause and have happened at t.Now.
func NewOutbox(stage string, t pipeline.Trigger) *Outbox {
	return &Outbox{meta: schemas.Meta{Source: stage, Time: t.Now, CauseID: t.CauseID, Traceparent: t.Traceparent}}
}

// Now is when the events of this outbox happen.
func (o *Outbox) Now() time.Time { return o.meta.Time }

// Add puts events into the outbox, in this order.
func (o *Outbox) Add(events ...schemas.Event) {
	for _, e := range events {
		value, headers, err := schemas.Encode(e, o.meta)
		if err != nil {
			if o.err == nil {
				o.err = pipeline.Permanent(ClassUnexpectedAnswer, err)
			}
			return
		}
		o.events = append(o.events, pipeline.Event{
			Topic: e.Topic(), Key: []byte(e.Key()), Value: value, Headers: engineHeaders(headers),
		})
	}
}

// Result returns the events together with the state and the wake time that
// change with them.
func (o *Outbox) Result(state any, wake pipeline.WakeChange) (pipeline.Result, error) {
	if o.err != nil {
		return pipeline.Result{}, o.err
	}
	s, err := EncodeState(state)
	if err != nil {
		return pipeline.Result{}, err
	}
	return pipeline.Result{Events: o.events, State: s, Wake: wake}, nil
}

func engineHeaders(headers []schemas.Header) []pipeline.Header {
	out := make([]pipeline.Header, len(headers))
	for i, h := range headers {
		out[i] = pipeline.Header(h)
	}
	return out
}
