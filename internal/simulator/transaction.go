package simulator

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// listTransactions is GET /api/v2/transactions. Without filters on rows a page
// costs what is on it, however large the account; with them all rows are looked
// at.
func (s *Simulator) listTransactions(c *call) (int, any, *refusal) {
	q := c.query()
	if q.values.Get("view") == "" {
		q.wrong("MISSING_FIELD", "view", "fehlt.", "is missing.")
	}
	view := q.one("view", "bankView", "userView")
	accounts := q.ids("accountIds")
	wanted := q.rowFilter()
	wanted.userView = view == "userView"
	part := q.page()
	descending, no := q.order()
	if q.no != nil {
		return 0, nil, q.no
	}
	if no != nil {
		return 0, nil, no
	}

	found := make([]*account, 0, 8)
	s.mu.Lock()
	for _, conn := range c.user().connections {
		for _, a := range conn.accounts {
			if accounts == nil || accounts[a.id] {
				copied := *a
				found = append(found, &copied)
				wanted.split = wanted.split || a.parts > 0
				if a.loaded(c.now) {
					a.arrive()
				}
			}
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b *account) int { return cmp.Compare(a.firstRow, b.firstRow) }) // as ids of rows rise

	var rows rowSet = allRows{found, c.now}
	if !wanted.everything() {
		rows = wanted.pick(found, c)
	}
	totals := rows.totals()
	from, to := part.of(totals.Count)
	list := transactionList{
		Transactions: make([]transaction, 0, to-from), Paging: part.paging(totals.Count),
		Income: number(totals.Income), Spending: number(totals.Spending), Balance: number(totals.Balance()),
	}
	for i := from; i < to; i++ {
		at := i
		if descending {
			at = totals.Count - 1 - i
		}
		list.Transactions = append(list.Transactions, rows.at(at).written(c))
	}
	return http.StatusOK, list, nil
}

// order reads the parameter of that name. Ordering by anything but the id is not
// simulated, and says so instead of answering in another order.
func (q *query) order() (descending bool, no *refusal) {
	for _, v := range q.values["order"] {
		property, direction, _ := strings.Cut(v, ",")
		switch strings.ToLower(direction) {
		case "", "asc":
		case "desc":
			descending = true
		default:
			q.wrong("BAD_REQUEST", "order", "weder asc noch desc.", "neither asc nor desc.")
		}
		if property != "id" {
			return false, refuse(http.StatusNotImplemented, "UNSUPPORTED_ORDER",
				"Der Simulator ordnet Umsätze nur nach id.", "The simulator orders transactions by id only.")
		}
	}
	return descending, nil
}

// rowSet is an ordered set of rows.
type rowSet interface {
	totals() bankdata.Totals
	at(i int) row
}

// row is one row of an account, by its position in the ledger.
type row struct {
	account *account
	at      int
}

func (r row) id() int64 { return r.account.firstRow + int64(r.at-r.account.from) }

// allRows are all rows of some accounts.
type allRows struct {
	accounts []*account
	now      time.Time
}

func (a allRows) totals() bankdata.Totals {
	var t bankdata.Totals
	for _, account := range a.accounts {
		if account.visibleRows(a.now) > 0 {
			t.Count += account.totals.Count
			t.Income += account.totals.Income
			t.Spending += account.totals.Spending
		}
	}
	return t
}

func (a allRows) at(i int) row {
	for _, account := range a.accounts {
		n := account.visibleRows(a.now)
		if i < n {
			return row{account, account.from + i}
		}
		i -= n
	}
	panic("a row beyond the last one") // totals said how many there are
}

// transaction is api.Transaction with a currency that can be null.
type transaction struct {
	api.Transaction
	Currency *string `json:"currency"`
}

type transactionList struct {
	Transactions []transaction `json:"transactions"`
	Paging       api.Paging    `json:"paging"`
	Income       api.Number    `json:"income"`
	Spending     api.Number    `json:"spending"`
	Balance      api.Number    `json:"balance"`
}

// data renders the row as its bank has it. The bank delivered it when the
// download ended.
func (r row) data() bankdata.Row {
	at, extra := r.like()
	d := r.account.Ledger.Row(at, day(r.account.importedAt()))
	d.Amount = r.account.cents(r.at)
	if extra.adjusting {
		d = bankdata.Row{Booked: d.Booked, Valued: d.Valued, Amount: d.Amount, Purpose: "Zwischensaldo"}
	}
	return d
}

// importedAt is when the row came. One that came with an update is newer than the
// others of its account.
func (r row) importedAt() time.Time {
	came := r.account.importedAt()
	if _, extra := r.like(); extra.came.After(came) {
		return extra.came
	}
	return came
}

// category is what the provider has found out about a row by now.
func (r row) category(data bankdata.Row, now time.Time) *bankdata.Category {
	if c := r.account.connection; c.busy(now) || c.bare {
		return nil
	}
	return data.Category
}

func (r row) written(c *call) transaction {
	d := r.data()
	_, extra := r.like()
	no := false
	t := api.Transaction{
		ID: r.id(), AccountID: r.account.id,
		ValueDate: api.DayOf(d.Valued), BankBookingDate: api.DayOf(d.Booked), FinapiBookingDate: api.DayOf(d.Booked),
		Amount: number(d.Amount), Purpose: d.Purpose, Type: d.Type,
		CounterpartName: d.Counterpart.Name, CounterpartIban: d.Counterpart.IBAN, CounterpartAccountNumber: d.Counterpart.Number,
		CounterpartBlz: api.UnreadText(d.Counterpart.BLZ), CounterpartBic: d.Counterpart.BIC, CounterpartBankName: d.Counterpart.BankName,
		CounterpartMandateReference: d.Counterpart.Mandate, CounterpartCreditorID: d.Counterpart.Creditor,
		CounterpartDebitorID: d.Counterpart.Debitor, CounterpartCustomerReference: d.Counterpart.CustomerRef,
		TypeCodeZka: d.ZKA, TypeCodeSwift: d.SWIFT, SepaPurposeCode: d.SEPAPurpose,
		BankTransactionCode: d.Code, BankTransactionCodeDescription: api.UnreadText(d.CodeGerman),
		Primanota: d.Primanota, EndToEndReference: d.EndToEnd,
		Labels: []api.Label{}, IsPotentialDuplicate: &extra.duplicate, IsAdjustingEntry: &extra.adjusting, IsNew: true,
		ImportDate: accessTime(r.importedAt()),
	}
	if c.english {
		t.BankTransactionCodeDescription = api.UnreadText(d.CodeEnglish)
	}
	if category := r.category(d, c.now); category != nil {
		t.Category = api.Category{ID: api.UnreadInt(category.ID), Name: category.Name, ParentID: api.UnreadInt(category.ParentID), ParentName: category.ParentName, IsCustom: &no}
	}
	if d.OriginalCurrency != "" {
		t.OriginalAmount, t.OriginalCurrency = number(d.Original), d.OriginalCurrency
		t.FeeAmount, t.FeeCurrency = number(d.Fee), d.FeeCurrency
	}
	if t.Children = r.splits(); extra.part {
		t.ParentID = api.UnreadInt(row{r.account, extra.like}.id())
	}
	written := transaction{Transaction: t}
	if d.Currency != "" {
		written.Currency = &d.Currency
	}
	return written
}
