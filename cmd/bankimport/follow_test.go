package main

import (
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

// TestTextProgress_Terminal: the line is written anew, and what must stay, the
// form, has a line of its own.
func TestTextProgress_Terminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := &textProgress{w: &b, terminal: true}
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	im := &follow.Import{ID: "i"}
	p.show(im)
	im.Run, im.LastSeen = 1, at
	p.show(im)
	stand := func(step schemas.Step) {
		im.Status = schemas.ImportStatus{Step: step, StepNo: step.Number()}
		p.show(im)
	}
	stand(schemas.StepFormOpen) // its form is on its way
	im.FormURL = "http://form"
	p.show(im)
	p.show(im)
	stand(schemas.StepDownloading)
	stand(schemas.StepReadingTransactions)
	read, total := 1204, 1612
	im.Status.TransactionsRead, im.Status.TransactionsTotal = &read, &total
	p.show(im)
	stand(schemas.StepCompleted)
	p.close()
	const want = clearLine + "  nothing is known of it yet; waiting" +
		clearLine + "  requested" +
		clearLine + "open this form: http://form\n" +
		clearLine + "  form open, waiting for the user" +
		clearLine + "  downloading from the bank" +
		clearLine + "  reading transactions" +
		clearLine + "  reading transactions 1,204 of 1,612\n"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestTextProgress_FormThatIsOver: a form that has been filled in is not told.
func TestTextProgress_FormThatIsOver(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := &textProgress{w: &b}
	p.show(&follow.Import{ID: "i", Run: 1, FormURL: "http://form", LastSeen: time.Unix(1, 0), Status: schemas.ImportStatus{Step: schemas.StepDownloading, WaitingFor: schemas.WaitingForProvider}})
	if got, want := b.String(), "  downloaded, waiting for categories\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	loaded := func(reconciled bool) schemas.CompletedAccount {
		return schemas.CompletedAccount{AccountRead: &schemas.AccountRead{Reconciled: reconciled}}
	}
	for name, tc := range map[string]struct {
		took     time.Duration
		rows     int
		accounts []schemas.CompletedAccount
		want     string
	}{
		"all":     {5300 * time.Millisecond, 1612, []schemas.CompletedAccount{loaded(true), loaded(true)}, "completed in 5.3 s: 2 accounts, 1,612 transactions, all reconciled"},
		"some":    {38 * time.Second, 1, []schemas.CompletedAccount{loaded(true), loaded(false)}, "completed in 38 s: 2 accounts, 1 transaction, 1 reconciled"},
		"missing": {25 * time.Minute, 0, []schemas.CompletedAccount{loaded(false), {}}, "completed in 25 min: 1 account, 0 transactions, 1 account not loaded, none reconciled"},
		"none":    {time.Second, 0, nil, "completed in 1.0 s: 0 accounts, 0 transactions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := summary(&follow.Import{Completed: &schemas.ImportCompleted{
				StartedAt: schemas.At(began), CompletedAt: schemas.At(began.Add(tc.took)), Transactions: tc.rows, Accounts: tc.accounts,
			}})
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1612: "1,612", 1234567: "1,234,567", -50: "-50", -1612: "-1,612", -123: "-123"} {
		if got := thousands(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
