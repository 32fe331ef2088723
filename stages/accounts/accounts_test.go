package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const importID = "0a1b2c3d-0000-4000-8000-000000000001"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) schemas.Instant { return schemas.At(start.Add(d)) }

func secret() []byte { return []byte(strings.Repeat("k", 32)) }

// bank is a provider whose answers are set by the test.
type bank struct {
	connection func() (finapi.Connection, error)
	accounts   func() ([]finapi.Account, error)
	calls      int
}

func (b *bank) User(id string) finapi.User { return finapi.User{ID: "p-" + id} }

func (b *bank) Connection(context.Context, finapi.User, int64) (finapi.Connection, error) {
	b.calls++
	return b.connection()
}

func (b *bank) Accounts(context.Context, finapi.User, int64) ([]finapi.Account, error) {
	b.calls++
	return b.accounts()
}

func two() ([]finapi.Account, error) {
	return []finapi.Account{
		{ID: 12, ConnectionID: 77, Type: "credit_card", Number: "5", Interfaces: []finapi.AccountInterface{{Status: finapi.InterfaceDownloadFailed}}},
		{
			ID: 11, ConnectionID: 77, Type: "checking", Name: "Main", Holder: "A. B.", IBAN: "DE00", Number: "0042", SubNumber: "1", Currency: "EUR",
			Balance: "10.5", OverdraftLimit: "0.0", AvailableFunds: "10.50",
			Interfaces: []finapi.AccountInterface{
				{Status: finapi.InterfaceUpdated, LastSuccessfulUpdate: start.Add(-time.Hour)},
				{Status: finapi.InterfaceDeprecated, LastSuccessfulUpdate: start.Add(-2 * time.Hour)},
			},
		},
	}, nil
}

func newMachine(t flowtest.TB) (*flowtest.Machine, *bank) {
	t.Helper()
	b := &bank{
		connection: func() (finapi.Connection, error) {
			return finapi.Connection{ID: 77, Bank: finapi.Bank{ID: 280001, Name: "Test Bank", BIC: "TESTDEXX"}}, nil
		},
		accounts: two,
	}
	stage, err := New(b, secret())
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := stage.Validate(); err != nil {
		t.Fatalf("stage: %v", err)
	}
	return flowtest.New(t, stage, importID, start), b
}

func ready() schemas.ConnectionReady {
	return schemas.ConnectionReady{
		ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, BankID: 280001, BankName: "Test Bank", Categorized: true,
		StartedAt: at(-time.Minute),
		Accounts: []schemas.ConnectionAccount{
			{ProviderAccountID: 11, Loaded: true},
			{ProviderAccountID: 12, Failure: schemas.FailureUserActionRequired},
		},
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

func TestPublishesAccounts(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t)
	accounts, _ := two()
	keys := keyring(secret()).keys(finapi.User{ID: "p-u1"}, 280001, accounts)
	card, main := keys[0].key, keys[1].key
	got := mustSend(t, m, ready())
	want := []schemas.Event{
		schemas.Account{
			AccountKey: main, ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, ProviderAccountID: 11,
			BankID: 280001, BankName: "Test Bank", BIC: "TESTDEXX", AccountType: "checking", Name: "Main", Holder: "A. B.", IBAN: "DE00",
			AccountNumber: "0042", SubAccountNumber: "1", Currency: "EUR", Balance: "10.5", OverdraftLimit: "0.0", AvailableFunds: "10.50",
			Loaded: true, LastUpdateAt: at(-time.Hour), SeenAt: at(0),
		},
		schemas.Account{
			AccountKey: card, ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, ProviderAccountID: 12,
			BankID: 280001, BankName: "Test Bank", BIC: "TESTDEXX", AccountType: "credit_card", AccountNumber: "5", SeenAt: at(0),
		},
		schemas.AccountsFetched{
			ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, Categorized: true, StartedAt: at(-time.Minute),
			Accounts: []schemas.FetchedAccount{
				{AccountKey: main, ProviderAccountID: 11, AccountType: "checking", Loaded: true},
				{AccountKey: card, ProviderAccountID: 12, AccountType: "credit_card", Failure: schemas.FailureUserActionRequired},
			},
		},
		schemas.ImportStatus{
			ImportID: importID, Run: 1, UserID: "u1", Step: schemas.StepReadingTransactions, StepNo: 5, WaitingFor: schemas.WaitingForUs,
			SinceAt: at(0), UpdatedAt: at(0), Accounts: new(2), TransactionsRead: new(0),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got, want := string(m.Value), `{"v":1,"phase":"handed_on","run":1}`; got != want || !m.Wake.IsZero() {
		t.Errorf("state %s, wake %v; want %s and none", got, m.Wake, want)
	}
	if events := mustSend(t, m, ready()); len(events) != 0 {
		t.Errorf("the same event again: %+v, want nothing", events)
	}
}

// TestManyAccounts: five hundred accounts go into one commit.
func TestManyAccounts(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t)
	e := ready()
	e.Accounts = nil
	var accounts []finapi.Account
	for i := range 500 {
		id := int64(i + 1)
		accounts = append(accounts, finapi.Account{ID: id, Type: "savings", Number: fmt.Sprint(id), Interfaces: []finapi.AccountInterface{{Status: finapi.InterfaceUpdated}}})
		e.Accounts = append(e.Accounts, schemas.ConnectionAccount{ProviderAccountID: id, Loaded: true})
	}
	b.accounts = func() ([]finapi.Account, error) { return accounts, nil }
	events := mustSend(t, m, e)
	if n := len(flowtest.Of[schemas.Account](events)); n != 500 || len(events) != 502 {
		t.Errorf("%d accounts in %d events, want 500 in 502", n, len(events))
	}
	for _, e := range m.Written {
		if len(e.Value) > 900_000 {
			t.Errorf("%s takes %d bytes, more than Kafka takes by default", e.Topic, len(e.Value))
		}
	}
}

func TestEndings(t *testing.T) {
	t.Parallel()
	gone := &finapi.Error{Operation: "get_connection", Status: 404, Code: "UNKNOWN_ENTITY", Class: finapi.ClassPermanent}
	forbidden := &finapi.Error{Operation: "list_accounts", Status: 403, Code: "FORBIDDEN", Class: finapi.ClassPermanent}
	for name, c := range map[string]struct {
		connection error
		accounts   func() ([]finapi.Account, error)
		reason     schemas.Reason
		code       string
	}{
		"connection deleted": {gone, two, schemas.ReasonConnectionDeleted, "UNKNOWN_ENTITY"},
		"no accounts left":   {nil, func() ([]finapi.Account, error) { return nil, nil }, schemas.ReasonConnectionDeleted, ""},
		"no loaded one left": {nil, func() ([]finapi.Account, error) { a, _ := two(); return a[:1], nil }, schemas.ReasonAllAccountsFailed, ""},
		"refused":            {nil, func() ([]finapi.Account, error) { return nil, forbidden }, schemas.ReasonProviderError, "FORBIDDEN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t)
			if c.connection != nil {
				b.connection = func() (finapi.Connection, error) { return finapi.Connection{}, c.connection }
			}
			b.accounts = c.accounts
			events := mustSend(t, m, ready())
			want := []schemas.ImportFailed{{
				ImportID: importID, Run: 1, UserID: "u1", Reason: c.reason, ProviderCode: c.code, BankConnectionID: 77,
				Retryable: c.reason.Retryable(), StartedAt: at(-time.Minute), FailedAt: at(0),
			}}
			if diff := cmp.Diff(want, flowtest.Of[schemas.ImportFailed](events)); diff != "" || len(events) != 2 {
				t.Errorf("%d events, final event (-want +got):\n%s", len(events), diff)
			}
			if events := mustSend(t, m, ready()); len(events) != 0 {
				t.Errorf("the same event again: %+v, want nothing", events)
			}
		})
	}
}

// TestProviderTrouble: nothing is published, and the engine tries again.
func TestProviderTrouble(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"5xx":  &finapi.Error{Status: 500, Class: finapi.ClassRetry},
		"busy": &finapi.Error{Status: 423, Class: finapi.ClassWait},
		"down": &finapi.Error{Code: finapi.CodeBreakerOpen, Class: finapi.ClassUnavailable},
	} {
		m, b := newMachine(t)
		b.accounts = func() ([]finapi.Account, error) { return nil, err }
		if _, got := m.Send(ready()); !errors.Is(got, err) || m.Value != nil {
			t.Errorf("%s: error %v and state %s, want %v and none", name, got, m.Value, err)
		}
		b.accounts = two
		if events := mustSend(t, m, ready()); len(events) != 4 {
			t.Errorf("%s: then %d events, want 4", name, len(events))
		}
	}
}

func TestGiveUpAndRedrive(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t)
	down := &finapi.Error{Operation: "list_accounts", Status: 500, Code: "UNEXPECTED_ERROR", Class: finapi.ClassRetry}
	b.accounts = func() ([]finapi.Account, error) { return nil, down }
	trigger := m.Trigger(m.Record(ready()))
	for run := 1; run <= 3; run++ {
		trigger.Redrive = run - 1
		if _, err := m.Handle(trigger); !errors.Is(err, down) {
			t.Fatalf("run %d: error %v, want the provider's", run, err)
		}
		failed := flowtest.Of[schemas.ImportFailed](m.GiveUp(trigger, down))
		if len(failed) != 1 || failed[0].Run != run || failed[0].Reason != schemas.ReasonGaveUp || failed[0].ProviderCode != "UNEXPECTED_ERROR" {
			t.Fatalf("import-failed %+v, want one of run %d", failed, run)
		}
		plain := trigger
		plain.Redrive = 0
		if events, err := m.Handle(plain); err != nil || len(events) != 0 {
			t.Fatalf("without redrive: %v, %v, want nothing", events, err)
		}
	}
	b.accounts = two
	trigger.Redrive = 3
	trigger.Now = start.Add(time.Hour)
	events, err := m.Handle(trigger)
	if err != nil {
		t.Fatal(err)
	}
	fetched := flowtest.Of[schemas.AccountsFetched](events)
	if len(fetched) != 1 || fetched[0].Run != 4 || !fetched[0].StartedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("accounts-fetched %+v, want run 4", fetched)
	}
	if events, err := m.Handle(trigger); err != nil || len(events) != 0 {
		t.Errorf("redriven again: %v, %v, want nothing", events, err)
	}
}

func TestInvalidEvents(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *pipeline.Record){
		"no headers":  func(r *pipeline.Record) { r.Headers = nil },
		"no value":    func(r *pipeline.Record) { r.Value = nil },
		"another key": func(r *pipeline.Record) { r.Key = []byte("x") },
		"cut":         func(r *pipeline.Record) { r.Value = r.Value[:20] },
		"no accounts": func(r *pipeline.Record) { r.Value = []byte(`{"import_id":"` + importID + `","run":1}`) },
	} {
		m, b := newMachine(t)
		record := m.Record(ready())
		change(record)
		trigger := m.Trigger(record)
		_, err := m.Handle(trigger)
		if class, _ := pipeline.Class(err); class != flow.ClassInvalidEvent || b.calls != 0 {
			t.Errorf("%s: error %v after %d calls, want class %s", name, err, b.calls, flow.ClassInvalidEvent)
		}
		if events := m.GiveUp(trigger, err); len(events) != 0 || m.Value != nil {
			t.Errorf("%s: events %+v, state %s; want the dead letter alone", name, events, m.Value)
		}
	}
}

// TestTimer: the stage sets none, so one that fires says nothing.
func TestTimer(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t)
	if events, err := m.Handle(m.Trigger(nil)); err != nil || len(events) != 0 {
		t.Errorf("events %v, error %v, want nothing", events, err)
	}
}

func TestGaveUpNeverPanics(t *testing.T) {
	t.Parallel()
	flowtest.GaveUpEverywhere(t,
		func() *flowtest.Machine { m, _ := newMachine(t); return m },
		[]schemas.Event{ready()},
		[]string{
			`{"v":1,"phase":"gave_up"}`,
			`{"v":1,"phase":"handed_on","run":1}`,
			`{"v":1,"phase":"failed","run":1   }`,
		},
		func(string, bool) bool { return false })
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(&bank{}, secret()[1:]); err == nil {
		t.Error("a key of 31 bytes is taken")
	}
	if _, err := New(nil, secret()); err == nil {
		t.Error("no provider is taken")
	}
}
