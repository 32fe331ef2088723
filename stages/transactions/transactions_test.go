package transactions

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const importID = "0a1b2c3d-0000-4000-8000-000000000001"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) schemas.Instant { return schemas.At(start.Add(d)) }

// bank is a provider with the rows of accounts. A hook may change what a page
// says, and the rows, before it is answered.
type bank struct {
	rows    map[int64][]finapi.Transaction // by account id, in the order of ids
	perPage int
	hook    func(account int64, page int, p *finapi.TransactionPage) error
	before  func(account int64, page int)
	look    func() error // of the last look at the connection
	deleted []int64      // accounts that it has lost by then
	pages   []string     // asked for
}

func (b *bank) User(id string) finapi.User { return finapi.User{ID: "p-" + id} }

func (b *bank) Connection(context.Context, finapi.User, int64) (finapi.Connection, error) {
	if b.look != nil {
		return finapi.Connection{}, b.look()
	}
	c := finapi.Connection{ID: 77}
	for id := range int64(100) {
		if !slices.Contains(b.deleted, id) {
			c.AccountIDs = append(c.AccountIDs, id)
		}
	}
	return c, nil
}

func (b *bank) Transactions(_ context.Context, _ finapi.User, account int64, page int) (finapi.TransactionPage, error) {
	b.pages = append(b.pages, fmt.Sprintf("%d/%d", account, page))
	if b.before != nil {
		b.before(account, page)
	}
	rows := b.rows[account]
	p := finapi.TransactionPage{Page: page, PageCount: (len(rows) + b.perPage - 1) / b.perPage, TotalCount: len(rows)}
	sum := decimal.Zero
	for _, r := range rows {
		sum = sum.Add(decimal.RequireFromString(r.Amount))
	}
	p.Balance = sum.String()
	from := min((page-1)*b.perPage, len(rows))
	p.Transactions = append(p.Transactions, rows[from:min(from+b.perPage, len(rows))]...)
	if b.hook != nil {
		if err := b.hook(account, page, &p); err != nil {
			return finapi.TransactionPage{}, err
		}
	}
	return p, nil
}

// row makes a row. Ids have gaps, so that rows can slip in between.
func row(account int64, n int, amount string) finapi.Transaction {
	day := start.AddDate(0, 0, -n).Format(time.DateOnly)
	return finapi.Transaction{
		ID: account*1_000_000 + int64(n)*10, AccountID: account, BankBookingDate: day, ValueDate: day, FinapiBookingDate: day,
		Amount: amount, ImportedAt: start.Add(-time.Hour),
	}
}

func rows(account int64, n int) []finapi.Transaction {
	var rs []finapi.Transaction
	for i := 1; i <= n; i++ {
		rs = append(rs, row(account, i, strconv.Itoa(i)+".25"))
	}
	return rs
}

func newMachine(t flowtest.TB, c Config) (*flowtest.Machine, *bank) {
	t.Helper()
	b := &bank{rows: map[int64][]finapi.Transaction{11: rows(11, 7), 12: rows(12, 2), 13: rows(13, 3)}, perPage: 3}
	stage, err := New(b, c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := stage.Validate(); err != nil {
		t.Fatalf("stage: %v", err)
	}
	return flowtest.New(t, stage, importID, start), b
}

// fetched hands over two accounts that are loaded and one that is not.
func fetched() schemas.AccountsFetched {
	return schemas.AccountsFetched{
		ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, Categorized: true, StartedAt: at(-time.Minute),
		Accounts: []schemas.FetchedAccount{
			{AccountKey: "k11", ProviderAccountID: 11, AccountType: "checking", Loaded: true},
			{AccountKey: "k12", ProviderAccountID: 12, AccountType: "savings", Loaded: true},
			{AccountKey: "k13", ProviderAccountID: 13, AccountType: "credit_card", Failure: schemas.FailureDownloadFailed},
		},
	}
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

func runOut(t flowtest.TB, m *flowtest.Machine) []schemas.Event {
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

// completedOf returns the one final event, which must be a good one.
func completedOf(t flowtest.TB, events []schemas.Event) schemas.ImportCompleted {
	t.Helper()
	done, failed := flowtest.Of[schemas.ImportCompleted](events), flowtest.Of[schemas.ImportFailed](events)
	if len(done) != 1 || len(failed) != 0 {
		t.Fatalf("import-completed %+v, import-failed %+v; want one completed", done, failed)
	}
	return done[0]
}

func failedOf(t flowtest.TB, events []schemas.Event) schemas.ImportFailed {
	t.Helper()
	done, failed := flowtest.Of[schemas.ImportCompleted](events), flowtest.Of[schemas.ImportFailed](events)
	if len(done) != 0 || len(failed) != 1 {
		t.Fatalf("import-completed %+v, import-failed %+v; want one failed", done, failed)
	}
	return failed[0]
}

func TestReadsPageAfterPage(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	if events := mustSend(t, m, fetched()); len(events) != 0 || !m.Wake.Equal(start) {
		t.Fatalf("events %+v, wake %v; want none and now", events, m.Wake)
	}

	m.Now = start.Add(time.Second)
	first := mustFire(t, m)
	compare(t, "first row", first[0], schemas.Event(schemas.Transaction{
		TransactionKey: schemas.TransactionKey("k11", 11_000_010), AccountKey: "k11", ImportID: importID, Run: 1, Read: 1,
		ReadStartedAt: at(time.Second), ProviderTransactionID: 11_000_010,
		BookingDate: "2026-02-28", ValueDate: "2026-02-28", FinapiBookingDate: "2026-02-28", Amount: "1.25", ImportedAt: at(-time.Hour),
	}))
	compare(t, "status", first[3:], []schemas.Event{schemas.ImportStatus{
		ImportID: importID, Run: 1, UserID: "u1", Step: schemas.StepReadingTransactions, StepNo: 5, WaitingFor: schemas.WaitingForUs,
		SinceAt: at(0), UpdatedAt: at(time.Second), Accounts: new(3), TransactionsRead: new(3), TransactionsTotal: new(7),
	}})

	rest := runOut(t, m)
	if n := len(flowtest.Of[schemas.Transaction](rest)); n != 6 {
		t.Errorf("%d more rows, want 6", n)
	}
	compare(t, "the end", rest[len(rest)-2:], []schemas.Event{
		schemas.ImportCompleted{
			ImportID: importID, Run: 1, UserID: "u1", BankConnectionID: 77, Partial: true, Categorized: true, Transactions: 9,
			StartedAt: at(-time.Minute), CompletedAt: at(time.Second),
			Accounts: []schemas.CompletedAccount{
				{AccountKey: "k11", ProviderAccountID: 11, AccountType: "checking", Loaded: true, AccountRead: &schemas.AccountRead{
					Read: 1, ReadStartedAt: at(time.Second), Count: 7, Sum: "29.75", FirstBookingDate: "2026-02-22", LastBookingDate: "2026-02-28",
					ReportedCount: 7, ReportedSum: "29.75", Reconciled: true,
				}},
				{AccountKey: "k12", ProviderAccountID: 12, AccountType: "savings", Loaded: true, AccountRead: &schemas.AccountRead{
					Read: 1, ReadStartedAt: at(time.Second), Count: 2, Sum: "3.50", FirstBookingDate: "2026-02-27", LastBookingDate: "2026-02-28",
					ReportedCount: 2, ReportedSum: "3.5", Reconciled: true,
				}},
				{AccountKey: "k13", ProviderAccountID: 13, AccountType: "credit_card", Failure: schemas.FailureDownloadFailed},
			},
		},
		schemas.ImportStatus{
			ImportID: importID, Run: 1, UserID: "u1", Step: schemas.StepCompleted, StepNo: 6, WaitingFor: schemas.WaitingForNobody,
			SinceAt: at(time.Second), UpdatedAt: at(time.Second), Accounts: new(3), TransactionsRead: new(9), TransactionsTotal: new(9),
		},
	})
	compare(t, "pages", b.pages, []string{"11/1", "11/2", "11/3", "12/1"})
	if got, want := string(m.Value), `{"v":1,"phase":"completed","run":1}`; got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	if events := mustSend(t, m, fetched()); len(events) != 0 {
		t.Errorf("the same event again: %+v, want nothing", events)
	}
}

// TestEveryField: nothing that the provider says of a row is lost.
func TestEveryField(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	r := finapi.Transaction{
		ID: 1 << 40, AccountID: 11, BankBookingDate: "2026-01-01", ValueDate: "2026-01-02", FinapiBookingDate: "2026-01-03",
		Amount: "-12345678901234.10", Currency: "CHF", Purpose: "p", CounterpartName: "cn", CounterpartIBAN: "ci",
		CounterpartAccountNumber: "ca", CounterpartBIC: "cb", CounterpartBankName: "cbn", CounterpartMandateReference: "cm",
		CounterpartCreditorID: "cc", CounterpartDebitorID: "cd", CounterpartCustomerReference: "cr", EndToEndReference: "e2e",
		Type: "Lastschrift", TypeCodeZKA: "105", TypeCodeSWIFT: "DDT", SEPAPurposeCode: "SALA", BankTransactionCode: "PMNT", Primanota: "9",
		Category:       &finapi.Category{Name: "n", ParentName: "pn", Custom: false},
		OriginalAmount: "1.0", OriginalCurrency: "USD", FeeAmount: "0.5", FeeCurrency: "EUR", CompensationAmount: "2",
		PotentialDuplicate: true, AdjustingEntry: true, ImportedAt: start,
	}
	b.rows[11] = []finapi.Transaction{r}
	mustSend(t, m, fetched())
	compare(t, "row", mustFire(t, m)[0], schemas.Event(schemas.Transaction{
		TransactionKey: schemas.TransactionKey("k11", 1<<40), AccountKey: "k11", ImportID: importID, Run: 1, Read: 1, ReadStartedAt: at(0),
		ProviderTransactionID: 1 << 40, BookingDate: "2026-01-01", ValueDate: "2026-01-02", FinapiBookingDate: "2026-01-03",
		Amount: "-12345678901234.10", Currency: "CHF", Purpose: "p", CounterpartName: "cn", CounterpartIBAN: "ci",
		CounterpartAccountNumber: "ca", CounterpartBIC: "cb", CounterpartBankName: "cbn", CounterpartMandateReference: "cm",
		CounterpartCreditorID: "cc", CounterpartDebitorID: "cd", CounterpartCustomerReference: "cr", EndToEndReference: "e2e",
		TransactionType: "Lastschrift", TypeCodeZKA: "105", TypeCodeSWIFT: "DDT", SEPAPurposeCode: "SALA", BankTransactionCode: "PMNT",
		Primanota: "9", CategoryName: "n", CategoryParentName: "pn", CategoryCustom: new(false),
		OriginalAmount: "1.0", OriginalCurrency: "USD", FeeAmount: "0.5", FeeCurrency: "EUR", CompensationAmount: "2",
		PotentialDuplicate: true, AdjustingEntry: true, ImportedAt: at(0),
	}))
}

// TestNoRows: an account without rows is a success, and so is an import.
func TestNoRows(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	b.rows = map[int64][]finapi.Transaction{}
	mustSend(t, m, fetched())
	done := completedOf(t, runOut(t, m))
	compare(t, "figures", done.Accounts[0].AccountRead, &schemas.AccountRead{
		Read: 1, ReadStartedAt: at(0), Sum: "0", ReportedSum: "0", Reconciled: true,
	})
	if done.Transactions != 0 {
		t.Errorf("%d transactions, want 0", done.Transactions)
	}
}

// TestAccountDeletedMeanwhile: the provider answers for an account that is gone as
// for an empty one. It must not be reported as read, or readers would drop its
// rows.
func TestAccountDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	e := fetched()
	e.Accounts = e.Accounts[:2]
	gone := e.Accounts[0].ProviderAccountID
	b.rows[gone] = nil
	b.deleted = []int64{gone, e.Accounts[1].ProviderAccountID} // the other one has been read by then
	mustSend(t, m, e)
	done := completedOf(t, runOut(t, m))
	if a := done.Accounts[0]; a.Loaded || a.Failure != schemas.FailureDeleted || a.AccountRead != nil || !done.Partial {
		t.Errorf("got %+v, partial %t; want it not loaded, because it was deleted", a, done.Partial)
	}
	if a := done.Accounts[1]; !a.Loaded || a.AccountRead == nil {
		t.Errorf("got %+v, want what was read of it", a)
	}
}

func TestNotPartial(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Config{})
	e := fetched()
	e.Accounts = e.Accounts[:2]
	mustSend(t, m, e)
	if done := completedOf(t, runOut(t, m)); done.Partial {
		t.Error("partial although every account is loaded")
	}
}

// TestMoneyIsExact: the sums that a float gets wrong.
func TestMoneyIsExact(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	var rs []finapi.Transaction
	for i := 1; i <= 1000; i++ {
		rs = append(rs, row(11, i, "0.1"))
	}
	rs = append(rs, row(11, 1001, "12345678901234.56"), row(11, 1002, "-0.001"), row(11, 1003, "100"))
	b.rows[11], b.perPage = rs, 500
	b.hook = func(account int64, _ int, p *finapi.TransactionPage) error {
		if account == 11 {
			p.Balance = "12345678901434.5590"
		}
		return nil
	}
	mustSend(t, m, fetched())
	got := completedOf(t, runOut(t, m)).Accounts[0].AccountRead
	if got.Sum != "12345678901434.559" || got.ReportedSum != "12345678901434.5590" || !got.Reconciled {
		t.Errorf("figures %+v", got)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "0.0": "0.0", "-13587.10": "-13587.10", "4111.3": "4111.3", "1e2": "100", "-0": "0",
		"": "!", "abc": "!", "1,5": "!", "1e400": "!", "1e2000000000": "!", "1e-99": "!", "NaN": "!", "0x10": "!",
		"11111111111111111111111111111111111111111111111111111111111111111": "!",
	} {
		d, err := parseAmount(text)
		switch {
		case want == "!" && err == nil:
			t.Errorf("%q is taken as %s", text, d)
		case want != "!" && (err != nil || formatAmount(d) != want):
			t.Errorf("%q is %s, %v; want %s", text, formatAmount(d), err, want)
		}
	}
}

// TestManyAccounts: state and final event of an import with five hundred accounts
// fit into a record.
func TestManyAccounts(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Config{})
	e := fetched()
	e.Accounts = nil
	for i := range 500 {
		id := int64(1_000_000_000 + i)
		b.rows[id] = rows(id, 1)
		e.Accounts = append(e.Accounts, schemas.FetchedAccount{
			AccountKey: fmt.Sprintf("%032x", i), ProviderAccountID: id, AccountType: "credit_card", Loaded: true,
		})
	}
	mustSend(t, m, e)
	most := 0
	var events []schemas.Event
	for !m.Wake.IsZero() {
		most = max(most, len(m.Value))
		events = append(events, mustFire(t, m)...)
	}
	if done := completedOf(t, events); done.Transactions != 500 {
		t.Errorf("%d rows, want 500", done.Transactions)
	}
	for _, e := range m.Written {
		most = max(most, len(e.Value))
	}
	if most > 900_000 {
		t.Errorf("a record takes %d bytes, more than Kafka takes by default", most)
	}
}
