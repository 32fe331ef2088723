package webform

import (
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

type phase string

const (
	cancelled phase = "cancelled" // before the request was there
	requested phase = "requested" // this stage holds the import; its timer creates the form
	formOpen  phase = "form_open" // handed on; the form, if there is one, is kept so that it can be cancelled
	failed    phase = "failed"
	gaveUp    phase = "gave_up" // as requested, but only a redrive goes on
)

// state is what the stage remembers of an import.
type state struct {
	flow.Version

	Phase phase  `json:"phase"`
	Run   int    `json:"run,omitzero"`
	Hash  string `json:"hash,omitzero"` // of the request; "" while there is none

	// While requested or gave_up:
	Request   schemas.ImportRequested `json:"request,omitzero"`
	StartedAt schemas.Instant         `json:"started_at,omitzero"`
	Statuses  int                     `json:"statuses,omitzero"` // written in this run

	// While form_open:
	UserID string `json:"user_id,omitzero"`
	FormID string `json:"form_id,omitzero"`
	// Cancelled: the provider was told. It is not told again.
	Cancelled bool `json:"cancelled,omitzero"`
}

// newState is the state of a valid request that is new.
func newState(c content, now time.Time) *state {
	return &state{
		Version: flow.NewVersion(), Phase: requested, Run: 1, Hash: c.hash,
		Request: c.request, StartedAt: schemas.At(now),
	}
}

func (s *state) importOf(key string) flow.Import {
	return flow.Import{ID: key, Run: s.Run, UserID: s.Request.UserID, StartedAt: s.StartedAt}
}

// begin tells upstream that the request is here and lets the timer do the rest.
func (s *state) begin(t pipeline.Trigger) (pipeline.Result, error) {
	s.Statuses++
	status := s.importOf(t.Key).Status(schemas.StepRequested, schemas.WaitingForUs, t.Now, t.Now)
	status.Counter = s.Statuses
	out := flow.NewOutbox(Name, t)
	out.Add(status)
	return out.Result(s, pipeline.WakeAt(t.Now))
}

// next begins the next run of an import that was given up.
func (s *state) next(t pipeline.Trigger) (pipeline.Result, error) {
	s.Phase, s.Run, s.StartedAt, s.Statuses = requested, s.Run+1, schemas.At(t.Now), 0
	return s.begin(t)
}
