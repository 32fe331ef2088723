// Package webform takes requests and opens web forms.
//
//	import-requested → webform-created, webform-awaited
//
// What it remembers of an import:
//
//	         request                    timer: form created, or a connection named
//	(none) ─────────▶ requested ───────────────────────────▶ form_open
//	  │ │                │  ▲                                (the connection stage holds it now)
//	  │ │ cancel,        │  │ redriven: next run
//	  │ ▼                ▼  │
//	  │ cancelled ──▶ failed, gave_up
//	  └───────────────▶ failed: the request breaks the contract
//
// It holds the import while the state is requested, and then only its timer can
// end it. A form is created in a step of its own, after the status "requested"
// is committed: upstream sees at once that the request has arrived, however
// slow the provider is. A crash after the provider has created a form leaves
// one whose address nobody knows; it expires by itself.
package webform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

const (
	// Name of the stage.
	Name = "webform"

	input = schemas.TopicImportRequested

	// callbackLife is how long a callback URL counts: a form's life and a day,
	// because the provider may close abandoned forms late.
	callbackLife = 25 * time.Hour
)

// ClassConflictingRequest is the class of dead letters of this stage alone: the id
// of an import is used again with other content.
const ClassConflictingRequest = "conflicting_request"

// provider is the part of the provider this stage needs.
type provider interface {
	User(upstreamUserID string) finapi.User
	EnsureUser(ctx context.Context, user finapi.User) error
	CreateForm(ctx context.Context, user finapi.User, request finapi.FormRequest) (finapi.Form, error)
	CancelForm(ctx context.Context, user finapi.User, id string) (finapi.Form, error)
}

// sealer makes the secret part of a callback URL.
type sealer interface {
	Seal(t callback.Token) (string, error)
}

// Config of the stage.
type Config struct {
	// Provider creates users and forms, and cancels these. Required.
	Provider provider
	// Callbacks seals the token in the callback URL. Required.
	Callbacks sealer
	// CallbackBaseURL is where the webhook bridge is reached from outside, like
	// https://bridge.example.com, without a path at the end. Required.
	CallbackBaseURL string
	// AccountTypes are asked for where a request names none. Default: all.
	AccountTypes []string
	// FormGrace is how long the connection stage waits after the end of a form.
	// The status tells it.
	FormGrace time.Duration
}

func (c Config) validate() error {
	var errs []error
	if c.Provider == nil {
		errs = append(errs, errors.New("webform: no provider"))
	}
	if c.Callbacks == nil {
		errs = append(errs, errors.New("webform: nothing to seal callback tokens with"))
	}
	if c.CallbackBaseURL == "" {
		errs = append(errs, errors.New("webform: no base URL for callbacks"))
	}
	return errors.Join(errs...)
}

// New returns the stage. Handling a request twice creates one form, unless the
// first attempt died between the provider's answer and the commit.
func New(c Config) (pipeline.Stage, error) {
	if err := c.validate(); err != nil {
		return pipeline.Stage{}, err
	}
	c.CallbackBaseURL = strings.TrimRight(c.CallbackBaseURL, "/")
	return pipeline.Stage{
		Name:  Name,
		Input: input,
		Outputs: []string{
			schemas.TopicWebformCreated, schemas.TopicWebformCompleted,
			schemas.TopicImportFailed, schemas.TopicImportStatus,
		},
		Classes: flow.Classes(ClassConflictingRequest),
		Handler: &handler{c},
	}, nil
}

type handler struct{ Config }

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
	case name == schemas.TypeImportCancelRequested:
		return h.cancel(ctx, t, st)
	default:
		return h.request(t, st)
	}
}

// wake does the step that waits for the timer.
func (h *handler) wake(ctx context.Context, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	switch {
	case st == nil:
		return pipeline.Result{}, nil
	case st.Phase == gaveUp && t.Redrive > 0:
		return st.next(t)
	case st.Phase == requested && st.Request.BankConnectionID != 0:
		return h.reread(ctx, t, *st)
	case st.Phase == requested:
		return h.openForm(ctx, t, *st)
	default:
		return pipeline.Result{}, nil
	}
}

// request takes an import-requested.
func (h *handler) request(t pipeline.Trigger, st *state) (pipeline.Result, error) {
	c := read(t.Event.Value)
	switch {
	case c.importID == "":
		return pipeline.Result{}, pipeline.Permanent(flow.ClassInvalidEvent, fmt.Errorf("no readable import_id: %w", c.problem))
	case c.importID != t.Key:
		return pipeline.Result{}, pipeline.Permanent(flow.ClassInvalidEvent, errors.New("import_id is not the record's key"))
	case st != nil && st.Phase == cancelled:
		return cancelledBefore(t, c)
	case st != nil && st.Hash != c.hash:
		return pipeline.Result{}, pipeline.Permanent(ClassConflictingRequest, errors.New("the import id is in use with other content; every import needs an id of its own"))
	case st != nil && st.Phase == gaveUp && t.Redrive > 0:
		return st.next(t)
	case st != nil:
		return pipeline.Result{}, nil // the same request again
	case c.problem != nil:
		return refuse(t, c)
	default:
		return newState(c, t.Now).begin(t)
	}
}

// refuse ends an import whose request breaks the contract.
func refuse(t pipeline.Trigger, c content) (pipeline.Result, error) {
	out := flow.NewOutbox(Name, t)
	out.Fail(
		flow.Import{ID: c.importID, Run: 1, UserID: c.userID},
		flow.Ending{Reason: schemas.ReasonInvalidRequest, Error: c.problem.Error()},
		1,
	)
	return out.Result(state{Version: flow.NewVersion(), Phase: failed, Run: 1, Hash: c.hash}, pipeline.ClearWake())
}

// GaveUp implements [pipeline.Handler]. Only the timer that creates the form
// carries an import on, and before it the first request.
func (h *handler) GaveUp(t pipeline.Trigger, s pipeline.State, cause error) pipeline.Result {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil {
		return pipeline.Result{}
	}
	switch {
	case t.Event != nil && (st == nil || st.Phase == cancelled):
		name, err := flow.TypeOf(t.Event, input)
		if err != nil || name != schemas.TypeImportRequested {
			return pipeline.Result{}
		}
		c := read(t.Event.Value)
		if c.problem != nil || c.importID != t.Key {
			return pipeline.Result{}
		}
		st = newState(c, t.Now)
	case st == nil || st.Phase != requested || t.Event != nil:
		return pipeline.Result{}
	}
	st.Statuses++
	out := flow.NewOutbox(Name, t)
	out.GaveUp(st.importOf(t.Key), cause, st.Statuses)
	st.Phase = gaveUp
	r, err := out.Result(st, pipeline.ClearWake())
	if err != nil {
		return pipeline.Result{}
	}
	return r
}
