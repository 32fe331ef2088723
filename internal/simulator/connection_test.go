package simulator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// connection is a bank connection as the API shows it.
type connection struct {
	ID                   int64
	Name                 *string
	UpdateStatus         string
	CategorizationStatus string
	AccountIDs           []int64 `json:"accountIds"`
	Bank                 struct {
		ID             int64
		Name, BLZ, BIC string
		IsTestBank     bool
	}
	Interfaces []struct {
		BankingInterface   string
		MaxDaysForDownload int
		UserActionRequired bool
		LastManualUpdate   *struct{ Result, Timestamp string }
	}
}

func (a *apis) connection(token string, id int64) connection {
	a.t.Helper()
	return decoded[connection](a.get(fmt.Sprint("/api/v2/bankConnections/", id), token).want(200))
}

func (a *apis) connections(token, query string) []int64 {
	a.t.Helper()
	list := decoded[struct{ Connections []connection }](a.get("/api/v2/bankConnections"+query, token).want(200))
	ids := []int64{}
	for _, c := range list.Connections {
		ids = append(ids, c.ID)
	}
	return ids
}

// What there is after a form follows from the clock: first accounts without
// balances and rows, then these, then categories.
func TestConnectionByTheClock(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	id := a.connect(token, testBank)
	for _, step := range []struct {
		advance            time.Duration
		update, categorize string
		rows, categories   bool
	}{
		{0, "IN_PROGRESS", "READY", false, false},
		{3*time.Second - 1, "IN_PROGRESS", "READY", false, false},
		{1, "READY", "PENDING", true, false},
		{time.Second - 1, "READY", "PENDING", true, false},
		{1, "READY", "IN_PROGRESS", true, false},
		{time.Second - 1, "READY", "IN_PROGRESS", true, false},
		{1, "READY", "READY", true, true},
		{time.Hour - 5*time.Second - 1, "READY", "READY", true, true},
	} {
		a.clock.Advance(step.advance)
		got := a.connection(token, id)
		if got.UpdateStatus != step.update || got.CategorizationStatus != step.categorize {
			t.Errorf("after %s more: %s and %s, want %s and %s", step.advance, got.UpdateStatus, got.CategorizationStatus, step.update, step.categorize)
		}
		if (got.Interfaces[0].LastManualUpdate != nil) != step.rows {
			t.Errorf("last manual update %+v, want one: %t", got.Interfaces[0].LastManualUpdate, step.rows)
		}
		status := "DOWNLOAD_IN_PROGRESS"
		if step.rows {
			status = "UPDATED"
		}
		accounts := a.accounts(token, "")
		if len(accounts) != 4 || len(got.AccountIDs) != 4 {
			t.Fatalf("%d accounts, want 4 from the beginning", len(accounts))
		}
		for i, acc := range accounts {
			via := acc.Interfaces[0]
			if acc.ID != got.AccountIDs[i] || acc.BankConnectionID != id || acc.AccountNumber == "" {
				t.Errorf("account %+v, want %d of connection %d, with a number", acc, got.AccountIDs[i], id)
			}
			if via.Status != status || (acc.Balance != nil) != step.rows || (via.LastSuccessfulUpdate != nil) != step.rows || via.LastUpdateAttempt == nil {
				t.Errorf("account %+v, want %s, with balance and time of success: %t", acc, status, step.rows)
			}
		}
		page := a.rows(token, "perPage=500")
		if (page.Paging.TotalCount == 1612) != step.rows || (len(page.Transactions) == 500) != step.rows {
			t.Errorf("%d rows, want all: %t", page.Paging.TotalCount, step.rows)
		}
		if categorized := slices.ContainsFunc(page.Transactions, func(r row) bool { return r.Category != nil }); categorized != step.categories {
			t.Errorf("categories: %t, want %t", categorized, step.categories)
		}
	}
}

func TestConnectionFields(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	id := a.loaded(token, `{"bank":{"id":280001},"bankConnectionName":"Mine","maxDaysForDownload":90,"allowedInterfaces":["WEB_SCRAPER","FINTS_SERVER"]}`)
	if id <= 1<<32 {
		t.Errorf("id %d fits into 32 bits", id)
	}
	got := a.connection(token, id)
	if got.ID != id || *got.Name != "Mine" || got.Bank.ID != 280001 || got.Bank.BLZ != "DEMO0001" || !got.Bank.IsTestBank {
		t.Errorf("got %+v, want the name and the test bank", got)
	}
	if via := got.Interfaces[0]; len(got.Interfaces) != 1 || via.BankingInterface != "FINTS_SERVER" || via.MaxDaysForDownload != 90 ||
		via.UserActionRequired || via.LastManualUpdate.Result != "OK" || via.LastManualUpdate.Timestamp != "2026-03-04T11:00:03.000+01:00" {
		t.Errorf("got %+v, want FinTS, 90 days, and OK when the download ended", via)
	}
	if got := a.connection(token, a.connect(token, redirectBank)); got.Name != nil || got.Interfaces[0].BankingInterface != "XS2A" {
		t.Errorf("got %+v, want no name and XS2A", got)
	}
}

func TestTimesOfConnections(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config             simulator.Config
		advance            time.Duration
		update, categorize string
	}{
		"no time at all":      {simulator.Config{DownloadTime: -1, CategorizationTime: -1}, 0, "READY", "READY"},
		"categorized at once": {simulator.Config{CategorizationTime: -1}, 3 * time.Second, "READY", "READY"},
		"there at once":       {simulator.Config{DownloadTime: -1}, 0, "READY", "PENDING"},
		"slow":                {simulator.Config{DownloadTime: time.Hour}, time.Hour - 1, "IN_PROGRESS", "READY"},
		"slow categories":     {simulator.Config{CategorizationTime: time.Hour}, 33 * time.Minute, "READY", "IN_PROGRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.config.TokenLife = 24 * time.Hour
			a := newAPIs(t, tt.config)
			token := a.user("u")
			id := a.connect(token, testBank)
			a.clock.Advance(tt.advance)
			if got := a.connection(token, id); got.UpdateStatus != tt.update || got.CategorizationStatus != tt.categorize {
				t.Errorf("%s and %s, want %s and %s", got.UpdateStatus, got.CategorizationStatus, tt.update, tt.categorize)
			}
		})
	}
}

// One account fails; the login worked, and the others are there.
func TestFailedAccount(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Banks: []simulator.Bank{{ID: 300001, Accounts: 3, RowsPerAccount: 10, FailedAccounts: 1}}})
	token := a.user("u")
	id := a.loaded(token, `{"bank":{"id":300001}}`)
	got := a.connection(token, id)
	if got.UpdateStatus != "READY" || got.CategorizationStatus != "READY" || got.Interfaces[0].LastManualUpdate.Result != "OK" {
		t.Errorf("got %+v, want READY twice and OK", got)
	}
	var statuses []string
	for i, acc := range a.accounts(token, "") {
		failed := i == 2
		statuses = append(statuses, acc.Interfaces[0].Status)
		if (acc.Balance == nil) != failed || (acc.Interfaces[0].LastSuccessfulUpdate == nil) != failed || acc.Interfaces[0].LastUpdateAttempt == nil {
			t.Errorf("account %d: %+v, want a balance and a success unless it failed", i, acc)
		}
		if n := a.rows(token, fmt.Sprint("accountIds=", acc.ID)).Paging.TotalCount; (n == 0) != failed {
			t.Errorf("account %d has %d rows", i, n)
		}
	}
	if want := []string{"UPDATED", "UPDATED", "DOWNLOAD_FAILED"}; !slices.Equal(statuses, want) {
		t.Errorf("statuses %v, want %v", statuses, want)
	}
	if n := a.rows(token, "").Paging.TotalCount; n != 20 {
		t.Errorf("%d rows in all, want 20", n)
	}
}

func TestListConnections(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token, other := a.user("u"), a.user("other")
	first, second, foreign := a.connect(token, testBank), a.connect(token, redirectBank), a.connect(other, testBank)
	for query, want := range map[string][]int64{
		"":                                       {first, second},
		"?ids=":                                  {first, second},
		fmt.Sprintf("?ids=%d", second):           {second},
		fmt.Sprintf("?ids=%d,%d", second, first): {first, second},
		fmt.Sprintf("?ids=%d&ids=%d", first, 7):  {first},
		fmt.Sprintf("?ids=%d,7&ids=%d", 8, first): {first},
		fmt.Sprintf("?ids=%d", foreign):           {},
		"?page=2&perPage=1":                       {first, second}, // no pages
		"?ids=" + repeated(1000, "1", ","):        {},
	} {
		if got := a.connections(token, query); !slices.Equal(got, want) {
			t.Errorf("%.60s: got %v, want %v", query, got, want)
		}
	}
	if got := a.get("/api/v2/bankConnections", a.user("none")).want(200).body; strings.TrimSpace(got) != `{"connections":[]}` {
		t.Errorf("without a bank: %s, want an empty list", got)
	}
	a.get("/api/v2/bankConnections?ids="+repeated(1001, "1", ","), token).refused(400, "TOO_MANY_IDS")
	a.get("/api/v2/bankConnections?ids=1,x", token).refused(400, "BAD_REQUEST")
	for id, want := range map[string]int{"1": 404, fmt.Sprint(foreign): 404, "x": 400, "1.0": 400} {
		a.get("/api/v2/bankConnections/"+id, token).want(want)
		a.delete("/api/v2/bankConnections/"+id, token).want(want)
	}
}

func repeated(n int, text, between string) string {
	return strings.TrimSuffix(strings.Repeat(text+between, n), between)
}

func TestDeleteConnection(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	kept := a.connect(token, redirectBank)
	id := a.connect(token, testBank)
	path := fmt.Sprint("/api/v2/bankConnections/", id)
	a.delete(path, token).refused(423, "LOCKED") // downloading
	a.clock.Advance(4 * time.Second)
	a.delete(path, token).refused(423, "LOCKED") // categorizing
	a.clock.Advance(time.Second)
	if got := a.delete(path, token).want(200); got.body != "" {
		t.Errorf("body %q, want none", got.body)
	}
	a.get(path, token).refused(404, "UNKNOWN_ENTITY")
	a.delete(path, token).refused(404, "UNKNOWN_ENTITY")
	if got := a.connections(token, ""); !slices.Equal(got, []int64{kept}) {
		t.Errorf("connections %v, want %d alone", got, kept)
	}
	if n := len(a.accounts(token, "")); n != 2 {
		t.Errorf("%d accounts, want the 2 of the other bank", n)
	}
	if n := a.rows(token, "").Paging.TotalCount; n != 120 {
		t.Errorf("%d rows, want the 120 of the other bank", n)
	}
	again := a.loaded(token, testBank)
	if again <= id || a.accounts(token, "?bankConnectionIds="+fmt.Sprint(again))[0].ID <= id {
		t.Errorf("connected again as %d after %d, want new ids", again, id)
	}
}

// A user has each bank once, unless the request says otherwise.
func TestSecondImportOfABank(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token, other := a.user("u"), a.user("other")
	first := a.connect(token, testBank)
	f := a.form(token, testBank)
	a.open(f).logsIn()
	if got := a.formNow(token, f.ID); got.Status != "COMPLETED_WITH_ERROR" || got.code() != "ENTITY_EXISTS" || got.connection() != first {
		t.Errorf("got %s %s for connection %d, want ENTITY_EXISTS for %d", got.Status, got.code(), got.connection(), first)
	}
	if a.connect(other, testBank) == first || a.connect(token, redirectBank) == first {
		t.Error("another user, or another bank, must have another connection")
	}
	second := a.connect(token, `{"bank":{"id":280001},"skipDuplicateDetection":true}`)
	if second == first || len(a.connections(token, "")) != 3 {
		t.Errorf("connections %v, want a second one to the bank", a.connections(token, ""))
	}
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{MaxConnections: 2})
	var tokens []string
	var ids []int64
	for i := range 4 {
		tokens = append(tokens, a.user(fmt.Sprint(i)))
		ids = append(ids, a.loaded(tokens[i], testBank))
		if i == 1 { // one that is gone already
			a.delete(fmt.Sprint("/api/v2/bankConnections/", ids[1]), tokens[1]).want(200)
		}
	}
	for i, want := range []int{404, 404, 200, 200} {
		a.get(fmt.Sprint("/api/v2/bankConnections/", ids[i]), tokens[i]).want(want)
	}
	if n := len(a.accounts(tokens[0], "")); n != 0 {
		t.Errorf("%d accounts of a connection that was forgotten", n)
	}
	a.connect(tokens[0], testBank) // and no duplicate
}
