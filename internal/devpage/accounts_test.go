package devpage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

// one is what is kept of an account, for comparison.
type one struct {
	Name    string
	Loaded  bool
	Failure schemas.Failure
	Read    int
	Rows    []int64 // ids
	Count   int
}

// TestAccounts applies events of one account in the order given: those of
// several topics come mixed.
func TestAccounts(t *testing.T) {
	t.Parallel()
	account := func(run int, name string, loaded bool) schemas.Event {
		return schemas.Account{AccountKey: "k", ImportID: sampleRunning, Run: run, Name: name, Loaded: loaded}
	}
	fetched := func(run int, loaded bool, f schemas.Failure) schemas.Event {
		return schemas.AccountsFetched{ImportID: sampleRunning, Run: run, Accounts: []schemas.FetchedAccount{{AccountKey: "k", Loaded: loaded, Failure: f}}}
	}
	row := func(read int, id int64) schemas.Event {
		return schemas.Transaction{AccountKey: "k", ImportID: sampleRunning, Run: 1, Read: read, ProviderTransactionID: id}
	}
	const failed = schemas.FailureDownloadFailed
	for name, tc := range map[string]struct {
		events []schemas.Event
		want   one
	}{
		"only a row":                             {[]schemas.Event{row(1, 5)}, one{Loaded: true, Read: 1, Rows: []int64{5}, Count: 1}},
		"the account, then why it is not loaded": {[]schemas.Event{account(1, "a", false), fetched(1, false, failed)}, one{Name: "a", Failure: failed}},
		"the other way round":                    {[]schemas.Event{fetched(1, false, failed), account(1, "a", false)}, one{Name: "a", Failure: failed}},
		"a newer run's account":                  {[]schemas.Event{account(1, "a", false), account(2, "b", true)}, one{Name: "b", Loaded: true}},
		"an older run's account":                 {[]schemas.Event{account(2, "b", true), account(1, "a", false)}, one{Name: "b", Loaded: true}},
		"an older run's failure":                 {[]schemas.Event{account(2, "b", true), fetched(1, false, failed)}, one{Name: "b", Loaded: true}},
		"an older run's account after a newer failure": {
			[]schemas.Event{fetched(2, false, failed), account(1, "a", true)}, one{Name: "a", Failure: failed},
		},
		"rows come sorted by id":       {[]schemas.Event{row(1, 9), row(1, 3), row(1, 7)}, one{Loaded: true, Read: 1, Rows: []int64{3, 7, 9}, Count: 3}},
		"the same row again":           {[]schemas.Event{row(1, 9), row(1, 9)}, one{Loaded: true, Read: 1, Rows: []int64{9}, Count: 1}},
		"a newer read starts over":     {[]schemas.Event{row(1, 1), row(1, 2), row(2, 2)}, one{Loaded: true, Read: 2, Rows: []int64{2}, Count: 1}},
		"an older read says nothing":   {[]schemas.Event{row(2, 2), row(1, 1)}, one{Loaded: true, Read: 2, Rows: []int64{2}, Count: 1}},
		"a redrive keeps what is read": {[]schemas.Event{account(1, "a", true), row(1, 1), status(2, schemas.StepReadingTransactions)}, one{Name: "a", Loaded: true, Read: 1, Rows: []int64{1}, Count: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEntry(sampleRunning, noon)
			for _, ev := range tc.events {
				e.apply(follow.Record{Topic: ev.Topic(), Time: noon, Event: ev})
			}
			if len(e.accounts.list) != 1 {
				t.Fatalf("got %d accounts, want 1", len(e.accounts.list))
			}
			a := e.accounts.list[0]
			got := one{Loaded: a.loaded, Failure: a.failure, Read: a.read, Count: a.count}
			if a.record != nil {
				got.Name = a.record.Name
			}
			for _, r := range a.rows {
				got.Rows = append(got.Rows, r.id)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

func status(run int, step schemas.Step, change ...func(*schemas.ImportStatus)) schemas.ImportStatus {
	s := schemas.ImportStatus{ImportID: sampleRunning, Run: run, UserID: "u1", Step: step, StepNo: step.Number(), UpdatedAt: schemas.At(noon)}
	for _, f := range change {
		f(&s)
	}
	return s
}

// TestSteps is the line of steps after statuses, each a second after the one
// before, in the order given.
func TestSteps(t *testing.T) {
	t.Parallel()
	request := schemas.ImportRequested{ImportID: sampleRunning, UserID: "u1", BankID: 1}
	reread := schemas.ImportRequested{ImportID: sampleRunning, UserID: "u1", BankConnectionID: 1}
	const requested, form, down, accs, rows, done, failed = schemas.StepRequested, schemas.StepFormOpen, schemas.StepDownloading,
		schemas.StepReadingAccounts, schemas.StepReadingTransactions, schemas.StepCompleted, schemas.StepFailed
	for name, tc := range map[string]struct {
		events []schemas.Event
		want   string
	}{
		"nothing but the request": {[]schemas.Event{request}, "now next next next next next"},
		"form open":               {[]schemas.Event{request, status(1, requested), status(1, form)}, "done:1.0 s now next next next next"},
		"only the last status":    {[]schemas.Event{status(1, rows)}, "done done done done now next"},
		"completed":               {[]schemas.Event{status(1, rows), status(1, done)}, "done done done done done:1.0 s done"},
		"completed, no status":    {[]schemas.Event{schemas.ImportCompleted{ImportID: sampleRunning, Run: 1}}, "done done done done done done"},
		"failed in the form":      {[]schemas.Event{request, status(1, requested), status(1, form), status(1, failed)}, "done:1.0 s failed:1.0 s next next next next"},
		"failed at once":          {[]schemas.Event{schemas.ImportFailed{ImportID: sampleRunning, Run: 1}}, "failed next next next next next"},
		"no form is needed":       {[]schemas.Event{reread, status(1, requested), status(1, down)}, "done:1.0 s skipped:no form now next next next"},
		"not yet known whether":   {[]schemas.Event{reread, status(1, requested)}, "now next next next next next"},
		"a redrive":               {[]schemas.Event{status(1, down), status(1, failed), status(2, accs)}, "done done done now next next"},
		"an older run's status":   {[]schemas.Event{status(2, accs), status(1, failed)}, "done done done now next next"},
		"a step nobody knows":     {[]schemas.Event{status(1, "dancing")}, "next next next next next next"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEntry(sampleRunning, noon)
			for i, ev := range tc.events {
				when := noon.Add(time.Duration(i) * time.Second)
				if s, ok := ev.(schemas.ImportStatus); ok {
					s.UpdatedAt = schemas.At(when)
					ev = s
				}
				e.apply(follow.Record{Topic: ev.Topic(), Time: when, Event: ev})
			}
			var all []string
			for _, s := range e.steps() {
				if s.Took != "" {
					s.Is += ":" + s.Took
				}
				all = append(all, s.Is)
			}
			if got := strings.Join(all, " "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
