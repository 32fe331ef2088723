package simulator

import (
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// formEnd is how a form is about to end whose person has done everything right.
type formEnd struct {
	status     api.WebFormStatus
	code       string
	connection bool // is made or updated
	gone       bool // the form is deleted at once
}

// formFaults are ends of forms that no person can bring about. They strike with
// the mutex held.
func formFaults() []*faultKind {
	show := []string{"create-form", "get-form"}
	return []*faultKind{
		{name: "form-short-lived", what: "The form expires this long after it was made, if not before.", standard: Fault{Delay: 10 * time.Second}, make: func(f *form, x Fault) {
			if at := f.created.Add(x.Delay); at.Before(f.expires) {
				f.expires = at
			}
		}},
		{name: "form-expires-inside", what: "The form expires when the person in it has logged in.", login: func(s *Simulator, f *form, _ Fault, now time.Time) {
			s.end(f, api.WebFormStatusExpired, "", now)
		}},
		{name: "form-token-dies", what: "The token that made the form dies when the person has logged in: the form ends as INVALID_TOKEN.", login: func(_ *Simulator, f *form, _ Fault, now time.Time) {
			if f.token != nil {
				f.token.expires = now
			}
		}},
		{name: "form-error", what: "The form ends with an error and this code, one of the contract's or any other.", standard: Fault{Code: "INTERNAL_ERROR"}, finish: func(_ *Simulator, _ *form, x Fault, e *formEnd) {
			*e = formEnd{status: api.WebFormStatusCompletedWithError, code: x.Code}
		}},
		{name: "form-error-connected", what: "The form ends with an error although the connection is made; its id is in the form.", standard: Fault{Code: "INTERNAL_ERROR"}, finish: func(_ *Simulator, _ *form, x Fault, e *formEnd) {
			*e = formEnd{status: api.WebFormStatusCompletedWithError, code: x.Code, connection: true}
		}},
		{name: "form-expired-connected", what: "The form expires in the moment in which it completes; the connection is made.", finish: func(_ *Simulator, _ *form, _ Fault, e *formEnd) {
			e.status = api.WebFormStatusExpired
		}},
		{name: "form-aborted-connected", what: "The form ends as aborted although the connection is made.", finish: func(_ *Simulator, _ *form, _ Fault, e *formEnd) {
			e.status = api.WebFormStatusAborted
		}},
		{name: "form-unconnected", what: "The form ends well, and no connection is there.", finish: func(_ *Simulator, _ *form, _ Fault, e *formEnd) {
			e.connection = false
		}},
		{name: "form-status", what: "The form ends with this status, which no contract has.", standard: Fault{Code: "ERROR"}, finish: func(_ *Simulator, _ *form, x Fault, e *formEnd) {
			e.status = api.WebFormStatus(x.Code)
		}},
		{name: "form-gone", what: "The form is deleted when it ends; its callback goes out, reading it gives 404.", finish: func(_ *Simulator, _ *form, _ Fault, e *formEnd) {
			e.gone = true
		}},
		{name: "form-foreign-url", what: "The form's address is on a host that is not the provider's.", ops: show, edit: func(e *edit) {
			e.body["url"] = "https://forms.example.net/wf/00000000"
		}},
	}
}

func (f *form) target() target { return target{user: f.user.id, bank: f.bank.ID} }

// finishOf is how the form ends that could now end well. The caller holds the
// mutex.
func (s *Simulator) finishOf(f *form) *formEnd {
	e := &formEnd{status: api.WebFormStatusCompleted, connection: true}
	s.strike(f.target(), func(k *faultKind) bool { return k.finish != nil }, func(k *faultKind, x Fault) { k.finish(s, f, x, e) })
	return e
}
