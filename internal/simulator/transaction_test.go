package simulator_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// rowPage is a page of transactions.
type rowPage struct {
	Transactions              []row
	Paging                    paging
	Income, Spending, Balance json.Number
}

type row struct {
	ID, AccountID                                 int64
	Amount                                        json.Number
	ValueDate, BankBookingDate, FinapiBookingDate string
	ImportDate                                    string
	Currency                                      *string
	Purpose, Type                                 string
	CounterpartName, CounterpartIBAN              string
	CounterpartAccountNumber                      string
	CounterpartBLZ, CounterpartBIC                string
	BankTransactionCodeDescription                string
	OriginalCurrency                              *string
	IsNew, IsPotentialDuplicate, IsAdjustingEntry bool
	Category                                      *struct {
		ID, ParentID int64
		Name         string
		IsCustom     bool
	}
	Labels []any
}

func (a *apis) rows(token, query string) rowPage {
	a.t.Helper()
	return decoded[rowPage](a.get("/api/v2/transactions?view=bankView&"+query, token).want(200))
}

// allRows reads page by page.
func (a *apis) allRows(token, query string) []row {
	a.t.Helper()
	var all []row
	for n := 1; ; n++ {
		page := a.rows(token, fmt.Sprintf("%s&perPage=500&page=%d", query, n))
		all = append(all, page.Transactions...)
		if n >= page.Paging.PageCount {
			if len(all) != page.Paging.TotalCount {
				a.t.Fatalf("%d rows on all pages, want %d", len(all), page.Paging.TotalCount)
			}
			return all
		}
	}
}

// cents reads an amount as the provider writes it: exact and not padded.
func cents(amount string) int64 {
	whole, fraction, _ := strings.Cut(amount, ".")
	n, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if err != nil || len(fraction) > 2 {
		return math.MinInt64
	}
	return n
}

func sums(rows []row) (income, spending int64) {
	for _, r := range rows {
		if c := cents(r.Amount.String()); c < 0 {
			spending += c
		} else {
			income += c
		}
	}
	return income, spending
}

func ids(rows []row) []int64 {
	var all []int64
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return all
}

// The numbers of the provider's test bank.
func TestRowsOfTheTestBank(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{0, 1, 42} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, simulator.Config{Seed: seed})
			token := a.user("u")
			a.loaded(token, testBank)
			var all []row
			for n := 1; n <= 4; n++ {
				page := a.rows(token, fmt.Sprint("perPage=500&page=", n))
				if page.Income != "256627.36" || page.Spending != "-270214.46" || page.Balance != "-13587.1" {
					t.Errorf("page %d: income %s, spending %s, balance %s; want 256627.36, -270214.46 and -13587.1 on every page", n, page.Income, page.Spending, page.Balance)
				}
				if want := (paging{n, 500, 4, 1612}); page.Paging != want {
					t.Errorf("paging %+v, want %+v", page.Paging, want)
				}
				all = append(all, page.Transactions...)
			}
			if n := len(all); n != 1612 {
				t.Fatalf("%d rows, want 1612", n)
			}
			if income, spending := sums(all); income != 25662736 || spending != -27021446 {
				t.Errorf("rows add up to %d and %d cents, want 25662736 and -27021446", income, spending)
			}
			if !slices.IsSortedFunc(all, func(a, b row) int { return int(a.ID - b.ID) }) || len(slices.Compact(ids(all))) != len(all) {
				t.Error("ids do not rise strictly")
			}
			categorized := 0
			for _, r := range all {
				if r.Category != nil {
					categorized++
				}
				if r.ID <= 1<<32 || !r.IsNew || r.IsPotentialDuplicate || r.IsAdjustingEntry || r.Labels == nil || r.ImportDate != "2026-03-04T11:00:03.000+01:00" || r.FinapiBookingDate != r.BankBookingDate {
					t.Fatalf("row %+v", r)
				}
			}
			if categorized != 1543 {
				t.Errorf("%d rows have a category, want 1543", categorized)
			}
			for i, acc := range a.accounts(token, "") {
				want := []struct {
					rows             int
					income, spending string
				}{{806, "123640.2", "-130433.75"}, {512, "103850.0", "-105000.0"}, {50, "16687.16", "-22850.4"}, {244, "12450.0", "-11930.31"}}[i]
				if got := a.rows(token, fmt.Sprint("accountIds=", acc.ID)); got.Paging.TotalCount != want.rows || got.Income.String() != want.income || got.Spending.String() != want.spending {
					t.Errorf("account %d: %d rows, %s and %s; want %+v", i, got.Paging.TotalCount, got.Income, got.Spending, want)
				}
			}
		})
	}
}

func TestTransactionsRefuse(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	for query, tt := range map[string]struct {
		status int
		code   string
	}{
		"":                                {400, "MISSING_FIELD"},
		"view=":                           {400, "MISSING_FIELD"},
		"page=1":                          {400, "MISSING_FIELD"},
		"view=bankview":                   {400, "BAD_REQUEST"},
		"view=bankView&perPage=0":         {400, "ILLEGAL_PAGE_SIZE"},
		"view=bankView&perPage=501":       {400, "ILLEGAL_PAGE_SIZE"},
		"view=bankView&perPage=-1":        {400, "ILLEGAL_PAGE_SIZE"},
		"view=bankView&perPage=x":         {400, "ILLEGAL_PAGE_SIZE"},
		"view=bankView&page=0":            {400, "BAD_REQUEST"},
		"view=bankView&page=-1":           {400, "BAD_REQUEST"},
		"view=bankView&page=x":            {400, "BAD_REQUEST"},
		"view=bankView&order=id,up":       {400, "BAD_REQUEST"},
		"view=bankView&order=amount,desc": {501, "UNSUPPORTED_ORDER"},
		"view=bankView&accountIds=x":      {400, "BAD_REQUEST"},
		"view=bankView&ids=1,,x":          {400, "BAD_REQUEST"},
		"view=bankView&accountIds=" + repeated(1001, "1", ","):     {400, "TOO_MANY_IDS"},
		"view=bankView&ids=" + repeated(1001, "1", "&ids="):        {400, "TOO_MANY_IDS"},
		"view=bankView&categoryIds=x":                              {400, "BAD_REQUEST"},
		"view=bankView&labelIds=x":                                 {400, "BAD_REQUEST"},
		"view=bankView&direction=in":                               {400, "BAD_REQUEST"},
		"view=bankView&minAmount=1.234":                            {400, "BAD_REQUEST"},
		"view=bankView&maxAmount=x":                                {400, "BAD_REQUEST"},
		"view=bankView&isNew=maybe":                                {400, "BAD_REQUEST"},
		"view=bankView&includeChildCategories=x":                   {400, "BAD_REQUEST"},
		"view=bankView&minBankBookingDate=2026-13-01":              {400, "BAD_REQUEST"},
		"view=bankView&maxImportDate=01.01.2026":                   {400, "BAD_REQUEST"},
		"view=bankView&minFinapiBookingDate=2026-01-01T00:00:00":   {400, "BAD_REQUEST"},
		"view=bankView&isPotentialDuplicate=x&isAdjustingEntry=x&": {400, "BAD_REQUEST"},
	} {
		t.Run(fmt.Sprintf("%.60s", query), func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			a.get("/api/v2/transactions?"+query, token).refused(tt.status, tt.code)
		})
	}
	got := a.get("/api/v2/transactions?view=userView", token).want(200).body
	sameJSON(t, got, `{"transactions":[],"paging":{"page":1,"perPage":20,"pageCount":0,"totalCount":0},"income":0.0,"spending":0.0,"balance":0.0}`)
}

func TestTransactionPages(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.loaded(token, testBank)
	all := ids(a.allRows(token, ""))
	newest := slices.Clone(all)
	slices.Reverse(newest)
	for query, tt := range map[string]struct {
		want   []int64
		paging paging
	}{
		"":                                      {all[:20], paging{1, 20, 81, 1612}},
		"page=81":                               {all[1600:], paging{81, 20, 81, 1612}},
		"page=82":                               {nil, paging{82, 20, 81, 1612}},
		"page=2&perPage=1":                      {all[1:2], paging{2, 1, 1612, 1612}},
		"perPage=500&page=4":                    {all[1500:], paging{4, 500, 4, 1612}},
		"perPage=403&page=4":                    {all[1209:], paging{4, 403, 4, 1612}},
		"perPage=403&page=5":                    {nil, paging{5, 403, 4, 1612}},
		"order=id":                              {all[:20], paging{1, 20, 81, 1612}},
		"order=id,asc":                          {all[:20], paging{1, 20, 81, 1612}},
		"order=id,desc":                         {newest[:20], paging{1, 20, 81, 1612}},
		"order=id,DESC&page=81":                 {newest[1600:], paging{81, 20, 81, 1612}},
		"currency=EUR&bankConnectionIds=1":      {all[:20], paging{1, 20, 81, 1612}}, // no such parameters
		"page=9223372036854775807&perPage=500":  {nil, paging{9223372036854775807, 500, 4, 1612}},
		"direction=spending&order=id,desc&pa=1": {nil, paging{}},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := a.rows(token, query)
			if tt.paging == (paging{}) { // filtered: only the order matters
				if n := len(got.Transactions); n != 20 || got.Transactions[0].ID < got.Transactions[19].ID {
					t.Errorf("%d rows from %d, want 20 falling", n, got.Transactions[0].ID)
				}
				return
			}
			if !slices.Equal(ids(got.Transactions), tt.want) || got.Paging != tt.paging {
				t.Errorf("got %v, %+v\nwant %v, %+v", ids(got.Transactions), got.Paging, tt.want, tt.paging)
			}
			if got.Balance != "-13587.1" {
				t.Errorf("balance %s, want that of all pages", got.Balance)
			}
		})
	}
}

// Filters are compared with what a reader of all rows would pick.
func TestTransactionFilters(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token, other := a.user("u"), a.user("other")
	a.loaded(token, testBank)
	a.loaded(other, testBank)
	a.clock.Advance(40 * time.Minute)
	a.loaded(token, redirectBank)
	a.contracts = nil // too many pages that look like those of other tests
	all := a.allRows(token, "")
	foreign := a.rows(other, "").Transactions[0]
	accounts := a.accounts(token, "")
	some := all[700]
	words := strings.Fields(some.Purpose)
	has := func(text string, words ...string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(strings.ToLower(text), strings.ToLower(w)) })
	}
	counterpart := func(r row) string {
		return r.CounterpartName + "\n" + r.CounterpartIBAN + "\n" + r.CounterpartAccountNumber + "\n" + r.CounterpartBLZ + "\n" + r.CounterpartBIC
	}
	named := all[slices.IndexFunc(all, func(r row) bool { return r.CounterpartIBAN != "" && r.Category != nil && r.Category.ParentID != 0 })]
	amount := func(r row) int64 { return cents(r.Amount.String()) }
	for query, keep := range map[string]func(row) bool{
		"direction=all":      func(row) bool { return true },
		"direction=income":   func(r row) bool { return amount(r) >= 0 },
		"direction=spending": func(r row) bool { return amount(r) < 0 },
		"minAmount=100":      func(r row) bool { return amount(r) >= 10000 },
		"maxAmount=-99.5":    func(r row) bool { return amount(r) <= -9950 },
		"minAmount=-50&maxAmount=" + some.Amount.String():                          func(r row) bool { return amount(r) >= -5000 && amount(r) <= amount(some) },
		"minAmount=" + some.Amount.String() + "&maxAmount=" + some.Amount.String(): func(r row) bool { return r.Amount == some.Amount },
		fmt.Sprintf("ids=%d,%d", all[3].ID, all[900].ID):                           func(r row) bool { return r.ID == all[3].ID || r.ID == all[900].ID },
		fmt.Sprintf("ids=%d&ids=%d,1", all[3].ID, all[900].ID):                     func(r row) bool { return r.ID == all[3].ID || r.ID == all[900].ID },
		fmt.Sprintf("ids=%d", foreign.ID):                                          func(row) bool { return false },
		fmt.Sprintf("accountIds=%d,%d", accounts[5].ID, accounts[2].ID):            func(r row) bool { return r.AccountID == accounts[2].ID || r.AccountID == accounts[5].ID },
		fmt.Sprintf("accountIds=%d&accountIds=%d", accounts[5].ID, accounts[2].ID): func(r row) bool {
			return r.AccountID == accounts[2].ID || r.AccountID == accounts[5].ID
		},
		fmt.Sprintf("accountIds=%d", foreign.AccountID):               func(row) bool { return false },
		fmt.Sprintf("accountIds=%d&direction=income", accounts[1].ID): func(r row) bool { return r.AccountID == accounts[1].ID && amount(r) >= 0 },
		"purpose=" + url.QueryEscape(strings.ToUpper(words[0])):       func(r row) bool { return has(r.Purpose, words[0]) },
		"purpose=" + url.QueryEscape(some.Purpose):                    func(r row) bool { return has(r.Purpose, words...) },
		"purpose=no+such+purpose":                                     func(row) bool { return false },
		"counterpart=" + url.QueryEscape(named.CounterpartName):       func(r row) bool { return has(counterpart(r), strings.Fields(named.CounterpartName)...) },
		"counterpart=" + named.CounterpartIBAN:                        func(r row) bool { return r.CounterpartIBAN == named.CounterpartIBAN },
		"search=" + url.QueryEscape(named.CounterpartName+" "+named.Type): func(r row) bool {
			return has(r.Purpose+"\n"+counterpart(r)+"\n"+r.Type, strings.Fields(named.CounterpartName+" "+named.Type)...)
		},
		"minBankBookingDate=2025-09-01":                               func(r row) bool { return r.BankBookingDate >= "2025-09-01" },
		"maxBankBookingDate=" + some.BankBookingDate:                  func(r row) bool { return r.BankBookingDate <= some.BankBookingDate },
		"minBankBookingDate=2025-09-01&maxBankBookingDate=2025-09-30": func(r row) bool { return strings.HasPrefix(r.BankBookingDate, "2025-09") },
		"minFinapiBookingDate=2026-01-01":                             func(r row) bool { return r.FinapiBookingDate >= "2026-01-01" },
		"maxFinapiBookingDate=2024-06-30":                             func(r row) bool { return r.FinapiBookingDate <= "2024-06-30" },
		"minImportDate=2026-03-04":                                    func(row) bool { return true },
		"minImportDate=2026-03-05":                                    func(row) bool { return false },
		"maxImportDate=2026-03-04":                                    func(row) bool { return true },
		"maxImportDate=2026-03-03":                                    func(row) bool { return false },
		"isNew=true":                                                  func(row) bool { return true },
		"isNew=false":                                                 func(row) bool { return false },
		"isPotentialDuplicate=true":                                   func(row) bool { return false },
		"isPotentialDuplicate=false":                                  func(row) bool { return true },
		"isAdjustingEntry=true":                                       func(row) bool { return false },
		"isAdjustingEntry=false":                                      func(row) bool { return true },
		"labelIds=1":                                                  func(row) bool { return false },
		"categoryIds=0":                                               func(r row) bool { return r.Category == nil },
		fmt.Sprint("categoryIds=", named.Category.ID):                 func(r row) bool { return r.Category != nil && r.Category.ID == named.Category.ID },
		fmt.Sprint("categoryIds=0,", named.Category.ID):               func(r row) bool { return r.Category == nil || r.Category.ID == named.Category.ID },
		fmt.Sprint("categoryIds=", named.Category.ParentID):           func(r row) bool { return r.Category != nil && r.Category.ParentID == named.Category.ParentID },
		fmt.Sprint("includeChildCategories=false&categoryIds=", named.Category.ParentID): func(row) bool { return false },
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			want := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return !keep(r) })
			if got := a.allRows(token, query); !slices.Equal(ids(got), ids(want)) {
				t.Errorf("%d rows, want %d of %d", len(got), len(want), len(all))
			}
			page := a.rows(token, query+"&perPage=1") // the sums are over all pages
			income, spending := sums(want)
			if cents(page.Income.String()) != income || cents(page.Spending.String()) != spending || cents(page.Balance.String()) != income+spending {
				t.Errorf("sums %s, %s, %s; want %d, %d, %d cents", page.Income, page.Spending, page.Balance, income, spending, income+spending)
			}
		})
	}
}

// A client that pages during the download sees the set change under it.
func TestRowsArriveWhilePaging(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	first := a.loaded(token, redirectBank)
	a.connect(token, testBank)
	before := a.rows(token, "perPage=60")
	if want := (paging{1, 60, 2, 120}); before.Paging != want {
		t.Errorf("paging %+v, want %+v: the second bank is still downloading", before.Paging, want)
	}
	a.clock.Advance(3 * time.Second)
	after := a.rows(token, "perPage=60&page=2")
	if want := (paging{2, 60, 29, 1732}); after.Paging != want {
		t.Errorf("paging %+v, want %+v", after.Paging, want)
	}
	if all := a.allRows(token, "order=id,asc"); !slices.Equal(ids(all[:60]), ids(before.Transactions)) || !slices.Equal(ids(all[60:120]), ids(after.Transactions)) {
		t.Error("by id, new rows must come after those that were there")
	}
	if got := a.connection(token, first).UpdateStatus; got != "READY" {
		t.Errorf("the first connection is %s, want READY", got)
	}
}

// maxDaysForDownload leaves out what is older.
func TestMaxDays(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token, some := a.user("u"), a.user("some")
	a.loaded(token, testBank)
	a.loaded(some, `{"bank":{"id":280001},"maxDaysForDownload":90}`)
	all, few := a.allRows(token, ""), a.allRows(some, "")
	if len(few) == 0 || len(few) >= len(all)/4 {
		t.Errorf("%d rows of 90 days, %d of two years", len(few), len(all))
	}
	oldest := "9999"
	for _, r := range few {
		oldest = min(oldest, r.BankBookingDate)
	}
	if first := "2025-12-05"; oldest < first {
		t.Errorf("a row of %s, want none before %s", oldest, first)
	}
	page := a.rows(some, "perPage=1")
	if income, spending := sums(few); cents(page.Income.String()) != income || cents(page.Spending.String()) != spending {
		t.Errorf("sums %s and %s, want %d and %d cents", page.Income, page.Spending, income, spending)
	}
}

// Amounts are exact and not padded, some currencies are null, some rows are foreign.
func TestAmountsAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.loaded(token, testBank)
	rows := a.allRows(token, "")
	null, euro, foreign, short := 0, 0, 0, 0
	for _, r := range rows {
		if !regexp.MustCompile(`^-?(0|[1-9]\d*)\.(\d|\d[1-9])$`).MatchString(r.Amount.String()) {
			t.Errorf("amount %s, want it exact and not padded", r.Amount)
		}
		switch {
		case r.Currency == nil:
			null++
		case *r.Currency == "EUR":
			euro++
		}
		if r.OriginalCurrency != nil {
			foreign++
		}
		if _, fraction, _ := strings.Cut(r.Amount.String(), "."); len(fraction) == 1 {
			short++
		}
	}
	if null == 0 || euro == 0 || foreign == 0 || short == 0 || null+euro != len(rows) {
		t.Errorf("%d rows without a currency, %d in euro, %d foreign, %d with one place: want some of each", null, euro, foreign, short)
	}
	if body := a.get("/api/v2/transactions?view=bankView&perPage=500", token).body; !strings.Contains(body, `"currency":null`) {
		t.Error("no currency is null; it is left out or always there")
	}
}

// Large banks cost what is read of them.
func TestLargeBank(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Banks: []simulator.Bank{{ID: 300001, Accounts: 2, RowsPerAccount: 100_000}}})
	token := a.user("u")
	a.loaded(token, `{"bank":{"id":300001}}`)
	got := a.rows(token, "page=400&perPage=500")
	if want := (paging{400, 500, 400, 200_000}); got.Paging != want || len(got.Transactions) != 500 {
		t.Errorf("%d rows, %+v; want 500, %+v", len(got.Transactions), got.Paging, want)
	}
}
