package simulator_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// loadedUnder is made, and then the time that downloading takes.
func loadedUnder(t *testing.T, faults ...string) (a *apis, token string) {
	t.Helper()
	a, token, _ = made(t, faults...)
	a.clock.Advance(5 * time.Second)
	return a, token
}

// agrees compares API, sums and journal with each other, and ids for order. Of so
// many rows only some are held against the contracts.
func (a *apis) agrees(token string) (rows []row) {
	a.t.Helper()
	a.rows(token, "order=id,desc&perPage=20")
	a = a.unchecked()
	for _, acc := range a.accounts(token, "") {
		of := "accountIds=" + itoa(acc.ID)
		got := a.allRows(token, of)
		page := a.rows(token, of)
		var income, spending int64
		for i, r := range got {
			if c := cents(r.Amount.String()); c < 0 {
				spending += c
			} else {
				income += c
			}
			if i > 0 && r.ID <= got[i-1].ID {
				a.t.Fatalf("id %d after %d", r.ID, got[i-1].ID)
			}
		}
		if cents(page.Income.String()) != income || cents(page.Spending.String()) != spending || cents(page.Balance.String()) != income+spending {
			a.t.Errorf("sums %s %s %s, want those of the rows, %d and %d", page.Income, page.Spending, page.Balance, income, spending)
		}
		n := 0
		for r := range a.Rows(acc.ID) {
			if n >= len(got) || r.ID != got[n].ID || r.Amount != got[n].Amount.String() {
				a.t.Fatalf("row %d of the journal is %+v", n, r)
			}
			n++
		}
		for _, c := range a.Journal().Connections {
			for _, record := range c.Accounts {
				if record.ID == acc.ID && (record.Rows != len(got) || record.Balance != page.Balance.String()) {
					a.t.Errorf("the journal has %+v, want %d rows, %s", record, len(got), page.Balance)
				}
			}
		}
		if n != len(got) {
			a.t.Errorf("the journal has %d rows, want %d", n, len(got))
		}
		rows = append(rows, got...)
	}
	return rows
}

func transactionFaultTests() map[string]func(*testing.T) {
	// first asks for a page of the first account.
	first := func(a *apis, token string, n int) rowPage {
		a.t.Helper()
		return a.rows(token, fmt.Sprintf("accountIds=%d&perPage=500&page=%d", a.accounts(token, "")[0].ID, n))
	}
	raw := func(a *apis, token string) map[string]any {
		a.t.Helper()
		return decoded[map[string]any](a.unchecked().get("/api/v2/transactions?view=bankView&perPage=100", token).want(200))
	}
	return map[string]func(*testing.T){
		"duplicates": func(t *testing.T) {
			a, token := loadedUnder(t, "duplicates:n=3")
			rows := a.agrees(token)
			if len(rows) != 1612+4*3 {
				t.Errorf("%d rows, want 1612 and 3 for each account", len(rows))
			}
			marked := a.allRows(token, "isPotentialDuplicate=true")
			if len(marked) != 12 {
				t.Errorf("%d duplicates, want 12", len(marked))
			}
			for _, d := range marked {
				if !slices.ContainsFunc(rows, func(r row) bool {
					return r.ID != d.ID && !r.IsPotentialDuplicate && r.Amount == d.Amount && r.Purpose == d.Purpose && r.BankBookingDate == d.BankBookingDate && r.AccountID == d.AccountID
				}) {
					t.Errorf("%+v is like no other row", d)
				}
			}
		},
		"adjusting-entry": func(t *testing.T) {
			a, token := loadedUnder(t, "adjusting-entry")
			if rows := a.agrees(token); len(rows) != 1616 {
				t.Errorf("%d rows, want 1616", len(rows))
			}
			for _, r := range a.allRows(token, "isAdjustingEntry=true") {
				if r.Amount != "-47.11" || r.Category != nil || r.CounterpartName != "" {
					t.Errorf("%+v", r)
				}
			}
			if n := a.rows(token, "isAdjustingEntry=false").Paging.TotalCount; n != 1612 {
				t.Errorf("%d other rows", n)
			}
		},
		"rows-split": func(t *testing.T) {
			a, token := loadedUnder(t, "rows-split:n=3")
			rows := a.agrees(token)
			if len(rows) != 1612 {
				t.Errorf("bankView has %d rows, want 1612", len(rows))
			}
			type split struct {
				ID, ParentID int64
				Amount       json.Number
				Children     []int64
			}
			view := func(name, query string) (rows []split, total int) {
				got := decoded[struct {
					Transactions []split
					Paging       paging
				}](a.get("/api/v2/transactions?view="+name+"&perPage=500"+query, token).want(200))
				return got.Transactions, got.Paging.TotalCount
			}
			if _, total := view("userView", ""); total != 1612+4*3 {
				t.Errorf("userView has %d rows, want one more for each that was split", total)
			}
			parents, _ := view("bankView", "")
			for _, p := range parents[:3] {
				parts, _ := view("userView", fmt.Sprintf("&ids=%d,%d", p.Children[0], p.Children[1]))
				if len(p.Children) != 2 || len(parts) != 2 || parts[0].ParentID != p.ID || cents(parts[0].Amount.String())+cents(parts[1].Amount.String()) != cents(p.Amount.String()) {
					t.Errorf("%+v was split into %+v", p, parts)
				}
				if same, _ := view("userView", "&ids="+itoa(p.ID)); len(same) != 0 {
					t.Errorf("userView has the row %d that was split", p.ID)
				}
			}
			if parents[3].Children != nil {
				t.Errorf("%+v was split too", parents[3])
			}
		},
		"pending-rows": func(t *testing.T) {
			type pending struct {
				PendingTransactions []struct {
					ID, AccountID         int64
					Amount                json.Number
					ValueDate, ImportDate string
				}
				Paging paging
			}
			list := func(a *apis, token, query string) pending {
				return decoded[pending](a.get("/api/v2/pendingTransactions?perPage=5"+query, token).want(200))
			}
			a, token := loadedUnder(t)
			if got := list(a, token, ""); got.Paging.TotalCount != 0 || got.PendingTransactions == nil {
				t.Errorf("without the fault: %+v", got)
			}
			a, token = loadedUnder(t, "pending-rows:n=2")
			got := list(a, token, "")
			if len(got.PendingTransactions) != 5 || got.Paging.TotalCount != 8 || got.PendingTransactions[0].ValueDate != "2026-03-04" {
				t.Errorf("got %+v", got)
			}
			second := got.PendingTransactions[1]
			for query, want := range map[string]int{"&accountIds=" + itoa(second.AccountID): 2, "&ids=" + itoa(second.ID) + ",1": 1, "&order=id,desc&page=2": 8} {
				if got := list(a, token, query); got.Paging.TotalCount != want {
					t.Errorf("%s: %+v, want %d", query, got.Paging, want)
				}
			}
			a.get("/api/v2/pendingTransactions?page=0", token).refused(400, "BAD_REQUEST")
			if rows := a.agrees(token); len(rows) != 1612 {
				t.Errorf("%d booked rows", len(rows))
			}
		},
		"odd-amounts": func(t *testing.T) {
			a, token := loadedUnder(t, "odd-amounts")
			rows := a.agrees(token)
			var got []string
			for _, r := range rows[:4] {
				got = append(got, r.Amount.String())
			}
			if want := []string{"999999999999.99", "-999999999999.98", "0.0", "-0.01"}; !slices.Equal(got, want) {
				t.Errorf("amounts %v, want %v", got, want)
			}
		},
		"rows-arrive": func(t *testing.T) {
			a, token := loadedUnder(t, "rows-arrive:n=3")
			before := first(a, token, 1)
			for i := range 5 {
				page := first(a, token, 2)
				if want := before.Paging.TotalCount + min(i+1, 3); page.Paging.TotalCount != want {
					t.Errorf("%d rows on page %d, want %d", page.Paging.TotalCount, i+2, want)
				}
			}
			for _, acc := range a.accounts(token, "")[1:] {
				for range 4 {
					a.rows(token, "accountIds="+itoa(acc.ID))
				}
			}
			rows := a.agrees(token)
			last := rows[806+2] // of the first account: the newest id, but not the newest day
			if last.BankBookingDate >= rows[805].BankBookingDate || last.IsPotentialDuplicate {
				t.Errorf("%+v came last, want a back-dated row", last)
			}
		},
		"rows-vanish": func(t *testing.T) {
			a, token := loadedUnder(t, "odd-amounts")
			a.on("rows-vanish:n=3")
			one := first(a, token, 1)
			two := first(a, token, 2)
			if one.Paging.TotalCount-two.Paging.TotalCount != 3 || len(one.Transactions)+len(two.Transactions) != 803 {
				t.Errorf("%d rows, then %d", one.Paging.TotalCount, two.Paging.TotalCount)
			}
			seen := map[int64]bool{}
			for _, r := range append(one.Transactions, two.Transactions...) {
				seen[r.ID] = true
			}
			lost := 0
			for _, r := range a.agrees(token)[:803] {
				if !seen[r.ID] {
					lost++
				}
			}
			if lost != 3 {
				t.Errorf("%d rows slipped from one page to the other unseen, want 3", lost)
			}
		},
		"rows-reimported": func(t *testing.T) {
			a, token := loadedUnder(t, "duplicates")
			before := a.agrees(token)
			a.on("rows-reimported")
			a.clock.Advance(48 * time.Hour)
			first(a, token, 1)
			first(a, token, 2)
			after := a.agrees(token)
			if len(after) != len(before) {
				t.Fatalf("%d rows, were %d", len(after), len(before))
			}
			for i, r := range after {
				again := r.AccountID == before[0].AccountID
				if same := r.ID == before[i].ID; same == again || r.Amount != before[i].Amount || again != (r.ImportDate > before[i].ImportDate) {
					t.Fatalf("row %+v, was %+v", r, before[i])
				}
			}
		},
		"page-repeated": func(t *testing.T) {
			a, token := loadedUnder(t)
			one, two := first(a, token, 1), first(a, token, 2)
			a.on("page-repeated")
			if got := first(a, token, 1); got.Transactions[0].ID != one.Transactions[0].ID || got.Paging.Page != 1 {
				t.Error("the first page is not the first")
			}
			if got := first(a, token, 2); got.Transactions[0].ID != one.Transactions[0].ID || got.Paging.Page != 2 || got.Paging.TotalCount != two.Paging.TotalCount {
				t.Error("the second page is not the first again")
			}
		},
		"page-short": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("page-short:n=2")
			one, two := first(a, token, 1), first(a, token, 2)
			if len(one.Transactions) != 500 || len(two.Transactions) != 304 || two.Paging.TotalCount != 806 {
				t.Errorf("%d and %d rows of %d", len(one.Transactions), len(two.Transactions), two.Paging.TotalCount)
			}
		},
		"total-count-wrong": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("total-count-wrong:n=7")
			if got := first(a, token, 1).Paging; got.TotalCount != 813 || got.PageCount != 2 {
				t.Errorf("got %+v", got)
			}
		},
		"balance-wrong": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("balance-wrong:n=10")
			if got := a.rows(token, ""); got.Balance != "-13587.0" || got.Income != "256627.46" || got.Spending != "-270214.46" {
				t.Errorf("sums %s, %s, %s", got.Balance, got.Income, got.Spending)
			}
		},
		"paging-missing": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("paging-missing")
			if got := raw(a, token); got["paging"] != nil || len(got["transactions"].([]any)) != 100 {
				t.Errorf("paging %v", got["paging"])
			}
		},
		"paging-incomplete": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("paging-incomplete")
			if got := raw(a, token)["paging"]; fmt.Sprint(got) != "map[page:1 perPage:100]" {
				t.Errorf("paging %v", got)
			}
		},
		"currency-null": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("currency-null")
			for _, r := range first(a, token, 1).Transactions {
				if r.Currency != nil {
					t.Fatalf("currency %s", *r.Currency)
				}
			}
		},
		"currency-foreign": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("currency-foreign:code=CHF")
			n := 0
			for _, r := range first(a, token, 1).Transactions {
				if r.Currency != nil && *r.Currency == "CHF" {
					n++
				}
			}
			if n < 166 || n > 167 {
				t.Errorf("%d of 500 rows are in CHF, want every third", n)
			}
		},
		"booking-drift": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("booking-drift")
			for _, want := range []struct {
				wait   time.Duration
				finapi string
			}{{0, "2026-03-04"}, {72 * time.Hour, "2026-03-07"}, {360 * time.Hour, "2026-03-18"}, {24 * time.Hour, "2026-03-18"}} {
				a.clock.Advance(want.wait)
				n := 0
				for _, r := range first(a, token, 1).Transactions {
					if r.BankBookingDate == "2026-03-18" {
						n++
						if r.FinapiBookingDate != want.finapi {
							t.Fatalf("finapiBookingDate %s, want %s", r.FinapiBookingDate, want.finapi)
						}
					}
				}
				if n != 50 {
					t.Errorf("%d of 500 rows are booked ahead, want 50", n)
				}
			}
		},
		"row-of-another-account": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("row-of-another-account")
			page := first(a, token, 1)
			if page.Transactions[0].AccountID == page.Transactions[1].AccountID {
				t.Error("the first row is of the account")
			}
		},
	}
}

func answerFaultTests() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"unknown-fields": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("unknown-fields")
			f := a.form(token, redirectBank)
			for _, path := range []string{
				"/api/v2/transactions?view=bankView", "/api/v2/accounts", "/api/v2/bankConnections", "/api/v2/banks", "/api/webForms", "/api/webForms/" + f.ID,
			} {
				got := a.get(path, token).want(200).body
				if !strings.Contains(got, `"addedLater":{`) || strings.Contains(path, "trans") && !strings.Contains(got, `"cleanedPurpose":"`) {
					t.Errorf("%s has no new field:\n%.300s", path, got)
				}
			}
			if got := a.password("u"); got.Access == "" {
				t.Error("no token")
			}
			a.agrees(token) // amounts are as they were
		},
		"nulls-mixed": func(t *testing.T) {
			a, token := loadedUnder(t)
			plain := decoded[map[string]any](a.get("/api/v2/transactions?view=bankView&perPage=500", token))["transactions"].([]any)
			a.on("nulls-mixed")
			mixed := decoded[map[string]any](a.get("/api/v2/transactions?view=bankView&perPage=500", token))["transactions"].([]any)
			nulls, missing := 0, 0
			for i := range mixed {
				for _, name := range []string{"purpose", "counterpartIban", "category", "feeAmount", "parentId", "currency", "amount"} {
					v, there := mixed[i].(map[string]any)[name]
					was := plain[i].(map[string]any)[name]
					if fmt.Sprint(v) != fmt.Sprint(was) {
						t.Fatalf("%s of row %d is %v, was %v", name, i, v, was)
					}
					if v == nil && there != (i%2 == 0) {
						t.Fatalf("row %d: %s is there: %t", i, name, there)
					}
					if v == nil && there {
						nulls++
					} else if v == nil {
						missing++
					}
				}
			}
			if nulls < 500 || missing < 500 {
				t.Errorf("%d nulls and %d missing", nulls, missing)
			}
			if got := a.get("/api/v2/accounts", token).body; !strings.Contains(got, `"overdraft":null`) {
				t.Errorf("no null in %.300s", got)
			}
		},
		"empty-object": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("empty-object")
			if got := a.unchecked().get("/api/v2/accounts", token).want(200).body; strings.TrimSpace(got) != "{}" {
				t.Errorf("got %s", got)
			}
			a.get("/api/v2/bankConnections/1", token).refused(404, "UNKNOWN_ENTITY") // that is no good answer
		},
		"error-as-200": func(t *testing.T) {
			a, token := loadedUnder(t)
			a.on("error-as-200:op=list-accounts")
			a.unchecked().get("/api/v2/accounts", token).refused(200, "UNEXPECTED_ERROR")
			a.connections(token, "")
		},
	}
}

// A page costs the same however many rows there are, and next to nothing of them
// stays in memory. Not parallel: it measures.
func TestLargeAccounts(t *testing.T) {
	a := newAPIs(t, simulator.Config{DownloadTime: -1, CategorizationTime: -1, Banks: []simulator.Bank{
		{ID: 300001, RowsPerAccount: 1_000}, {ID: 300002, RowsPerAccount: 100_000}, {ID: 300003, RowsPerAccount: 1_000_000},
	}}).unchecked()
	token := a.user("u")
	used := func() (heap, total int64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc), int64(m.TotalAlloc)
	}
	perPage := make(map[int]int64) // bytes, by rows
	for _, bank := range []struct{ id, rows int }{{300001, 1_000}, {300002, 100_000}, {300003, 1_000_000}} {
		before, _ := used()
		id := a.connect(token, fmt.Sprintf(`{"bank":{"id":%d}}`, bank.id))
		account := a.accounts(token, "?bankConnectionIds="+itoa(id))[0].ID
		pages, seen := bank.rows/500, int64(0)
		_, begin := used()
		for _, n := range []int{1, pages / 2, pages - 1, pages} {
			page := a.rows(token, fmt.Sprintf("accountIds=%d&perPage=500&page=%d", account, n))
			if page.Paging.TotalCount != bank.rows || page.Paging.PageCount != pages || len(page.Transactions) != 500 {
				t.Errorf("bank %d, page %d: %d rows of %+v", bank.id, n, len(page.Transactions), page.Paging)
			}
			if page.Transactions[0].ID <= seen && pages > 2 {
				t.Errorf("bank %d, page %d: ids do not rise", bank.id, n)
			}
			seen = page.Transactions[499].ID
		}
		after, end := used()
		perPage[bank.rows] = (end - begin) / 4
		if kept := after - before; kept > 4<<20 { // a list of a million rows would be 16 MB at least
			t.Errorf("%d rows keep %d bytes in memory", bank.rows, kept)
		}
	}
	t.Logf("bytes allocated for a page, by rows of the account, with what the test takes to read it: %v", perPage)
	if perPage[1_000_000] > 2*perPage[1_000] {
		t.Errorf("bytes for a page: %v, want the same for all", perPage)
	}
}
