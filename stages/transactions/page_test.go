package transactions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

// read is what one read of an account published.
type read struct {
	ids     []int64
	started schemas.Instant
}

// readsOf groups an account's rows by the number of their read. Within a read ids
// must rise.
func readsOf(t flowtest.TB, events []schemas.Event, key string) map[int]read {
	t.Helper()
	reads := map[int]read{}
	for _, r := range flowtest.Of[schemas.Transaction](events) {
		if r.AccountKey != key {
			continue
		}
		x := reads[r.Read]
		if n := len(x.ids); n > 0 && x.ids[n-1] >= r.ProviderTransactionID {
			t.Errorf("read %d publishes row %d after row %d", r.Read, r.ProviderTransactionID, x.ids[n-1])
		}
		if len(x.ids) > 0 && x.started != r.ReadStartedAt {
			t.Errorf("read %d starts at %s and at %s", r.Read, x.started, r.ReadStartedAt)
		}
		x.ids, x.started = append(x.ids, r.ProviderTransactionID), r.ReadStartedAt
		reads[r.Read] = x
	}
	return reads
}

func ids(rows []finapi.Transaction) []int64 {
	var is []int64
	for _, r := range rows {
		is = append(is, r.ID)
	}
	return is
}

// once calls f the first time this page is asked for.
func once(b *bank, account int64, page int, f func()) {
	done := false
	b.before = func(a int64, p int) {
		if !done && a == account && p == page {
			done = true
			f()
		}
	}
}

// insert puts a row into the rows of its account, in the order of ids.
func (b *bank) insert(r finapi.Transaction) {
	rs := b.rows[r.AccountID]
	i, _ := slices.BinarySearchFunc(rs, r.ID, func(x finapi.Transaction, id int64) int { return int(x.ID - id) })
	b.rows[r.AccountID] = slices.Insert(slices.Clone(rs), i, r)
}

// TestRowsWhileReading: rows that come and go while pages are read.
func TestRowsWhileReading(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(b *bank)
		reads      int // of account 11
		skipped    bool
		reconciled bool
	}{
		"nothing changes":                {func(*bank) {}, 1, false, true},
		"C20 a row at the end":           {func(b *bank) { b.insert(row(11, 8, "1")) }, 1, false, true},
		"C20 a page at the end":          {func(b *bank) { b.insert(row(11, 8, "1")); b.insert(row(11, 9, "1")); b.insert(row(11, 10, "1")) }, 1, false, true},
		"C19 a row slips in before":      {func(b *bank) { r := row(11, 1, "9"); r.ID++; b.insert(r) }, 2, true, true},
		"a row slips in after":           {func(b *bank) { r := row(11, 5, "9"); r.ID++; b.insert(r) }, 1, false, true},
		"a row before goes":              {func(b *bank) { b.rows[11] = slices.Delete(slices.Clone(b.rows[11]), 0, 1) }, 2, true, true},
		"a row goes, one comes":          {func(b *bank) { b.rows[11] = append(b.rows[11][1:len(b.rows[11]):len(b.rows[11])], row(11, 8, "1")) }, 2, true, true},
		"a row after goes":               {func(b *bank) { b.rows[11] = slices.Delete(slices.Clone(b.rows[11]), 5, 6) }, 1, false, true},
		"C20 nearly all rows go":         {func(b *bank) { b.rows[11] = b.rows[11][:1] }, 2, true, true},
		"C19 C20 a page slips in before": {func(b *bank) { slipIn(b, 3) }, 2, true, true},
		"pages slip in before it":        {func(b *bank) { slipIn(b, 9) }, 2, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Config{})
			once(b, 11, 2, func() { c.change(b) })
			mustSend(t, m, fetched())
			events := runOut(t, m)
			reads, done := readsOf(t, events, "k11"), completedOf(t, events).Accounts[0]
			if len(reads) != c.reads || done.Read != c.reads {
				t.Errorf("%d reads, number %d completed; want %d", len(reads), done.Read, c.reads)
			}
			last := reads[done.Read]
			if done.Count != len(last.ids) || done.ReadStartedAt != last.started {
				t.Errorf("completed %+v, the read published %d rows since %s", done.AccountRead, len(last.ids), last.started)
			}
			if done.Reconciled != c.reconciled {
				t.Errorf("reconciled %v, want %v: %+v", done.Reconciled, c.reconciled, done.AccountRead)
			}
			if c.reconciled && !slices.Equal(last.ids, ids(b.rows[11])) {
				t.Errorf("rows %v, want %v", last.ids, ids(b.rows[11]))
			}
			if c.skipped && !last.started.After(reads[1].started.Time) {
				t.Errorf("the second read starts at %s, the first at %s", last.started, reads[1].started)
			}
		})
	}
}

func slipIn(b *bank, n int) {
	for i := range n {
		r := row(11, 1, "9")
		r.ID += int64(i%9) + 1
		if i >= 9 {
			break
		}
		b.insert(r)
	}
}

// TestIncompleteRead: the read and three more, then the import ends.
func TestIncompleteRead(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{RereadAfter: 7 * time.Second})
	b.hook = func(account int64, _ int, p *finapi.TransactionPage) error {
		if account == 12 {
			p.TotalCount++
		}
		return nil
	}
	mustSend(t, m, fetched())
	events := runOut(t, m)
	failed := failedOf(t, events)
	if failed.Reason != schemas.ReasonIncompleteRead || !failed.Retryable || failed.BankConnectionID != 77 {
		t.Errorf("import-failed %+v, want incomplete_read", failed)
	}
	reads := readsOf(t, events, "k12")
	if len(reads) != 4 {
		t.Fatalf("%d reads, want 4", len(reads))
	}
	for n := 2; n <= 4; n++ {
		if gap := reads[n].started.Sub(reads[n-1].started.Time); gap != 7*time.Second {
			t.Errorf("read %d starts %s after the one before it, want 7 s", n, gap)
		}
	}
	statuses := flowtest.Of[schemas.ImportStatus](events)
	if last := statuses[len(statuses)-1]; last.Step != schemas.StepFailed || !strings.Contains(last.LastError, "2 of 3 rows") {
		t.Errorf("last status %+v, want failed with the count", last)
	}
	if got, want := string(m.Value), `{"v":1,"phase":"failed","run":1}`; got != want || !m.Wake.IsZero() {
		t.Errorf("state %s, wake %v; want %s and none", got, m.Wake, want)
	}
}

// TestRereadHeals: an account that is complete the second time completes the
// import, and the rows of the first read count for nothing.
func TestRereadHeals(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	n := 0
	b.hook = func(account int64, page int, p *finapi.TransactionPage) error {
		if n++; n == 2 {
			p.Transactions = p.Transactions[:1]
		}
		return nil
	}
	mustSend(t, m, fetched())
	done := completedOf(t, runOut(t, m))
	if a := done.Accounts[0]; a.Read != 2 || a.Count != 7 || !a.Reconciled || done.Transactions != 9 {
		t.Errorf("completed %+v with %d rows, want read 2 of 7 rows and 9 in all", a.AccountRead, done.Transactions)
	}
}

// TestSumsDiffer: all rows are there, also when they are read once more where a
// row may have moved between pages. So the import is complete and says so.
func TestSumsDiffer(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	b.hook = func(_ int64, _ int, p *finapi.TransactionPage) error { p.Balance = "0.01"; return nil }
	mustSend(t, m, fetched())
	for i, a := range completedOf(t, runOut(t, m)).Accounts[:2] {
		if a.Reconciled || a.ReportedSum != "0.01" || a.Count != a.ReportedCount || a.Read != 2-i {
			t.Errorf("account %+v, want it not reconciled: the first one has several pages, the second one", a.AccountRead)
		}
	}
}

// TestBrokenPaging: truncated or changed paging is a failure, never a quiet end.
func TestBrokenPaging(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(p *finapi.TransactionPage){
		"C20 another page":          func(p *finapi.TransactionPage) { p.Page++ },
		"C20 no pages":              func(p *finapi.TransactionPage) { p.PageCount = 0 },
		"C20 negative pages":        func(p *finapi.TransactionPage) { p.PageCount = -1 },
		"C20 negative total":        func(p *finapi.TransactionPage) { p.TotalCount = -1 },
		"C20 total below the page":  func(p *finapi.TransactionPage) { p.TotalCount = 2 },
		"C22 another account's row": func(p *finapi.TransactionPage) { p.Transactions[1].AccountID = 12 },
		"C12 amount":                func(p *finapi.TransactionPage) { p.Transactions[1].Amount = "1e400" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Config{})
			b.hook = func(_ int64, _ int, p *finapi.TransactionPage) error { change(p); return nil }
			mustSend(t, m, fetched())
			value := string(m.Value)
			events, err := m.Fire()
			if err == nil {
				t.Fatalf("events %+v, want an error", events)
			}
			if class, ok := pipeline.Class(err); ok && class != flow.ClassUnexpectedAnswer {
				t.Errorf("class %q of %v", class, err)
			}
			if string(m.Value) != value {
				t.Errorf("state %s, want %s as before", m.Value, value)
			}
		})
	}
}

// TestPageLoop: pages that do not end, or do not get on, end the import.
func TestPageLoop(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(page int, p *finapi.TransactionPage){
		"C19 a row twice in a page": func(page int, p *finapi.TransactionPage) {
			if page == 1 {
				p.Transactions[1] = p.Transactions[0]
			}
		},
		"C20 the same page for ever": func(_ int, p *finapi.TransactionPage) { p.PageCount, p.TotalCount = 1000, 3000 },
		"C20 empty page before the end": func(page int, p *finapi.TransactionPage) {
			if page == 2 {
				p.Transactions = nil
			}
		},
		"C20 new rows for ever": func(page int, p *finapi.TransactionPage) {
			p.PageCount, p.TotalCount = page+1, 1_000_000
			p.Transactions = []finapi.Transaction{row(11, 1000+page, "1")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Config{MaxPages: 50})
			b.hook = func(account int64, page int, p *finapi.TransactionPage) error {
				if account == 11 {
					change(page, p)
				}
				return nil
			}
			mustSend(t, m, fetched())
			if failed := failedOf(t, runOut(t, m)); failed.Reason != schemas.ReasonIncompleteRead {
				t.Errorf("import-failed %+v, want incomplete_read", failed)
			}
			if len(b.pages) > 4*50 {
				t.Errorf("%d pages were asked for", len(b.pages))
			}
		})
	}
}

func TestConnectionGone(t *testing.T) {
	t.Parallel()
	gone := &finapi.Error{Operation: "get_connection", Status: 404, Code: "UNKNOWN_ENTITY", Class: finapi.ClassPermanent}
	m, b := newMachine(t, Config{})
	once(b, 12, 1, func() { b.rows = nil }) // deleted in the middle: all lists are empty from now on
	b.look = func() error { return gone }
	mustSend(t, m, fetched())
	if failed := failedOf(t, runOut(t, m)); failed.Reason != schemas.ReasonConnectionDeleted || failed.ProviderCode != "UNKNOWN_ENTITY" {
		t.Errorf("import-failed %+v, want connection_deleted", failed)
	}
}

func TestProviderTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		reason schemas.Reason // "": the engine tries again
	}{
		"5xx":       {&finapi.Error{Status: 500, Class: finapi.ClassRetry}, ""},
		"busy":      {&finapi.Error{Status: 423, Class: finapi.ClassWait}, ""},
		"down":      {&finapi.Error{Class: finapi.ClassUnavailable}, ""},
		"forbidden": {&finapi.Error{Status: 403, Code: "FORBIDDEN", Class: finapi.ClassPermanent}, schemas.ReasonProviderError},
		"gone":      {&finapi.Error{Status: 404, Code: "UNKNOWN_ENTITY", Class: finapi.ClassPermanent}, schemas.ReasonConnectionDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Config{})
			mustSend(t, m, fetched())
			b.hook = func(int64, int, *finapi.TransactionPage) error { return c.err }
			events, err := m.Fire()
			if c.reason == "" {
				if !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				return
			}
			if failed := failedOf(t, events); failed.Reason != c.reason {
				t.Errorf("import-failed %+v, want %s", failed, c.reason)
			}
		})
	}
}

// TestGiveUpAndRedrive: a new run keeps what is finished, and reads the rest from
// page 1 under the next number.
func TestGiveUpAndRedrive(t *testing.T) {
	t.Parallel()
	for name, byRecord := range map[string]bool{"the timer": false, "the record": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Config{})
			e := fetched()
			e.Accounts = append(e.Accounts, schemas.FetchedAccount{AccountKey: "k14", ProviderAccountID: 14, AccountType: "loan", Loaded: true})
			e.Accounts[1], e.Accounts[0] = e.Accounts[0], e.Accounts[1] // the small one first
			b.rows[14] = rows(14, 1)
			mustSend(t, m, e)
			events := append(mustFire(t, m), mustFire(t, m)...) // account 12, and page 1 of 11
			cause := &finapi.Error{Operation: "list_transactions", Status: 500, Code: "UNEXPECTED_ERROR", Class: finapi.ClassRetry}
			final := m.GiveUp(m.Trigger(nil), cause)
			if failed := failedOf(t, final); failed.Reason != schemas.ReasonGaveUp || failed.Run != 1 || failed.ProviderCode != "UNEXPECTED_ERROR" || len(final) != 2 {
				t.Fatalf("events of giving up %+v", final)
			}
			if !m.Wake.IsZero() {
				t.Fatalf("a timer is left at %v", m.Wake)
			}

			m.Now = start.Add(-time.Hour) // another process, whose clock is late
			trigger := m.Trigger(nil)
			if byRecord {
				trigger = m.Trigger(m.Record(e))
			}
			if events, err := m.Handle(trigger); err != nil || len(events) != 0 {
				t.Fatalf("without redrive: %v, %v, want nothing", events, err)
			}
			trigger.Redrive = 1
			again, err := m.Handle(trigger)
			if err != nil {
				t.Fatal(err)
			}
			statuses := flowtest.Of[schemas.ImportStatus](again)
			if len(statuses) != 1 || statuses[0].Run != 2 || *statuses[0].TransactionsRead != 2 {
				t.Errorf("events of the redrive %+v, want a status of run 2 with the 2 finished rows", again)
			}
			rest := runOut(t, m)
			done := completedOf(t, rest)
			if done.Run != 2 || done.Transactions != 10 {
				t.Errorf("completed run %d with %d rows, want run 2 with 10", done.Run, done.Transactions)
			}
			for i, want := range []int{1, 2, 0, 1} {
				got := 0
				if r := done.Accounts[i].AccountRead; r != nil {
					got = r.Read
				}
				if got != want {
					t.Errorf("account %s was completed by read %d, want %d", done.Accounts[i].AccountKey, got, want)
				}
			}
			before, after := readsOf(t, events, "k11")[1], readsOf(t, rest, "k11")[2]
			if len(after.ids) != 7 || !after.started.After(before.started.Time) {
				t.Errorf("read 2 has %d rows since %s, want 7 since after %s", len(after.ids), after.started, before.started)
			}
			if rows := readsOf(t, rest, "k12"); len(rows) != 0 {
				t.Errorf("the finished account was read again: %v", rows)
			}
		})
	}
}

// TestEventGivenUp: the event that hands the import over is enough to end it.
func TestEventGivenUp(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Config{})
	trigger := m.Trigger(m.Record(fetched()))
	if failed := failedOf(t, m.GiveUp(trigger, errors.New("handler panicked"))); failed.Reason != schemas.ReasonGaveUp {
		t.Errorf("import-failed %+v, want gave_up", failed)
	}
	trigger.Redrive = 1
	if _, err := m.Handle(trigger); err != nil {
		t.Fatal(err)
	}
	if done := completedOf(t, runOut(t, m)); done.Run != 2 || done.Transactions != 9 {
		t.Errorf("completed %+v, want run 2 with 9 rows", done)
	}
}

func TestInvalidEvents(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *pipeline.Record){
		"no headers":  func(r *pipeline.Record) { r.Headers = nil },
		"no value":    func(r *pipeline.Record) { r.Value = nil },
		"another key": func(r *pipeline.Record) { r.Key = []byte("x") },
		"no accounts": func(r *pipeline.Record) { r.Value = []byte(`{"import_id":"` + importID + `","run":1}`) },
	} {
		m, _ := newMachine(t, Config{})
		record := m.Record(fetched())
		change(record)
		trigger := m.Trigger(record)
		_, err := m.Handle(trigger)
		if class, _ := pipeline.Class(err); class != flow.ClassInvalidEvent {
			t.Errorf("%s: error %v, want class %s", name, err, flow.ClassInvalidEvent)
		}
		if events := m.GiveUp(trigger, err); len(events) != 0 || m.Value != nil {
			t.Errorf("%s: events %+v, state %s; want the dead letter alone", name, events, m.Value)
		}
	}
}

func TestGaveUpNeverPanics(t *testing.T) {
	t.Parallel()
	flowtest.GaveUpEverywhere(t,
		func() *flowtest.Machine { m, _ := newMachine(t, Config{}); return m },
		[]schemas.Event{fetched()},
		[]string{
			`{"v":1,"phase":"reading","run":1,"user_id":"u1"}`,
			`{"v":1,"phase":"reading","run":1,"user_id":"u1","accounts":[{"k":"k","i":1,"l":true,"n":1,"p":2,"m":"damaged"}]}`,
			`{"v":1,"phase":"completed","run":1   }`,
			`{"v":1,"phase":"failed","run":1      }`,
			`{"v":1,"phase":"gave_up","run":1,"user_id":"u1"}`,
		},
		func(state string, record bool) bool { return strings.Contains(state, "reading") && !record })
}

func TestForeignState(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Config{})
	m.Value = []byte(`{"v":2,"phase":"reading"}`)
	for _, trigger := range []pipeline.Trigger{m.Trigger(nil), m.Trigger(m.Record(fetched()))} {
		_, err := m.Handle(trigger)
		if class, _ := pipeline.Class(err); class != flow.ClassInvalidState {
			t.Errorf("error %v, want class %s", err, flow.ClassInvalidState)
		}
	}
}

// TestReadersRule lets rows come and go and the process crash, and then does what
// analytics does: take the rows of the completed read. If they are said to be
// reconciled they are the provider's rows.
func TestReadersRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, b := newMachine(t, Config{})
		b.perPage = rapid.IntRange(1, 5).Draw(t, "perPage")
		b.rows = map[int64][]finapi.Transaction{11: rows(11, rapid.IntRange(0, 20).Draw(t, "rows")), 12: nil}
		quiet := rapid.IntRange(0, 8).Draw(t, "changes")
		b.before = func(account int64, _ int) {
			if quiet == 0 || account != 11 {
				return
			}
			quiet--
			r := row(11, rapid.IntRange(1, 25).Draw(t, "n"), "0.5")
			r.ID += int64(quiet) + 1
			switch rs := b.rows[11]; rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				b.insert(r)
			case 1:
				if len(rs) > 0 {
					i := rapid.IntRange(0, len(rs)-1).Draw(t, "gone")
					b.rows[11] = slices.Delete(slices.Clone(rs), i, i+1)
				}
			}
		}
		var events []schemas.Event
		mustSend(t, m, fetched())
		for steps := 0; !m.Wake.IsZero(); steps++ {
			if steps > 1000 {
				t.Fatalf("the import does not end; state %s", m.Value)
			}
			if rapid.IntRange(0, 4).Draw(t, "crash") == 0 {
				if _, err := m.Try(m.Trigger(nil)); err != nil {
					t.Fatalf("timer: %v", err)
				}
			}
			events = append(events, mustFire(t, m)...)
		}
		if len(flowtest.Of[schemas.ImportFailed](events)) == 1 {
			failedOf(t, events)
			return
		}
		done := completedOf(t, events).Accounts[0]
		got := readsOf(t, events, "k11")[done.Read].ids
		if len(got) != done.Count {
			t.Fatalf("read %d published %d rows, completed says %d", done.Read, len(got), done.Count)
		}
		if done.Count == done.ReportedCount && done.Reconciled && fmt.Sprint(got) != fmt.Sprint(ids(b.rows[11])) {
			// Rows that were exchanged for others of the same amount cannot be told.
			if len(got) != len(b.rows[11]) {
				t.Fatalf("reconciled rows %v, want %v", got, ids(b.rows[11]))
			}
		}
	})
}
