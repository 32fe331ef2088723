package simulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// ended is how a form ended that somebody filled in under a fault.
func (a *apis) ended(token, request string) webForm {
	a.t.Helper()
	f := a.form(token, request)
	a.open(f).connects()
	return a.formNow(token, f.ID)
}

func (a *apis) hasConnections(want int) {
	a.t.Helper()
	if got := len(a.Journal().Connections); got != want {
		a.t.Errorf("%d connections, want %d", got, want)
	}
}

func formFaultTests() map[string]func(*testing.T) {
	connected := func(fault, status, code string) func(*testing.T) {
		return func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on(fault)
			got := a.ended(token, testBank)
			if got.Status != status || got.code() != code || got.connection() == 0 {
				t.Errorf("%s %s with connection %d, want %s %s with one", got.Status, got.code(), got.connection(), status, code)
			}
			a.get("/api/v2/bankConnections/"+itoa(got.connection()), token).want(200)
		}
	}
	return map[string]func(*testing.T){
		"form-short-lived": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("form-short-lived:delay=30s,count=1")
			short, usual := a.form(token, testBank), a.form(token, testBank)
			if want := "2026-03-04T10:00:30.000+0000"; short.ExpiresAt != want {
				t.Errorf("it says that it expires at %s, want %s", short.ExpiresAt, want)
			}
			a.clock.Advance(30 * time.Second)
			if s, u := a.formNow(token, short.ID).Status, a.formNow(token, usual.ID).Status; s != "EXPIRED" || u != "NOT_YET_OPENED" {
				t.Errorf("%s and %s, want EXPIRED and NOT_YET_OPENED", s, u)
			}
		},
		"form-expires-inside": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("form-expires-inside")
			f := a.form(token, testBank)
			p := a.open(f).logsIn()
			if got := a.formNow(token, f.ID); got.Status != "EXPIRED" || got.connection() != 0 {
				t.Errorf("%s, want EXPIRED", got.Status)
			}
			page := a.send(request{method: "GET", path: p.path, header: map[string]string{"Cookie": p.cookie}}).want(410)
			if !strings.Contains(page.body, "This form has expired") {
				t.Error("the person is not told")
			}
			p.says("accounts", "account=0") // too late
			a.hasConnections(0)
		},
		"form-token-dies": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("form-token-dies")
			f := a.form(token, testBank)
			a.open(f).connects()
			a.get("/api/webForms/"+f.ID, token).refused(401, "UNAUTHORIZED")
			if got := a.formNow(a.password("u").Access, f.ID); got.Status != "COMPLETED_WITH_ERROR" || got.code() != "INVALID_TOKEN" {
				t.Errorf("%s %s, want INVALID_TOKEN", got.Status, got.code())
			}
			a.hasConnections(0)
		},
		"form-error": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			for _, code := range []string{
				"ENTITY_EXISTS", "BANK_SERVER_REJECTION", "INTERRUPTED", "INVALID_TOKEN", "MANDATOR_MISCONFIGURATION", "NO_ACCOUNTS_FOR_TYPE_LIST",
				"UNDETERMINED_BANK", "UNEXPECTED_ACCESS_RESPONSE", "UNSUPPORTED_FEATURE", "UNSUPPORTED_ORDER", "INTERNAL_ERROR",
			} {
				a.on("form-error:code=" + code)
				got := a.ended(token, testBank)
				if got.Status != "COMPLETED_WITH_ERROR" || got.code() != code || *got.Payload.ErrorMessage == "" || got.connection() != 0 {
					t.Errorf("%s %s, want %s", got.Status, got.code(), code)
				}
			}
			a.on("form-error:code=SOMETHING_NEW") // the contract says that codes may be added
			if got := a.unchecked().ended(token, testBank); got.code() != "SOMETHING_NEW" {
				t.Errorf("%s, want SOMETHING_NEW", got.code())
			}
			a.hasConnections(0)
		},
		"form-error-connected":   connected("form-error-connected:code=UNEXPECTED_ACCESS_RESPONSE", "COMPLETED_WITH_ERROR", "UNEXPECTED_ACCESS_RESPONSE"),
		"form-expired-connected": connected("form-expired-connected", "EXPIRED", ""),
		"form-aborted-connected": connected("form-aborted-connected", "ABORTED", ""),
		"form-unconnected": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			a.on("form-unconnected")
			if got := a.ended(a.user("u"), testBank); got.Status != "COMPLETED" || got.connection() != 0 {
				t.Errorf("%s with connection %d, want COMPLETED without one", got.Status, got.connection())
			}
			a.hasConnections(0)
		},
		"form-status": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			a.on("form-status")
			if got := a.unchecked().ended(a.user("u"), testBank); got.Status != "ERROR" {
				t.Errorf("%s, want ERROR", got.Status)
			}
		},
		"form-gone": func(t *testing.T) {
			v := listen(t, ok)
			a := newAPIs(t, v.config())
			token := a.user("u")
			a.on("form-gone")
			f := a.form(token, v.request())
			a.open(f).connects()
			v.next(f, "COMPLETED")
			a.get("/api/webForms/"+f.ID, token).refused(404, "NOT_FOUND")
			a.hasConnections(1)
		},
		"form-foreign-url": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("form-foreign-url:count=1")
			f := a.form(token, testBank)
			if got := a.formNow(token, f.ID).URL; f.URL != "https://forms.example.net/wf/00000000" || !strings.HasPrefix(got, "https://simulator.example/wf/") {
				t.Errorf("made with %s, then %s", f.URL, got)
			}
		},
	}
}

// The same bank again, after its connection has gone: nothing has its old id.
func TestImportAgainHasNewIDs(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	first := a.loaded(token, testBank)
	accounts, rows := a.accounts(token, ""), a.allRows(token, "")
	a.delete("/api/v2/bankConnections/"+itoa(first), token).want(200)
	a.clock.Advance(time.Minute)
	if second := a.loaded(token, testBank); second == first {
		t.Error("the connection has its old id")
	}
	for i, again := range a.accounts(token, "") {
		if again.ID == accounts[i].ID || deref(again.IBAN) != deref(accounts[i].IBAN) || again.AccountNumber != accounts[i].AccountNumber {
			t.Errorf("account %+v, was %+v: want a new id and the rest", again, accounts[i])
		}
	}
	for i, again := range a.allRows(token, "") {
		if again.ID == rows[i].ID || again.Amount != rows[i].Amount || again.Purpose != rows[i].Purpose {
			t.Fatalf("row %+v, was %+v: want a new id and the rest", again, rows[i])
		}
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
