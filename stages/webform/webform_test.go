package webform

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const (
	importID = "0a1b2c3d-0000-4000-8000-000000000001"
	formID   = "f0000000-0000-4000-8000-000000000001"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) schemas.Instant { return schemas.At(start.Add(d)) }

// forms is a provider whose answers are set by the test. It keeps the calls.
type forms struct {
	ensure   func() error
	create   func() (finapi.Form, error)
	cancel   func() (finapi.Form, error)
	users    []string
	requests []finapi.FormRequest
	cancels  []string // forms
}

func (f *forms) User(id string) finapi.User { return finapi.User{ID: "p-" + id} }

func (f *forms) EnsureUser(_ context.Context, u finapi.User) error {
	f.users = append(f.users, u.ID)
	if f.ensure != nil {
		return f.ensure()
	}
	return nil
}

func (f *forms) CreateForm(_ context.Context, _ finapi.User, r finapi.FormRequest) (finapi.Form, error) {
	f.requests = append(f.requests, r)
	if f.create != nil {
		return f.create()
	}
	return finapi.Form{ID: formID, URL: "https://form.example/wf/1", Status: finapi.FormNotYetOpened, ExpiresAt: start.Add(20 * time.Minute)}, nil
}

func (f *forms) CancelForm(_ context.Context, _ finapi.User, id string) (finapi.Form, error) {
	f.cancels = append(f.cancels, id)
	if f.cancel != nil {
		return f.cancel()
	}
	return finapi.Form{ID: id, Status: finapi.FormCancelled}, nil
}

// plainSealer makes tokens that a test can read.
type plainSealer struct{ err error }

func (s plainSealer) Seal(t callback.Token) (string, error) {
	return strings.Join([]string{t.ImportID, string(rune('0' + t.Run)), t.Expires.Format("150405")}, "."), s.err
}

func machine(t flowtest.TB, f *forms) *flowtest.Machine {
	t.Helper()
	stage, err := New(Config{
		Provider: f, Callbacks: plainSealer{}, CallbackBaseURL: "https://bridge.example.test/",
		AccountTypes: []string{"checking", "savings"}, FormGrace: 2 * time.Minute,
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := stage.Validate(); err != nil {
		t.Fatalf("stage: %v", err)
	}
	return flowtest.New(t, stage, importID, start)
}

func request() schemas.ImportRequested {
	return schemas.ImportRequested{ImportID: importID, UserID: "u1", BankID: 280001}
}

func status(step schemas.Step, waiting schemas.WaitingFor, when schemas.Instant, change func(*schemas.ImportStatus)) schemas.ImportStatus {
	s := schemas.ImportStatus{
		ImportID: importID, Run: 1, UserID: "u1", Step: step, StepNo: step.Number(), WaitingFor: waiting, SinceAt: when, UpdatedAt: when,
	}
	if change != nil {
		change(&s)
	}
	return s
}

func compare(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func mustSend(t *testing.T, m *flowtest.Machine, e schemas.Event) []schemas.Event {
	t.Helper()
	events, err := m.Send(e)
	if err != nil {
		t.Fatalf("send %s: %v", e.Type(), err)
	}
	return events
}

func mustFire(t *testing.T, m *flowtest.Machine) []schemas.Event {
	t.Helper()
	events, err := m.Fire()
	if err != nil {
		t.Fatalf("timer: %v", err)
	}
	return events
}

func TestRequestOpensForm(t *testing.T) {
	t.Parallel()
	f := &forms{}
	m := machine(t, f)

	compare(t, "events of the request", mustSend(t, m, request()), []schemas.Event{
		status(schemas.StepRequested, schemas.WaitingForUs, at(0), nil),
	})
	if len(f.requests) != 0 || len(f.users) != 0 {
		t.Fatalf("the provider was called before the request was committed: %v", f.requests)
	}
	if !m.Wake.Equal(start) {
		t.Errorf("wake at %v, want now", m.Wake)
	}

	m.Now = start.Add(time.Second)
	compare(t, "events of the timer", mustFire(t, m), []schemas.Event{
		schemas.WebformCreated{
			ImportID: importID, Run: 1, UserID: "u1", FormID: formID, URL: "https://form.example/wf/1", ExpiresAt: at(20 * time.Minute),
		},
		schemas.WebformAwaited{ImportID: importID, Run: 1, UserID: "u1", FormID: formID, ExpiresAt: at(20 * time.Minute), StartedAt: at(0)},
		status(schemas.StepFormOpen, schemas.WaitingForUser, at(time.Second), func(s *schemas.ImportStatus) {
			s.UntilAt, s.FormExpiresAt = at(22*time.Minute), at(20*time.Minute)
		}),
	})
	compare(t, "users", f.users, []string{"p-u1"})
	compare(t, "form request", f.requests, []finapi.FormRequest{{
		BankID: 280001, AccountTypes: []string{"checking", "savings"},
		CallbackURL: "https://bridge.example.test/callbacks/finapi/" + importID + ".1.130001",
	}})
	if !m.Wake.IsZero() {
		t.Errorf("a timer is left at %v", m.Wake)
	}
}

func TestRequestIsPassedOn(t *testing.T) {
	t.Parallel()
	f := &forms{}
	m := machine(t, f)
	r := request()
	r.BankID, r.BankSearch, r.AccountTypes = 0, "Sparkasse", []string{"credit_card"}
	r.MaxDays, r.ConnectionName, r.ProfileID = new(90), "My bank", "a1111111-2222-4333-8444-555555555555"
	mustSend(t, m, r)
	mustFire(t, m)
	got := f.requests[0]
	got.CallbackURL = ""
	compare(t, "form request", got, finapi.FormRequest{
		BankSearch: "Sparkasse", AccountTypes: []string{"credit_card"}, MaxDays: 90, ConnectionName: "My bank",
		ProfileID: "a1111111-2222-4333-8444-555555555555",
	})
}

// TestSameRequestAgain: a known id with the same content changes nothing, in
// whatever phase the import is.
func TestSameRequestAgain(t *testing.T) {
	t.Parallel()
	again := request()
	again.RequestedAt = at(time.Hour)
	invalid := request()
	invalid.MaxDays = new(3)
	for name, c := range map[string]struct {
		first schemas.ImportRequested
		steps func(t *testing.T, m *flowtest.Machine)
		again schemas.ImportRequested
	}{
		"A33 requested":     {request(), nil, again},
		"A33 A35 form open": {request(), func(t *testing.T, m *flowtest.Machine) { mustFire(t, m) }, again},
		"A33 gave up":       {request(), func(_ *testing.T, m *flowtest.Machine) { m.GiveUp(m.Trigger(nil), errors.New("x")) }, again},
		"A35 was invalid":   {invalid, nil, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, &forms{})
			mustSend(t, m, c.first)
			if c.steps != nil {
				c.steps(t, m)
			}
			value, wake := string(m.Value), m.Wake
			if events := mustSend(t, m, c.again); len(events) != 0 {
				t.Errorf("events %+v, want none", events)
			}
			if string(m.Value) != value || !m.Wake.Equal(wake) {
				t.Errorf("state %s wake %v, want %s and %v as before", m.Value, m.Wake, value, wake)
			}
		})
	}
}

// TestSetsAreEqual: the order of account types and requested_at are no content.
func TestSetsAreEqual(t *testing.T) {
	t.Parallel()
	m := machine(t, &forms{})
	r := request()
	r.AccountTypes = []string{"checking", "savings"}
	mustSend(t, m, r)
	r.AccountTypes = []string{"savings", "checking"}
	if events := mustSend(t, m, r); len(events) != 0 {
		t.Errorf("events %+v, want none", events)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	raw := func(s string) func(*flowtest.Machine) *pipeline.Record {
		return func(m *flowtest.Machine) *pipeline.Record { return m.Raw([]byte(s)) }
	}
	known := func(s string) func(*flowtest.Machine) *pipeline.Record {
		return func(m *flowtest.Machine) *pipeline.Record {
			if _, err := m.Send(request()); err != nil {
				m.T.Fatalf("first request: %v", err)
			}
			return m.Raw([]byte(s))
		}
	}
	typed := func(types ...string) func(*flowtest.Machine) *pipeline.Record {
		return func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(request())
			r.Headers = nil
			for _, name := range types {
				r.Headers = append(r.Headers, pipeline.Header{Key: schemas.HeaderType, Value: []byte(name)})
			}
			return r
		}
	}
	for name, c := range map[string]struct {
		record func(*flowtest.Machine) *pipeline.Record
		class  string
	}{
		"A2 no value":            {func(m *flowtest.Machine) *pipeline.Record { return m.Raw(nil) }, flow.ClassInvalidEvent},
		"A1 empty value":         {raw(""), flow.ClassInvalidEvent},
		"not JSON":               {raw("hello"), flow.ClassInvalidEvent},
		"a list":                 {raw("[]"), flow.ClassInvalidEvent},
		"no id":                  {raw(`{"user_id":"u1"}`), flow.ClassInvalidEvent},
		"id is no UUID":          {raw(`{"import_id":"7","user_id":"u1"}`), flow.ClassInvalidEvent},
		"id is upper case":       {raw(`{"import_id":"` + strings.ToUpper(importID) + `","user_id":"u1"}`), flow.ClassInvalidEvent},
		"id twice":               {raw(`{"import_id":"` + importID + `","import_id":"` + importID + `","user_id":"u1"}`), flow.ClassInvalidEvent},
		"A4 id is not the key":   {raw(`{"import_id":"0a1b2c3d-0000-4000-8000-000000000002","user_id":"u1"}`), flow.ClassInvalidEvent},
		"garbage":                {raw(strings.Repeat("\x00\xff\x17", 333_333)), flow.ClassInvalidEvent},
		"a million spaces":       {raw(strings.Repeat(" ", 1_000_000)), flow.ClassInvalidEvent},
		"deep":                   {raw(strings.Repeat("[", 100_000)), flow.ClassInvalidEvent},
		"A34 other content":      {known(`{"import_id":"` + importID + `","user_id":"u2"}`), ClassConflictingRequest},
		"A34 other, not valid":   {known(`{"import_id":"` + importID + `","user_id":"u1","max_days":1}`), ClassConflictingRequest},
		"A34 other, wrong types": {known(`{"import_id":"` + importID + `","user_id":7}`), ClassConflictingRequest},
		"cancel of another": {func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(schemas.ImportCancelRequested{ImportID: "0a1b2c3d-0000-4000-8000-000000000002"})
			return r
		}, flow.ClassInvalidEvent},
		"cancel of nothing": {func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(schemas.ImportCancelRequested{ImportID: importID})
			r.Value = []byte("{}")
			return r
		}, flow.ClassInvalidEvent},
		"A15 next version":    {typed("bankimport.import-requested.v2"), flow.ClassInvalidEvent},
		"A15 version 99":      {typed("bankimport.import-requested.v99"), flow.ClassInvalidEvent},
		"A15 version 0":       {typed("bankimport.import-requested.v0"), flow.ClassInvalidEvent},
		"A15 version missing": {typed("bankimport.import-requested"), flow.ClassInvalidEvent},
		"A38 binary type":     {typed("\x00\xff\r\n"), flow.ClassInvalidEvent},
		"A38 two types":       {typed("bankimport.import-requested.v1", "bankimport.account.v1"), flow.ClassInvalidEvent},
		"A3 null key": {func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(request())
			r.Key, m.Key = nil, ""
			return r
		}, flow.ClassInvalidEvent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, &forms{})
			trigger := m.Trigger(c.record(m))
			trigger.Key = m.Key
			value, wake := string(m.Value), m.Wake
			_, err := m.Handle(trigger)
			if class, _ := pipeline.Class(err); class != c.class {
				t.Fatalf("error %v of class %q, want class %q", err, class, c.class)
			}
			if events := m.GiveUp(trigger, err); len(events) != 0 {
				t.Errorf("events beside the dead letter: %+v, want none", events)
			}
			if string(m.Value) != value || !m.Wake.Equal(wake) {
				t.Errorf("state %s wake %v, want %s and %v as before", m.Value, m.Wake, value, wake)
			}
			if strings.Contains(err.Error(), "u1") || strings.Contains(err.Error(), importID) {
				t.Errorf("error quotes the record: %v", err)
			}
		})
	}
}

// TestHeaders: of a request's headers only its type is asked for, and that only
// where there is one.
func TestHeaders(t *testing.T) {
	t.Parallel()
	usual := machine(t, &forms{}).Record(request()).Headers
	many := func(key string) []pipeline.Header {
		all := slices.Clone(usual)
		for range 1000 {
			all = append(all, pipeline.Header{Key: key, Value: []byte("x")})
		}
		return all
	}
	for name, headers := range map[string][]pipeline.Header{
		"A38 none":             nil,
		"A38 doubled":          append(slices.Clone(usual), usual...),
		"A38 1,000 of them":    many("x"),
		"A38 1,000 of one key": many("ce_time"),
		"A38 binary": append([]pipeline.Header{
			{Key: "", Value: nil}, {Key: "\x00\xff", Value: []byte("\xff\x00\r\n")},
			{Key: "ce_id", Value: []byte("\xff")}, {Key: "ce_time", Value: []byte("\x00")}, {Key: "traceparent", Value: []byte("\xff\r\n")},
		}, pipeline.Header{Key: schemas.HeaderType, Value: []byte("bankimport.import-requested.v1")}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, &forms{})
			r := m.Record(request())
			r.Headers = headers
			events, err := m.Handle(m.Trigger(r))
			if err != nil {
				t.Fatal(err)
			}
			if statuses := flowtest.Of[schemas.ImportStatus](events); len(statuses) != 1 || statuses[0].Step != schemas.StepRequested || m.Wake.IsZero() {
				t.Errorf("events %+v, wake %v; want the request taken", events, m.Wake)
			}
		})
	}
}

func TestInvalidRequestEndsImport(t *testing.T) {
	t.Parallel()
	prefix := `{"import_id":"` + importID + `"`
	for name, c := range map[string]struct {
		value string
		user  string
		says  string
	}{
		"no user":               {prefix + `}`, "", "user_id"},
		"empty user":            {prefix + `,"user_id":""}`, "", "user_id"},
		"unknown account type":  {prefix + `,"user_id":"u1","account_types":["giro"]}`, "u1", "account_types"},
		"empty account types":   {prefix + `,"user_id":"u1","account_types":[]}`, "u1", "account_types"},
		"unknown field":         {prefix + `,"user_id":"u1","account_type":["checking"]}`, "u1", "account_types"},
		"wrong type":            {prefix + `,"user_id":"u1","max_days":"90"}`, "u1", "max_days"},
		"max_days between":      {prefix + `,"user_id":"u1","max_days":13}`, "u1", "max_days"},
		"bank twice":            {prefix + `,"user_id":"u1","bank_id":1,"bank_search":"x"}`, "u1", "bank_search"},
		"connection and a bank": {prefix + `,"user_id":"u1","bank_connection_id":7,"bank_id":1}`, "u1", "bank_id"},
		"far too long":          {prefix + `,"user_id":"u1","bank_search":"` + strings.Repeat("x", 900_000) + `"}`, "u1", "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &forms{}
			m := machine(t, f)
			events, err := m.Handle(m.Trigger(m.Raw([]byte(c.value))))
			if err != nil {
				t.Fatalf("request: %v", err)
			}
			failed := flowtest.Of[schemas.ImportFailed](events)
			compare(t, "final event", failed, []schemas.ImportFailed{{
				ImportID: importID, Run: 1, UserID: c.user, Reason: schemas.ReasonInvalidRequest, FailedAt: at(0),
			}})
			statuses := flowtest.Of[schemas.ImportStatus](events)
			if len(statuses) != 1 || statuses[0].Step != schemas.StepFailed || statuses[0].Reason != schemas.ReasonInvalidRequest ||
				!strings.Contains(statuses[0].LastError, c.says) || len(statuses[0].LastError) > 600 {
				t.Errorf("status %+v, want failed, with an error about %q", statuses, c.says)
			}
			if !m.Wake.IsZero() || len(f.requests) != 0 {
				t.Errorf("wake %v, calls %v, want neither", m.Wake, f.requests)
			}
			again, err := m.Handle(m.Trigger(m.Raw([]byte(c.value))))
			if err != nil || len(again) != 0 {
				t.Errorf("the same again: %v, %v, want nothing", again, err)
			}
		})
	}
}

func TestRefusedForm(t *testing.T) {
	t.Parallel()
	refuse := func(status int, code string, class finapi.Class) error {
		return &finapi.Error{Operation: "create_form", Status: status, Code: code, Class: class}
	}
	profile := request()
	profile.ProfileID = "a1111111-2222-4333-8444-555555555555"
	for name, c := range map[string]struct {
		request schemas.ImportRequested
		err     error
		reason  schemas.Reason
		code    string
	}{
		"bank not supported":   {request(), refuse(422, "BANK_NOT_SUPPORTED", finapi.ClassUser), schemas.ReasonBankUnsupported, "BANK_NOT_SUPPORTED"},
		"bank not unique":      {request(), refuse(422, "BANK_NOT_UNIQUE", finapi.ClassUser), schemas.ReasonInvalidRequest, "BANK_NOT_UNIQUE"},
		"misconfigured":        {request(), refuse(422, "MANDATOR_MISCONFIGURATION", finapi.ClassPermanent), schemas.ReasonProviderMisconfigured, "MANDATOR_MISCONFIGURATION"},
		"redirect":             {request(), refuse(422, "INVALID_REDIRECT_URL", finapi.ClassPermanent), schemas.ReasonProviderMisconfigured, "INVALID_REDIRECT_URL"},
		"unknown profile":      {profile, refuse(404, "NOT_FOUND", finapi.ClassPermanent), schemas.ReasonInvalidRequest, "NOT_FOUND"},
		"404 without profile":  {request(), refuse(404, "NOT_FOUND", finapi.ClassPermanent), schemas.ReasonProviderError, "NOT_FOUND"},
		"unknown code":         {request(), refuse(422, "SOMETHING_NEW", finapi.ClassPermanent), schemas.ReasonProviderError, "SOMETHING_NEW"},
		"error without a code": {request(), refuse(400, finapi.CodeUnknownErrorAnswer, finapi.ClassPermanent), schemas.ReasonProviderError, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, &forms{create: func() (finapi.Form, error) { return finapi.Form{}, c.err }})
			mustSend(t, m, c.request)
			events := mustFire(t, m)
			compare(t, "final event", flowtest.Of[schemas.ImportFailed](events), []schemas.ImportFailed{{
				ImportID: importID, Run: 1, UserID: "u1", Reason: c.reason, ProviderCode: c.code,
				Retryable: c.reason.Retryable(), StartedAt: at(0), FailedAt: at(0),
			}})
			if !m.Wake.IsZero() || len(events) != 2 {
				t.Errorf("wake %v, %d events, want no timer and two events", m.Wake, len(events))
			}
		})
	}
}

// TestProviderTrouble: what is not the import's fault goes to the engine.
func TestProviderTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err         error
		class       string
		unavailable bool
	}{
		"5xx":             {&finapi.Error{Status: 500, Class: finapi.ClassRetry}, "", false},
		"busy":            {&finapi.Error{Status: 423, Class: finapi.ClassWait, Code: "LOCKED"}, "", false},
		"breaker":         {&finapi.Error{Code: finapi.CodeBreakerOpen, Class: finapi.ClassUnavailable, RetryAfter: time.Minute}, "", true},
		"login refused":   {&finapi.Error{Status: 400, Code: finapi.CodeUserRefused, Class: finapi.ClassPermanent}, flow.ClassLoginRefused, false},
		"malformed":       {&finapi.Error{Status: 201, Code: finapi.CodeMalformed, Class: finapi.ClassPermanent}, flow.ClassUnexpectedAnswer, false},
		"context":         {context.Canceled, "", false},
		"another failure": {errors.New("x"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, f := range []*forms{
				{ensure: func() error { return c.err }},
				{create: func() (finapi.Form, error) { return finapi.Form{}, c.err }},
			} {
				m := machine(t, f)
				mustSend(t, m, request())
				_, err := m.Fire()
				if !errors.Is(err, c.err) {
					t.Fatalf("error %v, want %v", err, c.err)
				}
				class, _ := pipeline.Class(err)
				after, unavailable := pipeline.RetryAfter(err)
				if class != c.class || unavailable != c.unavailable || unavailable && after != time.Minute {
					t.Errorf("class %q, unavailable %v after %v; want %q, %v", class, unavailable, after, c.class, c.unavailable)
				}
			}
		})
	}
}

// TestUserGone: a user who was deleted since is created anew for the next form.
func TestUserGone(t *testing.T) {
	t.Parallel()
	f := &forms{}
	f.create = func() (finapi.Form, error) {
		f.create = nil
		return finapi.Form{}, &finapi.Error{Operation: "user_token", Status: 400, Code: finapi.CodeUserGone, Class: finapi.ClassPermanent}
	}
	m := machine(t, f)
	mustSend(t, m, request())
	if events, err := m.Fire(); !finapi.UserGone(err) {
		t.Fatalf("events %+v, error %v; want the error, so that there is another attempt", events, err)
	}
	if created := flowtest.Of[schemas.WebformCreated](mustFire(t, m)); len(created) != 1 || len(f.users) != 2 {
		t.Errorf("%d forms, user ensured %d times; want 1 and 2", len(created), len(f.users))
	}
}

// TestFormWithoutEnd: an answer that no event can carry is given up, not retried.
func TestFormWithoutEnd(t *testing.T) {
	t.Parallel()
	m := machine(t, &forms{create: func() (finapi.Form, error) { return finapi.Form{ID: formID, URL: "https://x"}, nil }})
	mustSend(t, m, request())
	_, err := m.Fire()
	if class, _ := pipeline.Class(err); class != flow.ClassUnexpectedAnswer {
		t.Errorf("error %v, want class %s", err, flow.ClassUnexpectedAnswer)
	}
}

func TestGiveUpAndRedrive(t *testing.T) {
	t.Parallel()
	for name, redriven := range map[string]func(m *flowtest.Machine) pipeline.Trigger{
		"the timer":   func(m *flowtest.Machine) pipeline.Trigger { return m.Trigger(nil) },
		"the request": func(m *flowtest.Machine) pipeline.Trigger { return m.Trigger(m.Record(request())) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			down := true
			f := &forms{}
			f.create = func() (finapi.Form, error) {
				if down {
					return finapi.Form{}, &finapi.Error{Operation: "create_form", Status: 500, Code: "INTERNAL_SERVER_ERROR", Class: finapi.ClassRetry}
				}
				return finapi.Form{ID: formID, URL: "https://x", ExpiresAt: start.Add(2 * time.Hour)}, nil
			}
			m := machine(t, f)
			mustSend(t, m, request())
			_, cause := m.Fire()
			events := m.GiveUp(m.Trigger(nil), cause)
			compare(t, "events of giving up", events, []schemas.Event{
				schemas.ImportFailed{
					ImportID: importID, Run: 1, UserID: "u1", Reason: schemas.ReasonGaveUp, ProviderCode: "INTERNAL_SERVER_ERROR",
					Retryable: true, StartedAt: at(0), FailedAt: at(0),
				},
				status(schemas.StepFailed, schemas.WaitingForNobody, at(0), func(s *schemas.ImportStatus) {
					s.Reason = schemas.ReasonGaveUp
					s.LastError = "provider: create_form: INTERNAL_SERVER_ERROR (status 500)"
				}),
			})
			if !m.Wake.IsZero() {
				t.Fatalf("a timer is left at %v", m.Wake)
			}

			down = false
			m.Now = start.Add(time.Hour)
			plain := redriven(m)
			if events, err := m.Handle(plain); err != nil || len(events) != 0 {
				t.Fatalf("without redrive: %v, %v, want nothing", events, err)
			}
			plain.Redrive = 1
			events, err := m.Handle(plain)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "events of the redrive", events, []schemas.Event{
				status(schemas.StepRequested, schemas.WaitingForUs, at(time.Hour), func(s *schemas.ImportStatus) { s.Run = 2 }),
			})
			awaited := flowtest.Of[schemas.WebformAwaited](mustFire(t, m))
			if len(awaited) != 1 || awaited[0].Run != 2 || !awaited[0].StartedAt.Equal(at(time.Hour).Time) {
				t.Errorf("webform-awaited %+v, want run 2", awaited)
			}
			// The same redrive again, and one of an import that goes well, are plain triggers.
			if events, err := m.Handle(plain); err != nil || len(events) != 0 {
				t.Errorf("redriven again: %v, %v, want nothing", events, err)
			}
		})
	}
}

// TestConflictRedriven: a conflict stays one, also while the import is given up.
func TestConflictRedriven(t *testing.T) {
	t.Parallel()
	m := machine(t, &forms{})
	mustSend(t, m, request())
	m.GiveUp(m.Trigger(nil), errors.New("x"))
	other := request()
	other.UserID = "u2"
	trigger := m.Trigger(m.Record(other))
	trigger.Redrive = 1
	_, err := m.Handle(trigger)
	if class, _ := pipeline.Class(err); class != ClassConflictingRequest {
		t.Errorf("error %v, want class %s", err, ClassConflictingRequest)
	}
}

// TestRequestGivenUp: a request that the handler could not even take (a panic)
// ends the import, because there is nobody else to do it.
func TestRequestGivenUp(t *testing.T) {
	t.Parallel()
	m := machine(t, &forms{})
	trigger := m.Trigger(m.Record(request()))
	failed := flowtest.Of[schemas.ImportFailed](m.GiveUp(trigger, errors.New("handler panicked")))
	if len(failed) != 1 || failed[0].Reason != schemas.ReasonGaveUp || failed[0].Run != 1 {
		t.Fatalf("import-failed %+v, want gave_up in run 1", failed)
	}
	trigger.Redrive = 1
	events, err := m.Handle(trigger)
	if err != nil || len(events) != 1 {
		t.Fatalf("redrive: %v, %v, want one status", events, err)
	}
	mustFire(t, m)
}

// TestCrashAfterCreate: a step whose result was lost is done again, and what is
// published is what the second attempt says.
func TestCrashAfterCreate(t *testing.T) {
	t.Parallel()
	n := 0
	f := &forms{create: func() (finapi.Form, error) {
		n++
		return finapi.Form{ID: "form-" + string(rune('0'+n)), URL: "https://x", ExpiresAt: start.Add(time.Hour)}, nil
	}}
	m := machine(t, f)
	mustSend(t, m, request())
	if _, err := m.Try(m.Trigger(nil)); err != nil {
		t.Fatal(err)
	}
	awaited := flowtest.Of[schemas.WebformAwaited](mustFire(t, m))
	if len(awaited) != 1 || awaited[0].FormID != "form-2" {
		t.Errorf("webform-awaited %+v, want the second form only", awaited)
	}
}

func TestStateShrinks(t *testing.T) {
	t.Parallel()
	m := machine(t, &forms{})
	r := request()
	r.BankID, r.BankSearch = 0, "DE02120300000000202051"
	mustSend(t, m, r)
	mustFire(t, m)
	var st map[string]any
	if err := json.Unmarshal(m.Value, &st); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"v": 1.0, "phase": "form_open", "run": 1.0, "hash": r.Hash(), "user_id": "u1", "form_id": formID,
	}
	compare(t, "state", st, want)
}

func TestForeignState(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{"v":2,"phase":"requested"}`, `{}`, `x`, ``} {
		m := machine(t, &forms{})
		m.Value = []byte(value)
		for _, trigger := range []pipeline.Trigger{m.Trigger(nil), m.Trigger(m.Record(request()))} {
			_, err := m.Handle(trigger)
			if class, _ := pipeline.Class(err); class != flow.ClassInvalidState {
				t.Errorf("state %q: error %v, want class %s", value, err, flow.ClassInvalidState)
			}
			if events := m.GiveUp(trigger, err); len(events) != 0 || string(m.Value) != value {
				t.Errorf("state %q: events %v, state then %q; want the dead letter alone", value, events, m.Value)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	if err == nil || len(strings.Split(err.Error(), "\n")) != 3 {
		t.Errorf("New of nothing: %v, want three problems", err)
	}
}

// TestGaveUpNeverPanics: the engine may give up any trigger in any state.
func TestGaveUpNeverPanics(t *testing.T) {
	t.Parallel()
	flowtest.GaveUpEverywhere(t, func() *flowtest.Machine { return machine(t, &forms{}) },
		[]schemas.Event{request(), schemas.ImportRequested{ImportID: importID, UserID: "u2"}, schemas.ImportCancelRequested{ImportID: importID}},
		[]string{
			`{"v":1,"phase":"requested","run":1}`,
			`{"v":1,"phase":"requested","run":1,"hash":"x","request":{"import_id":"` + importID + `","user_id":"u1"},"started_at":"2026-03-01T12:00:00.000Z"}`,
			`{"v":1,"phase":"form_open","run":1,"hash":"x","user_id":"u1","form_id":"f"}`,
			`{"v":1,"phase":"form_open","run":1,"hash":"x","user_id":"u1","form_id":"f","cancelled":true}`,
			`{"v":1,"phase":"failed","run":1,"hash":"x"}`,
			`{"v":1,"phase":"gave_up","run":1,"hash":"x","request":{"import_id":"` + importID + `","user_id":"u1"}}`,
		},
		func(state string, record bool) bool { return strings.Contains(state, `"requested"`) && !record })
}
