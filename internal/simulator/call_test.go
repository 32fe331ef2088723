package simulator_test

import (
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/simulator"
)

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	with := func(path, id string) answer {
		return a.send(request{method: "GET", path: path, token: token, header: map[string]string{"X-Request-Id": id}})
	}
	for path, code := range map[string]string{"/api/v2/accounts": "BAD_REQUEST", "/api/webForms": "X-Request-Id"} {
		for _, id := range []string{"x", long(255)} {
			if got := with(path, id).want(200).header.Get("X-Request-Id"); got != id {
				t.Errorf("%s: id %q, want %q", path, got, id)
			}
		}
		refused := with(path, long(256)).refused(400, code)
		if got := refused.header.Get("X-Request-Id"); len(got) != 36 {
			t.Errorf("%s: id %q after one that is too long, want a new one", path, got)
		}
		first, second := a.get(path, token).header.Get("X-Request-Id"), a.get(path, token).header.Get("X-Request-Id")
		if len(first) != 36 || first == second {
			t.Errorf("%s: ids %q and %q, want new ones", path, first, second)
		}
	}
	a.send(request{method: "POST", path: "/api/v2/oauth/token", header: map[string]string{"X-Request-Id": long(256)}}).refused(400, "BAD_REQUEST")
	// An error that has a token knows whose call it was.
	got := a.send(request{method: "GET", path: "/api/v2/transactions", token: token, header: map[string]string{"X-Request-Id": "mine", "Accept-Language": "en"}}).refused(400, "MISSING_FIELD")
	sameJSON(t, got.body, `{"errors":[{"message":"view: is missing.","code":"MISSING_FIELD","type":"BUSINESS"}],"date":"2026-03-04T11:00:00.000+01:00",`+
		`"requestId":"mine","endpoint":"GET /api/v2/transactions","authContext":"client/u"}`)
}

// Access speaks German unless it is asked for English, Web Form English.
func TestLanguages(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.loaded(token, testBank)
	for language, english := range map[string]bool{"": false, "de": false, "fr": false, "de-DE,en": false, "en": true, "EN-gb, de": true, " en;q=0.5": true} {
		call := func(path string) answer {
			return a.send(request{method: "GET", path: path, token: token, header: map[string]string{"Accept-Language": language}})
		}
		want, description := "Diese ID gibt es nicht.", "SEPA-Basislastschrift"
		if english {
			want, description = "There is nothing with this id.", "SEPA core direct debit"
		}
		if got := call("/api/v2/bankConnections/1").refused(404, "UNKNOWN_ENTITY").body; !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %q", language, got, want)
		}
		if got := call("/api/v2/transactions?view=bankView&perPage=500").want(200).body; !strings.Contains(got, description) {
			t.Errorf("%q: no row says %q", language, description)
		}
		if got := call("/api/webForms/x").refused(404, "NOT_FOUND").body; !strings.Contains(got, "There is nothing with this id.") {
			t.Errorf("%q: %s, want English", language, got)
		}
	}
}

func TestCallsThatAreNotThere(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	for _, tt := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"PUT", "/api/v2/users", 405, "METHOD_NOT_ALLOWED", "DELETE, POST"},
		{"POST", "/api/v2/bankConnections", 405, "METHOD_NOT_ALLOWED", "GET"},
		{"PATCH", "/api/v2/bankConnections/1", 405, "METHOD_NOT_ALLOWED", "DELETE, GET"},
		{"GET", "/api/v2/oauth/token", 405, "METHOD_NOT_ALLOWED", "POST"},
		{"POST", "/api/webForms", 405, "NOT_ALLOWED", "GET"},
		{"GET", "/api/webForms/bankConnectionImport", 405, "NOT_ALLOWED", "POST"},
		{"GET", "/api/webForms/x/cancel", 405, "NOT_ALLOWED", "POST"},
		{"GET", "/api/v2/nowhere", 404, "UNKNOWN_ENTITY", ""},
		{"GET", "/api/v1/accounts", 404, "NOT_FOUND", ""},
		{"GET", "/api/nowhere", 404, "NOT_FOUND", ""},
	} {
		got := a.send(request{method: tt.method, path: tt.path, token: token}).refused(tt.status, tt.code)
		if allow := got.header.Get("Allow"); allow != tt.allow {
			t.Errorf("%s: Allow %q, want %q", got.call, allow, tt.allow)
		}
	}
	a.get("/nowhere", token).want(404)
}

// Every answer is JSON that no cache keeps.
func TestAnswerHeaders(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	for _, path := range []string{"/api/v2/accounts", "/api/v2/bankConnections/1", "/api/webForms", "/api/webForms/x", "/api/x"} {
		h := a.get(path, token).header
		if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Length") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}
