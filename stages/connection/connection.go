// Package connection waits: for the end of a web form, and then until the
// provider has the bank's data.
//
//	webform-awaited, webform-completed → connection-ready
//
// What it remembers of an import:
//
//	(none) ──hint──▶ early
//	   │               │          webform-awaited starts the wait
//	   ▼               ▼
//	  form ──▶ download ◀──▶ categories ──▶ handed_on
//	   │           │             │
//	   └───────────┴─────────────┴────────▶ failed, gave_up
//
// It holds the import in form, download and categories. Everything there is
// done by the timer: a hint (webform-completed) calls nobody, it only makes the
// timer fire now. So no flood of callbacks can make more than one read of a form
// in a second, a hint that is wrong costs one read, and a hint that is lost
// costs nothing but time.
//
// A deadline ends an import only after a read that succeeded after it: an
// outage of the provider ends nothing.
package connection

import (
	"context"
	"errors"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

const (
	// Name of the stage.
	Name = "connection"

	input = schemas.TopicWebformCompleted
)

// provider is the part of the provider this stage needs.
type provider interface {
	User(upstreamUserID string) finapi.User
	Form(ctx context.Context, user finapi.User, id string) (finapi.Form, error)
	CancelForm(ctx context.Context, user finapi.User, id string) (finapi.Form, error)
	Connection(ctx context.Context, user finapi.User, id int64) (finapi.Connection, error)
	Accounts(ctx context.Context, user finapi.User, connectionID int64) ([]finapi.Account, error)
}

// New returns the stage. All calls it makes are reads, except the one that
// cancels a form which nobody has ended in time; all may be repeated.
func New(p provider, timing Timing) (pipeline.Stage, error) {
	if p == nil {
		return pipeline.Stage{}, errors.New("connection: no provider")
	}
	if err := timing.Validate(); err != nil {
		return pipeline.Stage{}, err
	}
	return pipeline.Stage{
		Name:    Name,
		Input:   input,
		Outputs: []string{schemas.TopicConnectionReady, schemas.TopicImportFailed, schemas.TopicImportStatus},
		Classes: flow.Classes(),
		Handler: &handler{provider: p, timing: timing.WithDefaults()},
	}, nil
}

type handler struct {
	provider provider
	timing   Timing
}

// Handle implements [pipeline.Handler].
func (h *handler) Handle(ctx context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil {
		return pipeline.Result{}, err
	}
	if t.Event == nil {
		return h.wake(ctx, t, st)
	}
	switch name, err := flow.TypeOf(t.Event, input); {
	case err != nil:
		return pipeline.Result{}, err
	case name == schemas.TypeWebformAwaited:
		return h.awaited(t, st)
	default:
		return h.hint(t, st)
	}
}

// wake does the step that waits for the timer.
func (h *handler) wake(ctx context.Context, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	switch {
	case st == nil:
		return pipeline.Result{}, nil
	case st.Phase == gaveUp && t.Redrive > 0:
		return h.next(t, st)
	case st.Phase == inForm:
		return h.readForm(ctx, t, st)
	case st.Phase == downloading || st.Phase == categorizing:
		return h.readConnection(ctx, t, st)
	default:
		return pipeline.Result{}, nil
	}
}

// awaited takes the import over from the webform stage.
func (h *handler) awaited(t pipeline.Trigger, st *state) (pipeline.Result, error) {
	e, err := flow.Decode[schemas.WebformAwaited](t.Event)
	switch {
	case err != nil:
		return pipeline.Result{}, err
	case (e.FormID == "") == (e.BankConnectionID == 0):
		return pipeline.Result{}, pipeline.Permanent(flow.ClassInvalidEvent, errors.New("webform-awaited: want one of form_id and bank_connection_id"))
	case st != nil && st.Phase == gaveUp && t.Redrive > 0:
		return h.next(t, st)
	case st != nil && st.Run >= e.Run:
		return pipeline.Result{}, nil // the same event again
	}
	hinted := st != nil && st.Phase == early
	st = newState(e, t.Event)
	if st.Phase == downloading {
		return h.startDownload(flow.NewOutbox(Name, t), t, st, e.BankConnectionID, st.Since.Time)
	}
	wake := h.nextRead(t, st)
	if hinted {
		st.Look, wake = firstLook, t.Now
	}
	return flow.NewOutbox(Name, t).Result(st, pipeline.WakeAt(wake))
}

// hint takes the word of somebody that a form may have ended: a reason to look
// now, never a reason to believe.
func (h *handler) hint(t pipeline.Trigger, st *state) (pipeline.Result, error) {
	e, err := flow.Decode[schemas.WebformCompleted](t.Event)
	switch {
	case err != nil:
		return pipeline.Result{}, err
	case st == nil:
		return flow.NewOutbox(Name, t).Result(state{Version: flow.NewVersion(), Phase: early}, pipeline.WakeChange{})
	case e.FormID != "" && e.FormID != st.FormID:
		return pipeline.Result{}, nil // another form: an orphan, or a stranger's
	case st.Phase == gaveUp && t.Redrive > 0:
		return h.next(t, st)
	case st.Phase != inForm:
		return pipeline.Result{}, nil
	}
	cancelled := st.Cancelled || e.EndedBy == schemas.EndedByCancel
	if st.Look == firstLook && st.Cancelled == cancelled {
		return pipeline.Result{}, nil // a read is on its way because of another hint
	}
	st.Look, st.Cancelled = firstLook, cancelled
	return flow.NewOutbox(Name, t).Result(st, pipeline.WakeAt(later(t.Now, st.earliestRead())))
}

// next begins the next run of an import that was given up, where it was.
func (h *handler) next(t pipeline.Trigger, st *state) (pipeline.Result, error) {
	out := flow.NewOutbox(Name, t)
	st.Run, st.StartedAt, st.Statuses = st.Run+1, schemas.At(t.Now), 0
	if st.Resume == inForm {
		st.Phase, st.Resume, st.Look = inForm, "", firstLook
		out.Add(h.formStatus(t, st))
		return out.Result(st, pipeline.WakeAt(later(t.Now, st.earliestRead())))
	}
	return h.startDownload(out, t, st, st.ConnectionID, t.Now)
}

// GaveUp implements [pipeline.Handler]. Only the timer carries an import on,
// and before it the event that hands the import over; a hint never ends one.
func (h *handler) GaveUp(t pipeline.Trigger, s pipeline.State, cause error) pipeline.Result {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil {
		return pipeline.Result{}
	}
	if t.Event != nil {
		e, err := flow.Decode[schemas.WebformAwaited](t.Event)
		if err != nil || st != nil && st.Run >= e.Run {
			return pipeline.Result{}
		}
		st = newState(e, t.Event)
	}
	if st == nil || !st.holds() {
		return pipeline.Result{}
	}
	out := flow.NewOutbox(Name, t)
	st.Statuses++
	out.GaveUp(st.importOf(t.Key), cause, st.Statuses)
	st.Resume, st.Phase = st.Phase, gaveUp
	r, err := out.Result(st, pipeline.ClearWake())
	if err != nil {
		return pipeline.Result{}
	}
	return r
}

// fail ends the import.
func (h *handler) fail(t pipeline.Trigger, st *state, end flow.Ending) (pipeline.Result, error) {
	out := flow.NewOutbox(Name, t)
	out.Fail(st.importOf(t.Key), end, st.Statuses+1)
	return out.Result(st.done(failed), pipeline.ClearWake())
}
