package connection

import (
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

type phase string

const (
	early        phase = "early"      // a hint came before webform-awaited
	inForm       phase = "form"       // waits for the end of the form
	downloading  phase = "download"   // waits for the bank's data
	categorizing phase = "categories" // the data is there; waits for its categories
	handedOn     phase = "handed_on"
	failed       phase = "failed"
	gaveUp       phase = "gave_up" // as Resume says, but only a redrive goes on
)

// look says which read of a form comes next because of a hint.
type look int

const (
	noLook     look = iota
	firstLook       // at once
	secondLook      // SecondLook after the first
	thirdLook       // ThirdLook after the first
)

// state is what the stage remembers of an import. Times are in milliseconds, as
// the engine's timers are.
type state struct {
	flow.Version

	Phase     phase           `json:"phase"`
	Resume    phase           `json:"resume,omitzero"` // the phase in which it was given up
	Run       int             `json:"run,omitzero"`
	UserID    string          `json:"user_id,omitzero"`
	StartedAt schemas.Instant `json:"started_at,omitzero"`
	Since     schemas.Instant `json:"since,omitzero"`    // when the wait for the user, or for the bank, began
	Statuses  int             `json:"statuses,omitzero"` // written by this stage in this run

	// The form:
	FormID    string          `json:"form_id,omitzero"`
	ExpiresAt schemas.Instant `json:"expires_at,omitzero"` // as the newest read says
	ReadAt    schemas.Instant `json:"read_at,omitzero"`    // newest read
	Look      look            `json:"look,omitzero"`       // what a hint has left to do
	LookedAt  schemas.Instant `json:"looked_at,omitzero"`  // first read after the hint
	Cancelled bool            `json:"cancelled,omitzero"`  // upstream has cancelled

	// The connection:
	ConnectionID int64           `json:"connection_id,omitzero"`
	Looks        int             `json:"looks,omitzero"`     // at the download
	LoadedAt     schemas.Instant `json:"loaded_at,omitzero"` // first look that found the download ended
}

// newState is the state of an import that the event in r hands over.
func newState(e schemas.WebformAwaited, r *pipeline.Record) *state {
	st := &state{
		Version: flow.NewVersion(), Phase: inForm, Run: e.Run, UserID: e.UserID, StartedAt: e.StartedAt,
		Since: schemas.At(flow.EventTime(r)), FormID: e.FormID, ExpiresAt: e.ExpiresAt, ConnectionID: e.BankConnectionID,
	}
	if e.FormID == "" {
		st.Phase = downloading
	}
	return st
}

// holds reports whether this stage holds the import.
func (s *state) holds() bool {
	return s.Phase == inForm || s.Phase == downloading || s.Phase == categorizing
}

// done is what remains of the state once the import has left the stage.
func (s *state) done(p phase) *state {
	return &state{Version: flow.NewVersion(), Phase: p, Run: s.Run}
}

func (s *state) importOf(key string) flow.Import {
	return flow.Import{ID: key, Run: s.Run, UserID: s.UserID, StartedAt: s.StartedAt, ConnectionID: s.ConnectionID}
}

// earliestRead is when the form may be read again.
func (s *state) earliestRead() time.Time { return s.ReadAt.Add(formPace) }
