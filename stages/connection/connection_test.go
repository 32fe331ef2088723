package connection

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const (
	importID = "0a1b2c3d-0000-4000-8000-000000000001"
	formID   = "f0000000-0000-4000-8000-000000000001"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) schemas.Instant { return schemas.At(start.Add(d)) }

// bank is a provider whose answers are set by the test. It notes when what was
// called, by the clock of the machine.
type bank struct {
	m *flowtest.Machine

	form       func() (finapi.Form, error)
	cancel     func() (finapi.Form, error)
	connection func() (finapi.Connection, error)
	accounts   func() ([]finapi.Account, error)

	formReads, cancels, looks []time.Duration // since start
}

func (b *bank) now() time.Duration { return b.m.Now.Sub(start) }

func (b *bank) User(id string) finapi.User { return finapi.User{ID: "p-" + id} }

func (b *bank) Form(context.Context, finapi.User, string) (finapi.Form, error) {
	b.formReads = append(b.formReads, b.now())
	return b.form()
}

func (b *bank) CancelForm(context.Context, finapi.User, string) (finapi.Form, error) {
	b.cancels = append(b.cancels, b.now())
	return b.cancel()
}

func (b *bank) Connection(context.Context, finapi.User, int64) (finapi.Connection, error) {
	b.looks = append(b.looks, b.now())
	return b.connection()
}

func (b *bank) Accounts(context.Context, finapi.User, int64) ([]finapi.Account, error) {
	return b.accounts()
}

// expiry of the form that the tests wait for.
const expiry = 20 * time.Minute

func openForm() (finapi.Form, error) {
	return finapi.Form{ID: formID, Status: finapi.FormInProgress, ExpiresAt: start.Add(expiry)}, nil
}

func form(status finapi.FormStatus, connection int64, code string) finapi.Form {
	return finapi.Form{ID: formID, Status: status, ExpiresAt: start.Add(expiry), ConnectionID: connection, ErrorCode: code}
}

func readyConnection() (finapi.Connection, error) {
	return finapi.Connection{
		ID: 77, Bank: finapi.Bank{ID: 280001, Name: "Test Bank"},
		UpdateStatus: finapi.StatusReady, CategorizationStatus: finapi.StatusReady,
	}, nil
}

func account(id int64, statuses ...string) finapi.Account {
	a := finapi.Account{ID: id, ConnectionID: 77, Type: "checking", Number: "1"}
	for _, s := range statuses {
		a.Interfaces = append(a.Interfaces, finapi.AccountInterface{Status: s})
	}
	return a
}

func newMachine(t flowtest.TB, timing Timing) (*flowtest.Machine, *bank) {
	t.Helper()
	b := &bank{
		form:       openForm,
		cancel:     func() (finapi.Form, error) { return form(finapi.FormCancelled, 0, ""), nil },
		connection: readyConnection,
		accounts:   func() ([]finapi.Account, error) { return []finapi.Account{account(1, finapi.InterfaceUpdated)}, nil },
	}
	stage, err := New(b, timing)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := stage.Validate(); err != nil {
		t.Fatalf("stage: %v", err)
	}
	b.m = flowtest.New(t, stage, importID, start)
	return b.m, b
}

func awaited() schemas.WebformAwaited {
	return schemas.WebformAwaited{ImportID: importID, Run: 1, UserID: "u1", FormID: formID, ExpiresAt: at(expiry), StartedAt: at(-time.Second)}
}

func existing() schemas.WebformAwaited {
	return schemas.WebformAwaited{ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, StartedAt: at(-time.Second)}
}

func hint(form string) schemas.WebformCompleted {
	return schemas.WebformCompleted{ImportID: importID, Run: 1, FormID: form, EndedBy: schemas.EndedByCallback, ToldStatus: "COMPLETED", ObservedAt: at(0)}
}

func cancelled() schemas.WebformCompleted {
	return schemas.WebformCompleted{ImportID: importID, Run: 1, FormID: formID, EndedBy: schemas.EndedByCancel, ObservedAt: at(0)}
}

func status(step schemas.Step, waiting schemas.WaitingFor, since, now schemas.Instant, change func(*schemas.ImportStatus)) schemas.ImportStatus {
	s := schemas.ImportStatus{
		ImportID: importID, Run: 1, UserID: "u1", Step: step, StepNo: step.Number(), WaitingFor: waiting, SinceAt: since, UpdatedAt: now,
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

func mustSend(t flowtest.TB, m *flowtest.Machine, e schemas.Event) []schemas.Event {
	t.Helper()
	events, err := m.Send(e)
	if err != nil {
		t.Fatalf("send %s: %v", e.Type(), err)
	}
	return events
}

func mustFire(t flowtest.TB, m *flowtest.Machine) []schemas.Event {
	t.Helper()
	events, err := m.Fire()
	if err != nil {
		t.Fatalf("timer: %v", err)
	}
	return events
}

// runOut fires the timer until none is set and returns all events.
func runOut(t *testing.T, m *flowtest.Machine) []schemas.Event {
	t.Helper()
	var events []schemas.Event
	for range 10_000 {
		if m.Wake.IsZero() {
			return events
		}
		events = append(events, mustFire(t, m)...)
	}
	t.Fatalf("the import does not end; state %s", m.Value)
	return nil
}

// ending is how an import left the stage.
type ending struct {
	Reason     schemas.Reason
	Code       string
	Connection int64
}

// endingOf returns how the import ended; the zero ending is connection-ready.
func endingOf(t *testing.T, events []schemas.Event) ending {
	t.Helper()
	failed, ready := flowtest.Of[schemas.ImportFailed](events), flowtest.Of[schemas.ConnectionReady](events)
	if len(failed)+len(ready) != 1 {
		t.Fatalf("%d import-failed and %d connection-ready, want one of them: %+v", len(failed), len(ready), events)
	}
	if len(ready) == 1 {
		return ending{}
	}
	if failed[0].Retryable != failed[0].Reason.Retryable() || failed[0].UserID != "u1" || failed[0].StartedAt != at(-time.Second) {
		t.Errorf("import-failed %+v lacks something", failed[0])
	}
	return ending{failed[0].Reason, failed[0].ProviderCode, failed[0].BankConnectionID}
}

// TestGoodCase is one import word for word.
func TestGoodCase(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	if events := mustSend(t, m, awaited()); len(events) != 0 {
		t.Errorf("events of webform-awaited: %+v, want none: webform has said it", events)
	}

	m.Now = start.Add(7 * time.Second)
	b.form = func() (finapi.Form, error) { return form(finapi.FormCompleted, 77, ""), nil }
	if events := mustSend(t, m, hint(formID)); len(events) != 0 || len(b.formReads) != 0 {
		t.Errorf("a hint publishes %+v and reads %v, want neither", events, b.formReads)
	}
	compare(t, "events of the form's end", mustFire(t, m), []schemas.Event{
		status(schemas.StepDownloading, schemas.WaitingForBank, at(7*time.Second), at(7*time.Second), func(s *schemas.ImportStatus) {
			s.UntilAt = at(7*time.Second + time.Hour)
		}),
	})

	downloads := 2
	b.connection = func() (finapi.Connection, error) {
		c, err := readyConnection()
		if downloads--; downloads >= 0 {
			c.UpdateStatus = finapi.StatusInProgress
		}
		return c, err
	}
	if events := mustFire(t, m); len(events) != 0 {
		t.Errorf("events while downloading: %+v, want none", events)
	}
	mustFire(t, m)
	b.accounts = func() ([]finapi.Account, error) {
		return []finapi.Account{account(2, finapi.InterfaceDownloadFailed), account(1, finapi.InterfaceUpdated)}, nil
	}
	loaded := 7*time.Second + 2*time.Second + 3*time.Second
	compare(t, "events of the download's end", mustFire(t, m), []schemas.Event{
		status(schemas.StepDownloading, schemas.WaitingForProvider, at(loaded), at(loaded), func(s *schemas.ImportStatus) {
			s.UntilAt = at(loaded + 2*time.Minute)
		}),
	})
	end := loaded + 5*time.Second
	compare(t, "events of the second look", mustFire(t, m), []schemas.Event{
		schemas.ConnectionReady{
			ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, BankID: 280001, BankName: "Test Bank",
			Categorized: true, StartedAt: at(-time.Second),
			Accounts: []schemas.ConnectionAccount{
				{ProviderAccountID: 1, Loaded: true},
				{ProviderAccountID: 2, Failure: schemas.FailureDownloadFailed},
			},
		},
		status(schemas.StepReadingAccounts, schemas.WaitingForUs, at(end), at(end), func(s *schemas.ImportStatus) { s.Accounts = new(2) }),
	})
	if got, want := string(m.Value), `{"v":1,"phase":"handed_on","run":1}`; got != want || !m.Wake.IsZero() {
		t.Errorf("state %s, wake %v; want %s and none", got, m.Wake, want)
	}
	compare(t, "form reads", b.formReads, []time.Duration{7 * time.Second})
	compare(t, "looks", b.looks, []time.Duration{7 * time.Second, 9 * time.Second, 12 * time.Second, 17 * time.Second})
}

// TestExistingConnection: no form, and the deadline counts from webform-awaited.
func TestExistingConnection(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	record := m.Record(existing())
	m.Now = start.Add(time.Minute) // the stage was down for a while
	events, err := m.Handle(m.Trigger(record))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "events", events, []schemas.Event{
		status(schemas.StepDownloading, schemas.WaitingForBank, at(0), at(time.Minute), func(s *schemas.ImportStatus) { s.UntilAt = at(time.Hour) }),
	})
	if got := endingOf(t, runOut(t, m)); got != (ending{}) {
		t.Errorf("ended with %+v, want connection-ready", got)
	}
	if len(b.formReads) != 0 {
		t.Errorf("a form was read at %v", b.formReads)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, timing := range map[string]Timing{
		"poll faster than the provider allows": {FormPoll: 999 * time.Millisecond},
		"negative":                             {CategoryPoll: -1},
		"first wait above the longest":         {DownloadPoll: time.Minute},
	} {
		if _, err := New(&bank{}, timing); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(nil, Timing{}); err == nil {
		t.Error("no provider: no error")
	}
}
