package simulator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// standing is the statuses of a connection.
func (a *apis) standing(token string, id int64) string {
	a.t.Helper()
	c := a.connection(token, id)
	return c.UpdateStatus + " " + c.CategorizationStatus
}

// passes lets time pass and gives the statuses at each moment.
func (a *apis) passes(token string, id int64, steps ...time.Duration) []string {
	a.t.Helper()
	var all []string
	for _, d := range steps {
		a.clock.Advance(d)
		all = append(all, a.standing(token, id))
	}
	return all
}

// statuses are those of all accounts.
func (a *apis) statuses(token string) string {
	a.t.Helper()
	var all []string
	for _, acc := range a.accounts(token, "") {
		all = append(all, acc.Interfaces[0].Status)
	}
	return strings.Join(all, " ")
}

// made is a simulator with a user and a connection that was made under faults.
func made(t *testing.T, faults ...string) (a *apis, token string, id int64) {
	t.Helper()
	a = newAPIs(t, simulator.Config{TokenLife: 10_000 * time.Hour})
	token = a.user("u")
	a.on(faults...)
	id = a.connect(token, testBank)
	a.ClearFaults()
	return a, token, id
}

func connectionFaultTests() map[string]func(*testing.T) {
	const (
		loading = "IN_PROGRESS READY"
		pending = "READY PENDING"
		running = "READY IN_PROGRESS"
		ready   = "READY READY"
	)
	follows := func(fault string, steps []time.Duration, want ...string) func(*testing.T) {
		return func(t *testing.T) {
			a, token, id := made(t, fault)
			if got := a.passes(token, id, steps...); !slices.Equal(got, want) {
				t.Errorf("statuses %q, want %q", got, want)
			}
		}
	}
	const day = 24 * time.Hour
	failed := func(fault, want string) func(*testing.T) {
		return func(t *testing.T) {
			a, token, id := made(t, fault)
			a.clock.Advance(5 * time.Second)
			if got := a.statuses(token); got != want {
				t.Errorf("accounts %s, want %s", got, want)
			}
			if got := a.connection(token, id).Interfaces[0].LastManualUpdate.Result; got != "OK" {
				t.Errorf("the update's result is %s, want OK all the same", got)
			}
		}
	}
	return map[string]func(*testing.T){
		"download-never-ends": func(t *testing.T) {
			follows("download-never-ends", []time.Duration{time.Second, time.Hour, 300 * day}, loading, loading, loading)(t)
			a, token, _ := made(t, "download-never-ends")
			a.clock.Advance(day)
			if got := a.rows(token, "").Paging.TotalCount; got != 0 {
				t.Errorf("%d rows", got)
			}
		},
		"download-slow":        follows("download-slow:delay=1h", []time.Duration{time.Hour - 1, 1, time.Second, time.Second}, loading, pending, running, ready),
		"download-again":       follows("download-again:delay=10s", []time.Duration{3 * time.Second, 9 * time.Second, time.Second, 9 * time.Second, time.Second}, pending, ready, loading, loading, ready),
		"ready-before-pending": follows("ready-before-pending:delay=4s", []time.Duration{3 * time.Second, 4*time.Second - 1, 1, time.Second, time.Second}, ready, ready, pending, running, ready),
		"categorization-never-ends": func(t *testing.T) {
			follows("categorization-never-ends", []time.Duration{2 * time.Second, time.Second, time.Second, 300 * day}, loading, pending, running, running)(t)
			a, token, id := made(t, "categorization-never-ends")
			a.clock.Advance(day)
			if got := a.rows(token, "categoryIds=0").Paging.TotalCount; got != 1612 {
				t.Errorf("%d rows without a category, want all", got)
			}
			a.delete("/api/v2/bankConnections/"+itoa(id), token).refused(423, "LOCKED")
		},
		"categorization-off": func(t *testing.T) {
			follows("categorization-off", []time.Duration{2 * time.Second, time.Second, day}, loading, ready, ready)(t)
			a, token, _ := made(t, "categorization-off")
			a.clock.Advance(day)
			if got := a.rows(token, "categoryIds=0").Paging.TotalCount; got != 1612 {
				t.Errorf("%d rows without a category, want all", got)
			}
		},
		"no-accounts": func(t *testing.T) {
			a, token, id := made(t, "no-accounts")
			a.clock.Advance(5 * time.Second)
			if got := a.connection(token, id); len(got.AccountIDs) != 0 || got.UpdateStatus != "READY" || len(a.accounts(token, "")) != 0 {
				t.Errorf("got %+v", got)
			}
		},
		"accounts-failed":     failed("accounts-failed:n=2", "UPDATED UPDATED DOWNLOAD_FAILED DOWNLOAD_FAILED"),
		"all-accounts-failed": failed("all-accounts-failed", "DOWNLOAD_FAILED DOWNLOAD_FAILED DOWNLOAD_FAILED DOWNLOAD_FAILED"),
		"account-fixed": func(t *testing.T) {
			failed("account-fixed", "UPDATED_FIXED UPDATED UPDATED UPDATED")(t)
			a, token, _ := made(t, "account-fixed")
			a.clock.Advance(5 * time.Second)
			rows := a.allRows(token, "isAdjustingEntry=true")
			if len(rows) != 1 || rows[0].Amount != "123.45" || rows[0].Purpose != "Zwischensaldo" || rows[0].AccountID != a.accounts(token, "")[0].ID {
				t.Errorf("adjusting entries %+v, want one", rows)
			}
			a.agrees(token)
		},
		"account-deprecated": func(t *testing.T) {
			failed("account-deprecated", "UPDATED UPDATED UPDATED DEPRECATED")(t)
			a, token, _ := made(t, "account-deprecated")
			a.clock.Advance(5 * time.Second)
			if got := a.rows(token, "").Paging.TotalCount; got != 1612 {
				t.Errorf("%d rows, want all", got)
			}
		},
		"user-action-required": func(t *testing.T) {
			a, token, id := made(t, "user-action-required")
			other := a.connect(token, redirectBank)
			if !a.connection(token, id).Interfaces[0].UserActionRequired || a.connection(token, other).Interfaces[0].UserActionRequired {
				t.Error("the wrong connection wants the user to act")
			}
		},
		"update-rejected": func(t *testing.T) {
			a, token, id := made(t, "update-rejected")
			a.clock.Advance(5 * time.Second)
			if got := a.connection(token, id).Interfaces[0].LastManualUpdate.Result; got != "BANK_SERVER_REJECTION" {
				t.Errorf("the update's result is %s", got)
			}
			if got := a.statuses(token); strings.Contains(got, "UPDATED") {
				t.Errorf("accounts %s", got)
			}
		},
		"connection-deleted": func(t *testing.T) {
			a, token, id := made(t)
			other := a.connect(token, redirectBank)
			a.clock.Advance(5 * time.Second)
			first := a.accounts(token, "?bankConnectionIds="+itoa(id))[0].ID
			a.on("connection-deleted@bank=280001")
			page := "perPage=500&accountIds=" + itoa(first) + "&page="
			if got := len(a.rows(token, page+"1").Transactions); got != 500 {
				t.Errorf("%d rows, want 500", got)
			}
			if got := a.rows(token, page+"2"); len(got.Transactions) != 0 || got.Paging.TotalCount != 0 {
				t.Errorf("%d rows of %d after it was deleted", len(got.Transactions), got.Paging.TotalCount)
			}
			a.get("/api/v2/bankConnections/"+itoa(id), token).refused(404, "UNKNOWN_ENTITY")
			a.connection(token, other)
			a.on("connection-deleted:op=get-connection,after=0")
			a.get("/api/v2/bankConnections/"+itoa(other), token).refused(404, "UNKNOWN_ENTITY")
		},
		"iban-missing": func(t *testing.T) {
			a, token, _ := made(t)
			before := a.accounts(token, "")[0]
			a.on("iban-missing:count=1")
			after := a.accounts(token, "")[0]
			if after.IBAN != nil || before.IBAN == nil || after.AccountNumber == before.AccountNumber || !strings.HasSuffix(before.AccountNumber, after.AccountNumber) {
				t.Errorf("got %+v, was %+v", after, before)
			}
			if again := a.accounts(token, "")[0]; again.IBAN == nil {
				t.Error("the IBAN does not come back")
			}
		},
		"accounts-alike": func(t *testing.T) {
			a, token, _ := made(t)
			before := a.accounts(token, "")
			a.on("accounts-alike:n=1")
			after := a.accounts(token, "")
			first, second, last := after[0], after[1], after[len(after)-1]
			if last.AccountNumber != first.AccountNumber || last.AccountType != first.AccountType || last.ID == first.ID || second.AccountNumber != before[1].AccountNumber {
				t.Errorf("got %+v", after)
			}
		},
	}
}

// A connection that never gets there can be removed on the page, and is not what
// keeps pages busy.
func TestStuckConnectionsCanBeRemoved(t *testing.T) {
	t.Parallel()
	a, _, id := made(t, "download-never-ends")
	path := "/connections/" + itoa(id) + "/delete"
	if page := a.get("/", "").want(200).body; !strings.Contains(page, path) {
		t.Error("the page offers no way to remove it")
	}
	a.post(path, "", "").want(303)
	a.hasConnections(0)
}
