package devpage

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

// numbered is the id of the n-th of many imports.
func numbered(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func (s *store) has(id string) bool { return s.imports[id] != nil }

func TestStore_KeepsTheNewestImports(t *testing.T) {
	t.Parallel()
	s, tp := newStore(), newTape()
	const n = maxImports + 50
	for i := range n {
		tp.tell(numbered(i), "u1", noon.Add(time.Duration(i)*time.Second)).requested()
	}
	s.take(tp.recs)
	if len(s.imports) != maxImports || s.has(numbered(49)) || !s.has(numbered(50)) || !s.has(numbered(n-1)) {
		t.Errorf("got %d imports, want the newest %d", len(s.imports), maxImports)
	}

	late := newTape()
	late.next = tp.next
	late.tell(numbered(3), "u1", noon.Add(time.Hour)).failed(schemas.ReasonGaveUp, "")
	late.tell(numbered(9999), "u1", noon.Add(-time.Hour)).requested() // older than all that are kept
	if c := s.take(late.recs); c.list || len(c.imports) != 0 {
		t.Errorf("late events of forgotten imports changed %+v", c)
	}
	if len(s.imports) != maxImports || s.has(numbered(3)) || s.has(numbered(9999)) {
		t.Errorf("late events brought forgotten imports back")
	}

	fresh := newTape()
	fresh.next = late.next
	fresh.tell(numbered(n), "u1", noon.Add(2*time.Hour)).requested()
	s.take(fresh.recs)
	if len(s.imports) != maxImports || !s.has(numbered(n)) || s.has(numbered(50)) {
		t.Errorf("a new import did not take the place of the oldest")
	}
}

func TestStore_ForgetsTheForgotten(t *testing.T) {
	t.Parallel()
	s := newStore()
	for i := range maxForgotten + 10 {
		s.forget(numbered(i))
	}
	if len(s.forgotten) != maxForgotten || len(s.isForgotten) != maxForgotten || s.isForgotten[numbered(9)] || !s.isForgotten[numbered(10)] {
		t.Errorf("got %d in order and %d by id, want the newest %d in both", len(s.forgotten), len(s.isForgotten), maxForgotten)
	}
}

func TestStore_BoundsOneImport(t *testing.T) {
	t.Parallel()
	s, tp := newStore(), newTape()
	st := tp.tell(sampleRunning, "u1", noon).requested() // 2 events
	for i := range maxEvents {
		st.readSoFar(i, 1612)
	}
	for i := range 3 * maxAccounts {
		st.at(st.now, schemas.Account{AccountKey: fmt.Sprint("k", i), ImportID: st.id, Run: 1, Loaded: true})
	}
	st.rows("x", 500) // of an account beyond the bound
	st.at(st.now, schemas.Account{AccountKey: "k0", ImportID: st.id, Run: 2, Loaded: true})
	for i := range 500 {
		row := st.row("", int64(i), 1)
		row.AccountKey = "k1"
		st.at(st.now, row)
	}
	s.take(tp.recs)
	e := s.imports[sampleRunning]
	if len(e.events.kept) != maxEvents || e.events.total != 2+maxEvents+3*maxAccounts+1 {
		t.Errorf("got %d of %d events, want %d of them", len(e.events.kept), e.events.total, maxEvents)
	}
	if len(e.rowEvents.kept) != maxRowEvents || e.rowEvents.total != 1000 {
		t.Errorf("got %d of %d rows' events, want %d of 1000", len(e.rowEvents.kept), e.rowEvents.total, maxRowEvents)
	}
	if last := e.events.kept[maxEvents-1]; last.place.topic != schemas.TopicAccounts || last.place.offset != 3*maxAccounts {
		t.Errorf("the last event kept is %+v, want the last of the accounts", last)
	}
	if len(e.accounts.list) != maxAccounts || len(e.accounts.more) != maxAccounts {
		t.Errorf("got %d accounts and %d more, want %d of both", len(e.accounts.list), len(e.accounts.more), maxAccounts)
	}
	if a := e.accounts.list[1]; len(a.rows) != maxRows || a.count != 500 {
		t.Errorf("got %d rows of %d, want %d of 500", len(a.rows), a.count, maxRows)
	}
	if got := fmt.Sprint(e.leftOut()); got != "Shown are the last 50 of 1,000 transactions and the last 150 of 303 other events." {
		t.Errorf("got %q", got)
	}
}

// TestStore_TakesARecordOnce: reading that starts over shows nothing twice.
func TestStore_TakesARecordOnce(t *testing.T) {
	t.Parallel()
	s, tp := newStore(), sampleTape(noon)
	tp.deadLetter(noon)
	s.take(tp.recs)
	total := s.imports[sampleCompleted].rowEvents.total
	if c := s.take(tp.recs); c.list || len(c.imports) != 0 {
		t.Errorf("the same records changed %+v", c)
	}
	if got := s.imports[sampleCompleted].rowEvents.total; got != total || s.deadTotal != 1 {
		t.Errorf("got %d rows and %d dead letters after reading twice, want %d and 1", got, s.deadTotal, total)
	}
	other := tp.recs[0]
	other.Partition, other.Offset = 1, 0
	if c := s.take([]follow.Record{other}); !c.imports[sampleFailed] {
		t.Errorf("a record of another partition was skipped")
	}
}

func TestStore_DeadLetters(t *testing.T) {
	t.Parallel()
	s, tp := newStore(), newTape()
	for range maxDeadLetters + 3 {
		tp.deadLetter(noon)
	}
	tp.deadLetter(noon)
	tp.recs[len(tp.recs)-1].Redriven = true // not one more
	if c := s.take(tp.recs); !c.list {
		t.Errorf("dead letters do not change the list")
	}
	want := []place{}
	for i := range maxDeadLetters {
		want = append(want, place{schemas.TopicDeadLetters, 0, int64(i + 3)})
	}
	if diff := cmp.Diff(want, s.dead, cmp.AllowUnexported(place{})); diff != "" || s.deadTotal != maxDeadLetters+3 {
		t.Errorf("total %d, places (-want +got):\n%s", s.deadTotal, diff)
	}
}

func TestStore_SkipsWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	s := newStore()
	c := s.take([]follow.Record{
		{Topic: schemas.TopicImportStatus, Offset: 0, Time: noon},
		{Topic: schemas.TopicImportStatus, Offset: 1, Time: noon, Event: schemas.ImportStatus{}},
	})
	if c.list || len(c.imports) != 0 || len(s.imports) != 0 {
		t.Errorf("got changes %+v and %d imports, want none", c, len(s.imports))
	}
}

// TestStore_TellsWhatChanged: the list is told only of what it shows.
func TestStore_TellsWhatChanged(t *testing.T) {
	t.Parallel()
	s, tp := newStore(), newTape()
	step := func(what string, wantList bool) {
		t.Helper()
		c := s.take(tp.recs)
		if tp.recs = nil; c.list != wantList || !c.imports[sampleRunning] || len(c.imports) != 1 {
			t.Errorf("%s: got %+v, want list %t and the import", what, c, wantList)
		}
	}
	st := tp.tell(sampleRunning, "u1", noon).requested()
	step("a new import", true)
	st.readSoFar(1, 10)
	step("a status", true)
	st.rows("k1", 3)
	step("rows", false)
	st.at(noon, schemas.WebformCompleted{ImportID: st.id, Run: 1})
	step("a callback", false)
	st.at(noon, schemas.ConnectionReady{ImportID: st.id, Run: 1, BankName: "Bank"})
	step("the bank's name", true)
	st.at(noon, schemas.ConnectionReady{ImportID: st.id, Run: 1, BankName: "Bank"})
	step("the bank's name again", false)
	st.status(schemas.StepRequested, schemas.WaitingForUs)
	step("a step that is over", false)
}

func TestStore_Expect(t *testing.T) {
	t.Parallel()
	s := newStore()
	r := schemas.ImportRequested{ImportID: sampleRequested, UserID: "u1", BankID: 280001}
	s.expect(r, noon)
	tp := newTape()
	tp.at(noon.Add(-time.Second), schemas.ImportRequested{ImportID: sampleRequested, UserID: "u1", BankID: 280001})
	tp.at(noon, schemas.ImportRequested{ImportID: sampleRequested, UserID: "u2", BankID: 2}) // says nothing to the stages either
	s.take(tp.recs)
	s.expect(r, noon)
	e := s.imports[sampleRequested]
	if len(s.imports) != 1 || e.events.total != 2 || e.user() != "u1" || e.request.bank != 280001 || !e.first.Equal(noon.Add(-time.Second)) {
		t.Errorf("got %d imports, %d events, user %q, request %+v, first %v", len(s.imports), e.events.total, e.user(), e.request, e.first)
	}
	s.forget(numbered(1))
	s.expect(schemas.ImportRequested{ImportID: numbered(1)}, noon)
	if s.has(numbered(1)) {
		t.Error("a forgotten import came back")
	}
}
