package webform

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

func cancel() schemas.ImportCancelRequested { return schemas.ImportCancelRequested{ImportID: importID} }

// An import that is cancelled before its request is there ends as soon as it is.
func TestCancelBeforeTheRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request schemas.ImportRequested
		cancels int
		reason  schemas.Reason
	}{
		"once":                    {request(), 1, schemas.ReasonCancelled},
		"twice":                   {request(), 2, schemas.ReasonCancelled},
		"a request that is wrong": {schemas.ImportRequested{ImportID: importID, UserID: "u1", BankID: -1}, 1, schemas.ReasonInvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &forms{}
			m := machine(t, f)
			for range c.cancels {
				if events := mustSend(t, m, cancel()); len(events) != 0 || !m.Wake.IsZero() {
					t.Fatalf("the cancel led to %+v and a timer at %v, want nothing", events, m.Wake)
				}
			}
			events := mustSend(t, m, c.request)
			failed, statuses := flowtest.Of[schemas.ImportFailed](events), flowtest.Of[schemas.ImportStatus](events)
			if len(failed) != 1 || failed[0].Reason != c.reason || failed[0].Run != 1 || failed[0].UserID != "u1" {
				t.Errorf("got %+v, want one import-failed, %s", failed, c.reason)
			}
			if len(statuses) != 1 || statuses[0].Step != schemas.StepFailed {
				t.Errorf("got statuses %+v, want the last one alone", statuses)
			}
			if events := mustSend(t, m, c.request); len(events) != 0 {
				t.Errorf("the request again: %+v, want nothing", events)
			}
			if events := mustSend(t, m, cancel()); len(events) != 0 || len(f.requests)+len(f.cancels) != 0 {
				t.Errorf("a cancel afterwards: %+v and %d calls, want nothing", events, len(f.requests)+len(f.cancels))
			}
		})
	}
}

func TestCancelBetweenRequestAndForm(t *testing.T) {
	t.Parallel()
	f := &forms{}
	m := machine(t, f)
	mustSend(t, m, request())
	events := mustSend(t, m, cancel())
	failed := flowtest.Of[schemas.ImportFailed](events)
	if len(failed) != 1 || failed[0].Reason != schemas.ReasonCancelled || !m.Wake.IsZero() {
		t.Fatalf("got %+v and a timer at %v, want the end", events, m.Wake)
	}
	if events, err := m.Handle(m.Trigger(nil)); err != nil || len(events) != 0 || len(f.requests) != 0 {
		t.Errorf("a timer that fired all the same: %+v, %v, %d forms; want nothing", events, err, len(f.requests))
	}
}

// While the form is open the provider ends it, and the connection stage learns
// that there is something to see. It ends the import, not this stage.
func TestCancelOpenForm(t *testing.T) {
	t.Parallel()
	refused := func(status int, code string, class finapi.Class) func() (finapi.Form, error) {
		return func() (finapi.Form, error) {
			return finapi.Form{}, &finapi.Error{Operation: "cancel_form", Status: status, Code: code, Class: class}
		}
	}
	for name, c := range map[string]struct {
		answer func() (finapi.Form, error)
		told   string
	}{
		"cancelled": {nil, "CANCELLED"},
		"completed in the last moment": {func() (finapi.Form, error) {
			return finapi.Form{ID: formID, Status: finapi.FormCompleted, ConnectionID: 7}, nil
		}, "COMPLETED"},
		"the form is gone":      {refused(404, "NOT_FOUND", finapi.ClassPermanent), ""},
		"there is no such call": {refused(405, "NOT_ALLOWED", finapi.ClassPermanent), ""},
		"a gateway's 404":       {refused(404, finapi.CodeUnknownErrorAnswer, finapi.ClassRetry), ""},
		"it is busy":            {refused(423, "LOCKED", finapi.ClassWait), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &forms{cancel: c.answer}
			m := machine(t, f)
			mustSend(t, m, request())
			mustFire(t, m)
			m.Now = m.Now.Add(time.Minute)
			events := mustSend(t, m, cancel())
			compare(t, "events of the cancel", events, []schemas.Event{schemas.WebformCompleted{
				ImportID: importID, Run: 1, FormID: formID, EndedBy: schemas.EndedByCancel, ToldStatus: c.told, ObservedAt: at(time.Minute),
			}})
			if events := mustSend(t, m, cancel()); len(events) != 0 || len(f.cancels) != 1 {
				t.Errorf("cancelled again: %+v and %d calls, want no more", events, len(f.cancels))
			}
			if events := mustSend(t, m, request()); len(events) != 0 {
				t.Errorf("the request again: %+v, want nothing", events)
			}
		})
	}
}

// What passes is tried again; the import goes on meanwhile.
func TestCancelInTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err         error
		unavailable bool
	}{
		"the provider fails":   {&finapi.Error{Operation: "cancel_form", Status: 500, Code: "INTERNAL_SERVER_ERROR", Class: finapi.ClassRetry}, false},
		"the provider is down": {&finapi.Error{Operation: "cancel_form", Code: finapi.CodeBreakerOpen, Class: finapi.ClassUnavailable, RetryAfter: time.Second}, true},
		"all is 404 just now":  {&finapi.Error{Operation: "cancel_form", Status: 404, Code: finapi.CodeUnknownErrorAnswer, Class: finapi.ClassUnavailable}, true},
		"something else":       {errors.New("broken"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &forms{cancel: func() (finapi.Form, error) { return finapi.Form{}, c.err }}
			m := machine(t, f)
			mustSend(t, m, request())
			mustFire(t, m)
			trigger := m.Trigger(m.Record(cancel()))
			_, err := m.Handle(trigger)
			if _, unavailable := pipeline.RetryAfter(err); err == nil || unavailable != c.unavailable {
				t.Fatalf("got %v, want an error, unavailable: %t", err, c.unavailable)
			}
			before := string(m.Value)
			if events := m.GiveUp(trigger, err); len(events) != 0 || string(m.Value) != before {
				t.Errorf("given up: %+v and state %s; the import belongs to the connection stage", events, m.Value)
			}
			f.cancel = nil
			if hints := flowtest.Of[schemas.WebformCompleted](mustSend(t, m, cancel())); len(hints) != 1 {
				t.Errorf("got %d hints when the provider was back, want 1", len(hints))
			}
		})
	}
}

// A connection that exists is read again without a form.
func TestReread(t *testing.T) {
	t.Parallel()
	f := &forms{}
	m := machine(t, f)
	again := schemas.ImportRequested{ImportID: importID, UserID: "u1", BankConnectionID: 1034871}
	mustSend(t, m, again)
	events := mustFire(t, m)
	compare(t, "events", events, []schemas.Event{schemas.WebformAwaited{
		ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 1034871, StartedAt: at(0),
	}})
	if len(f.users) != 1 || len(f.requests) != 0 || !m.Wake.IsZero() {
		t.Errorf("%d users ensured, %d forms, timer at %v; want a user and no form", len(f.users), len(f.requests), m.Wake)
	}
	for _, e := range []schemas.Event{again, cancel()} {
		if events := mustSend(t, m, e); len(events) != 0 || len(f.cancels) != 0 {
			t.Errorf("%s afterwards: %+v and %d cancels, want nothing", e.Type(), events, len(f.cancels))
		}
	}
}

func TestRereadTrouble(t *testing.T) {
	t.Parallel()
	f := &forms{ensure: func() error {
		return &finapi.Error{Operation: "create_user", Status: 500, Code: "UNEXPECTED_ERROR", Class: finapi.ClassRetry}
	}}
	m := machine(t, f)
	mustSend(t, m, schemas.ImportRequested{ImportID: importID, UserID: "u1", BankConnectionID: 7})
	if _, err := m.Fire(); err == nil || !strings.Contains(err.Error(), "create_user") {
		t.Errorf("got %v, want an error of the provider", err)
	}
}
