package simulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// extraRow is a row that the ledger does not have.
type extraRow struct {
	like      int // position in the ledger of the row that it looks like
	cents     bankdata.Cents
	duplicate bool
	adjusting bool
	part      bool // of the row that it looks like, which was split: seen in userView only
	came      time.Time
}

// maxExtra bounds the rows that a fault adds: their ids must follow on those of
// the others.
const maxExtra = 500

// transactionFaults are about rows. Those that strike when a connection is made or
// updated do so with the mutex held.
func transactionFaults() []*faultKind {
	rows := []string{"list-transactions"}
	each := func(do func(s *Simulator, a *account, x Fault)) func(*Simulator, *connection, Fault) {
		return func(s *Simulator, c *connection, x Fault) {
			for _, a := range c.accounts {
				do(s, a, x)
			}
		}
	}
	before := func(do func(s *Simulator, a *account, x *exchange)) func(*exchange) {
		return func(x *exchange) {
			x.s.mu.Lock()
			if a := x.s.accounts[x.at.account]; a != nil {
				do(x.s, a, x)
			}
			x.s.mu.Unlock()
			x.next(x.w)
		}
	}
	return []*faultKind{
		{name: "odd-amounts", what: "The first rows of each account have 999999999999.99, -999999999999.98, 0.0 and -0.01.", once: true, connect: each(func(_ *Simulator, a *account, _ Fault) { a.makeOdd() })},
		{name: "duplicates", what: "The last n rows of each account are there twice; the second one is marked as a potential duplicate.", once: true, standard: Fault{N: 1}, mostN: maxExtra, connect: each(func(_ *Simulator, a *account, x Fault) {
			for i := range min(x.N, a.rows) {
				like := a.last() - i
				a.add(extraRow{like: like, cents: a.cents(like), duplicate: true})
			}
		})},
		{name: "adjusting-entry", what: "Each account has a row that the provider made up to match the balance.", connect: each(func(_ *Simulator, a *account, _ Fault) {
			a.add(extraRow{like: a.last(), cents: -4_711, adjusting: true})
		})},
		{name: "rows-split", what: "Somebody has split the oldest n rows of each account in two: userView has the parts, bankView the row with their ids.", once: true, standard: Fault{N: 1}, mostN: maxExtra / 2, connect: each(func(_ *Simulator, a *account, x Fault) {
			for at := a.from; at < a.from+min(x.N, a.rows); at++ {
				half := a.cents(at) / 2
				a.add(extraRow{like: at, cents: half, part: true})
				a.add(extraRow{like: at, cents: a.cents(at) - half, part: true})
			}
		})},
		{name: "pending-rows", what: "Each account has n rows that the bank has announced and not booked yet: GET /api/v2/pendingTransactions.", standard: Fault{N: 3}, mostN: maxExtra, connect: each(func(s *Simulator, a *account, x Fault) {
			a.pending, a.firstPending = min(x.N, a.rows), s.ids(x.N)
		})},
		{name: "rows-arrive", what: "With each page that is read, one more row comes to the account, back-dated, until n have.", standard: Fault{N: 5}, mostN: maxExtra, connect: each(func(_ *Simulator, a *account, x Fault) {
			a.toCome = x.N
		})},
		{
			name: "rows-vanish", what: "The oldest n rows of the account are deleted before this call, so pages shift.",
			ops: rows, needs: anAccount, standard: Fault{N: 1, After: 1, Count: 1}, mostN: 1_000_000, call: before(func(_ *Simulator, a *account, x *exchange) { a.drop(x.fault.N) }),
		},
		{
			name: "rows-reimported", what: "The account's rows are deleted and imported again before this call: the same rows with new ids.",
			ops: rows, needs: anAccount, standard: Fault{After: 1, Count: 1}, call: before(func(s *Simulator, a *account, x *exchange) {
				a.firstRow, a.imported = s.ids(a.rows+maxExtra), x.c.now
			}),
		},
		{name: "page-repeated", what: "Every page after the first has the rows of the one before.", ops: rows, call: repeatPage},
		{name: "page-short", what: "The last page lacks its last n rows; paging counts them.", standard: Fault{N: 1}, mostN: 500, ops: rows, edit: func(e *edit) {
			p := e.object("paging")
			if list, ok := e.body["transactions"].([]any); ok && number64(p["page"]) == number64(p["pageCount"]) {
				e.body["transactions"] = list[:max(0, len(list)-e.fault.N)]
			}
		}},
		{name: "total-count-wrong", what: "paging.totalCount says n more than there are.", standard: Fault{N: 1}, mostN: 1_000_000, ops: rows, edit: func(e *edit) {
			p := e.object("paging")
			p["totalCount"] = json.Number(strconv.FormatInt(number64(p["totalCount"])+int64(e.fault.N), 10))
		}},
		{name: "balance-wrong", what: "The sums are n cents more than the rows'.", standard: Fault{N: 1}, mostN: 1_000_000, ops: rows, edit: func(e *edit) {
			for _, sum := range []string{"income", "balance"} {
				e.body[sum] = json.Number((centsOf(e.body[sum]) + bankdata.Cents(e.fault.N)).String())
			}
		}},
		{name: "paging-missing", what: "There is no paging object.", ops: rows, edit: func(e *edit) { delete(e.body, "paging") }},
		{name: "paging-incomplete", what: "The paging object has no pageCount and no totalCount.", ops: rows, edit: func(e *edit) {
			delete(e.object("paging"), "pageCount")
			delete(e.object("paging"), "totalCount")
		}},
		{name: "currency-null", what: "All rows have null as currency.", ops: rows, edit: func(e *edit) {
			for _, row := range e.objects("transactions") {
				row["currency"] = nil
			}
		}},
		{name: "currency-foreign", what: "Every third row is in this currency.", standard: Fault{Code: "USD"}, ops: rows, edit: func(e *edit) {
			for _, row := range e.objects("transactions") {
				if number64(row["id"])%3 == 0 {
					row["currency"] = e.fault.Code
				}
			}
		}},
		{name: "booking-drift", what: "Every tenth row is booked 14 days ahead: finapiBookingDate moves with the clock until then.", ops: rows, edit: driftBookings},
		{name: "row-of-another-account", what: "The first row of each page has the id of an account that was not asked for.", ops: rows, edit: func(e *edit) {
			for _, row := range e.objects("transactions")[:min(1, len(e.objects("transactions")))] {
				row["accountId"] = json.Number(strconv.FormatInt(number64(row["accountId"])+1_000_000, 10))
			}
		}},
	}
}

// add puts a row behind the others. The caller holds the mutex.
func (a *account) add(e extraRow) {
	if len(a.extra) >= maxExtra || a.rows == 0 {
		return
	}
	e.came = a.connection.started // while the download runs; of an import all rows came when it ended
	a.extra = append(a.extra, e)
	if e.part {
		a.parts++
		return
	}
	a.totals.Add(e.cents)
}

// splits are the rows that are parts of this one.
func (r row) splits() (ids []int64) {
	if r.account.parts == 0 || r.at >= r.account.from+r.account.rows {
		return nil
	}
	for i, e := range r.account.extra {
		if e.part && e.like == r.at {
			ids = append(ids, row{r.account, r.account.from + r.account.rows + i}.id())
		}
	}
	return ids
}

// hidden reports whether a view does not show the row.
func (r row) hidden(userView bool) bool {
	_, extra := r.like()
	return extra.part != userView && (extra.part || r.splits() != nil)
}

// last is the position of the newest row in the ledger.
func (a *account) last() int { return a.from + a.rows - 1 }

// arrive lets one of the rows come that are to come: one that looks like a row in
// the middle, so it is back-dated. The caller holds the mutex.
func (a *account) arrive() {
	if a.toCome == 0 {
		return
	}
	like := a.from + a.rows/2
	a.add(extraRow{like: like, cents: a.cents(like)})
	a.toCome--
}

// drop takes the oldest rows out. The caller holds the mutex.
func (a *account) drop(n int) {
	for range min(n, a.rows) {
		a.totals.Remove(a.cents(a.from))
		a.odd = a.odd[min(1, len(a.odd)):]
		a.from++
		a.rows--
		a.firstRow++
	}
}

// makeOdd changes the amounts of the first rows. The caller holds the mutex.
func (a *account) makeOdd() {
	odd := []bankdata.Cents{99_999_999_999_999, -99_999_999_999_998, 0, -1}
	odd = odd[:min(len(odd), a.rows)]
	for i, c := range odd {
		a.totals.Remove(a.Ledger.Cents(a.from + i))
		a.totals.Add(c)
	}
	a.odd = odd
}

// cents is the amount of the row at a position in the ledger, or behind it.
func (a *account) cents(at int) bankdata.Cents {
	switch i := at - a.from; {
	case i < len(a.odd):
		return a.odd[i]
	case i >= a.rows:
		return a.extra[i-a.rows].cents
	default:
		return a.Ledger.Cents(at)
	}
}

// like is the position in the ledger of a row that looks like this one.
func (r row) like() (at int, e extraRow) {
	if i := r.at - r.account.from - r.account.rows; i >= 0 {
		e = r.account.extra[i]
		return e.like, e
	}
	return r.at, e
}

// repeatPage answers with the page before.
func repeatPage(x *exchange) {
	q := x.c.r.URL.Query()
	asked, _ := strconv.Atoi(q.Get("page"))
	if asked < 2 {
		x.next(x.w)
		return
	}
	q.Set("page", strconv.Itoa(asked-1))
	r := x.c.r.Clone(x.c.r.Context())
	r.URL = &url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
	x.c.r = r
	x.edit(func(e *edit) { e.object("paging")["page"] = json.Number(strconv.Itoa(asked)) })
}

// driftBookings books rows ahead: what the bank says is fixed, and what the
// provider says is today until then.
func driftBookings(e *edit) {
	today := day(e.c.now).Format(time.DateOnly)
	for _, row := range e.objects("transactions") {
		text, _ := row["importDate"].(string)
		imported, err := time.Parse(time.RFC3339, text)
		if err != nil || number64(row["id"])%10 != 0 {
			continue
		}
		booked := day(imported).AddDate(0, 0, 14).Format(time.DateOnly)
		row["bankBookingDate"], row["valueDate"] = booked, booked
		row["finapiBookingDate"] = slices.Min([]string{booked, today})
	}
}
