package simulator_test

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// on switches faults on, as a command line spells them.
func (a *apis) on(specs ...string) *apis {
	a.t.Helper()
	for _, spec := range specs {
		f, err := simulator.ParseFault(spec)
		if err != nil {
			a.t.Fatal(err)
		}
		if err := a.SetFault(f); err != nil {
			a.t.Fatal(err)
		}
	}
	return a
}

// unchecked is the same simulator without the contracts, which a fault may break.
func (a *apis) unchecked() *apis { return &apis{a.Simulator, a.t, a.clock, nil} }

// faultTests are one test for each fault, by its name.
func faultTests() map[string]func(*testing.T) {
	all := make(map[string]func(*testing.T))
	for _, some := range []map[string]func(*testing.T){
		networkFaultTests(), loginFaultTests(), formFaultTests(), callbackFaultTests(), taskFaultTests(),
		connectionFaultTests(), transactionFaultTests(), answerFaultTests(),
	} {
		maps.Copy(all, some)
	}
	return all
}

// TestFaults has every fault do what it says.
func TestFaults(t *testing.T) {
	t.Parallel()
	tests := faultTests()
	known := make(map[string]bool)
	for _, k := range simulator.FaultKinds() {
		known[k.Name] = true
		if tests[k.Name] == nil {
			t.Errorf("fault %s has no test", k.Name)
		}
	}
	for name, test := range tests {
		if !known[name] {
			t.Errorf("there is no fault %s", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// The README lists every fault, with the words that it has here.
func TestReadmeListsTheFaults(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(b), "\n## The simulator\n")
	if !found {
		t.Fatal("the README has no section about the simulator")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, k := range simulator.FaultKinds() {
		params := ""
		if k.Params != "" {
			params = "`" + k.Params + "`"
		}
		if line := "| `" + k.Name + "` | " + k.What + " | " + params + " |\n"; !strings.Contains(section, line) {
			t.Errorf("the README has no line\n%s", line)
		}
	}
	if got, want := strings.Count(section, "\n| `"), len(simulator.FaultKinds()); got != want {
		t.Errorf("the README's table has %d faults, want %d", got, want)
	}
}

func TestFaultKindsAreSound(t *testing.T) {
	t.Parallel()
	var names []string
	for _, k := range simulator.FaultKinds() {
		names = append(names, k.Name)
		if k.Group == "" || !strings.HasSuffix(k.What, ".") || len(k.What) > 160 || strings.ContainsAny(k.What, "|<>\n") {
			t.Errorf("fault %s: group %q, %q", k.Name, k.Group, k.What)
		}
		if strings.Trim(k.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("the name %q is no kebab", k.Name)
		}
		// What it lists as its own values can be typed.
		spec := k.Name
		if params := strings.TrimSuffix(strings.TrimSuffix(k.Params, "op=any"), ","); params != "" {
			spec += ":" + params
		}
		if f, err := simulator.ParseFault(spec); err != nil || f.String() != spec {
			t.Errorf("fault %s: %v", f, err)
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(simulator.FaultKinds()) {
		t.Error("two faults have one name")
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]simulator.Fault{
		"callback-lost":                          {Name: "callback-lost"},
		"callback-late:delay=3m":                 {Name: "callback-late", Delay: 3 * time.Minute},
		"status-503:count=3,op=get-form":         {Name: "status-503", Count: 3, Operation: "get-form"},
		"status-503:share=0.25@bank=7":           {Name: "status-503", Share: 0.25, Scope: simulator.Scope{Bank: 7}},
		"form-error:code=X_Y@user=a@b.de@bank=7": {Name: "form-error", Code: "X_Y", Scope: simulator.Scope{User: "a@b.de", Bank: 7}},
		"token-dies:count=0,after=0":             {Name: "token-dies", Count: -1, After: -1},
		"duplicates:n=3@user=u-1@bank=9":         {Name: "duplicates", N: 3, Scope: simulator.Scope{User: "u-1", Bank: 9}},
	} {
		f, err := simulator.ParseFault(spec)
		if err != nil || f != want || f.String() != spec {
			t.Errorf("%s: got %+v, %v, which is written %s", spec, f, err, f)
		}
	}
	if f, err := simulator.ParseFault(" callback-late : delay=1h @ user=u "); err != nil || f.String() != "callback-late:delay=1h@user=u" {
		t.Errorf("with blanks: %s, %v", f, err)
	}
	for want, f := range map[string]simulator.Fault{
		"share 2": {Name: "redirect", Share: 2}, "delay -1ns": {Name: "callback-late", Delay: -1},
		"n -1": {Name: "duplicates", N: -1}, "bank -1": {Name: "redirect", Scope: simulator.Scope{Bank: -1}},
	} {
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", f, err, want)
		}
	}
	for spec, want := range map[string]string{
		"":                               "is not known",
		"callback-lst":                   "did you mean callback-lost?",
		"no-such-thing-at-all":           `"no-such-thing-at-all" is not known`,
		"callback-lost:x=1":              "there are count, after, share",
		"callback-lost:count=x":          "count=x: want a whole number",
		"callback-lost:count=-1":         "count=-1: want a whole",
		"callback-lost:count=9999999999": "at most",
		"callback-lost:after=-1":         "after=-1: want a whole",
		"callback-lost:share=0":          "share=0: want a number above 0",
		"callback-lost:share=1.5":        "share=1.5: want",
		"callback-lost:share=NaN":        "share=NaN: want",
		"callback-lost:delay=1s":         "it has no delay",
		"callback-late:delay=1":          "like 5s or 3m",
		"callback-late:delay=0s":         "like 5s or 3m",
		"callback-late:delay=-1s":        "like 5s or 3m",
		"callback-lost:n=2":              "it has no n",
		"duplicates:n=0":                 "a whole number above 0",
		"duplicates:n=501":               "n 501: want 1 to 500",
		"callback-lost:code=X":           "it has no code",
		"form-error:code=x":              "want capital letters",
		"callback-lost:op=get-form":      "it does not hit single calls",
		"status-503:op=nothing":          "want token or create-user",
		"page-short:op=get-form":         "want list-transactions",
		"callback-lost@":                 `scope ""`,
		"callback-lost@user=":            `scope "user="`,
		"callback-lost@bank=x":           `scope "bank=x"`,
		"callback-lost@x@bank=1":         `scope "x`,
		"callback-lost@bank=-1":          `scope "bank=-1"`,
	} {
		if f, err := simulator.ParseFault(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want an error with %q", spec, f, err, want)
		}
	}
}

// Whom faults hit, and how often.
func TestFaultScopes(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Callbacks: simulator.DropCallbacks, Faults: []simulator.Fault{{Name: "client-refused", Count: 1}}})
	a.login("grant_type=client_credentials").want(401)
	a.ClearFault("callback-lost", simulator.Scope{})
	u, v := a.user("Robin"), a.user("v")
	at, other := a.loaded(u, testBank), a.loaded(u, redirectBank)
	statuses := func(path, token string, n int) (got []int) {
		for range n {
			got = append(got, a.unchecked().get(path, token).status)
		}
		return got
	}
	same := func(what string, got []int, want ...int) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: statuses %v, want %v", what, got, want)
		}
	}
	connection := "/api/v2/bankConnections/" + itoa(at)
	elsewhere := "/api/v2/bankConnections/" + itoa(other)

	a.on("status-503@user=ROBIN")
	same("the user", statuses(connection, u, 2), 503, 503)
	same("another user", statuses("/api/v2/accounts", v, 1), 200)
	a.on("status-502@user=v", "status-504:count=1@user=v") // the first in the list goes first
	same("another user", statuses("/api/v2/accounts", v, 1), 502)
	a.ClearFaults()

	a.on("status-503@bank=280001")
	same("the bank", statuses(connection, u, 1), 503)
	same("its accounts", statuses("/api/v2/accounts?bankConnectionIds="+itoa(at), u, 1), 503)
	same("its rows", statuses("/api/v2/transactions?view=bankView&accountIds="+itoa(at+1), u, 1), 503)
	same("another bank", statuses(elsewhere, u, 1), 200)
	same("no bank", statuses("/api/v2/accounts", u, 1), 200)
	if got := a.unchecked().post("/api/webForms/bankConnectionImport", u, testBank).status; got != 503 {
		t.Errorf("a form for the bank: status %d, want 503", got)
	}
	a.form(u, redirectBank)
	if a.ClearFault("status-503", simulator.Scope{}) || !a.ClearFault("status-503", simulator.Scope{Bank: 280001}) {
		t.Error("the fault with the scope was not the one that went")
	}
	same("afterwards", statuses(connection, u, 1), 200)

	a.on("status-503:count=2,after=1")
	same("count and after", statuses(connection, u, 5), 200, 503, 503, 200, 200)
	if len(a.Faults()) != 0 {
		t.Errorf("%v is on after its last hit", a.Faults())
	}
	a.on("status-503:share=0.25")
	same("share", statuses(connection, u, 8), 200, 200, 200, 503, 200, 200, 200, 503)
	a.on("status-503:op=list-accounts") // in its place
	same("another operation", statuses(connection, u, 1), 200)
	same("the operation", statuses("/api/v2/accounts", u, 1), 503)
	want := []simulator.FaultState{{Fault: simulator.Fault{Name: "status-503", Operation: "list-accounts"}, Hits: 1}}
	if got := a.Faults(); !slices.Equal(got, want) {
		t.Errorf("on: %+v, want %+v", got, want)
	}
	if got := a.Journal().Faults; got["status-503"] != 11 || got["client-refused"] != 1 {
		t.Errorf("hits %v, want 11 of status-503 and 1 of client-refused", got)
	}
	// The one that is meant for few goes before the one for all.
	a.ClearFaults()
	a.on("form-error:code=INTERNAL_ERROR", "form-error:code=INTERRUPTED@bank=280002", "form-error:code=UNSUPPORTED_FEATURE@user=v")
	for request, code := range map[string]string{testBank: "UNSUPPORTED_FEATURE", redirectBank: "UNSUPPORTED_FEATURE"} {
		f := a.form(v, request)
		a.open(f).connects()
		if got := a.formNow(v, f.ID).code(); got != code {
			t.Errorf("%s ends as %s, want %s", request, got, code)
		}
	}
	w := a.user("w")
	f := a.form(w, redirectBank)
	a.open(f).connects()
	if got := a.formNow(w, f.ID).code(); got != "INTERRUPTED" {
		t.Errorf("ends as %s, want INTERRUPTED", got)
	}
	if err := a.SetFault(simulator.Fault{Name: "callback-lost", N: 1}); err == nil {
		t.Error("a fault that makes no sense is on")
	}
}

// Several faults hit one call, the outermost first.
func TestFaultsNest(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.loaded(token, testBank)
	a.on("paging-missing", "balance-wrong", "wrong-content-type", "status-503:after=1")
	got := a.unchecked().get("/api/v2/transactions?view=bankView", token).want(200)
	page := decoded[map[string]any](got)
	if kind := got.header.Get("Content-Type"); kind != "text/html; charset=utf-8" || page["paging"] != nil || page["balance"] == nil {
		t.Errorf("Content-Type %q, paging %v", kind, page["paging"])
	}
	if got.header.Get("Content-Length") != itoa(int64(len(got.body))) {
		t.Error("the length is not that of the changed answer")
	}
	a.unchecked().get("/api/v2/transactions?view=bankView", token).want(http.StatusServiceUnavailable)
	if hits := a.Journal().Faults; hits["balance-wrong"] != 1 {
		t.Errorf("hits %v: what did not get its turn has not hit", hits)
	}
}

// Every call has its name.
func TestFaultOperations(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	calls := map[string]string{
		"token": "POST /api/v2/oauth/token", "create-user": "POST /api/v2/users", "delete-user": "DELETE /api/v2/users",
		"list-banks": "GET /api/v2/banks", "get-bank": "GET /api/v2/banks/280001",
		"create-form": "POST /api/webForms/bankConnectionImport", "get-form": "GET /api/webForms/x", "list-forms": "GET /api/webForms",
		"cancel-form": "POST /api/webForms/x/cancel", "delete-form": "DELETE /api/webForms/x",
		"create-task": "POST /api/tasks/backgroundUpdate", "get-task": "GET /api/tasks/x", "list-tasks": "GET /api/tasks",
		"list-connections": "GET /api/v2/bankConnections", "get-connection": "GET /api/v2/bankConnections/1", "delete-connection": "DELETE /api/v2/bankConnections/1",
		"list-accounts": "GET /api/v2/accounts", "list-transactions": "GET /api/v2/transactions", "list-pending": "GET /api/v2/pendingTransactions",
	}
	for op := range calls {
		a.on("status-503:op=" + op)
		for other, call := range calls {
			method, path, _ := strings.Cut(call, " ")
			if other == "delete-user" && op != other {
				continue // would succeed
			}
			if got := a.unchecked().send(request{method: method, path: path, token: token}).status; (got == 503) != (other == op) {
				t.Errorf("%s under a fault of %s: status %d", call, op, got)
			}
		}
		a.ClearFaults()
	}
	_, err := simulator.ParseFault("status-503:op=x")
	for op := range calls {
		if !strings.Contains(err.Error(), op) {
			t.Errorf("%q is missing in %v", op, err)
		}
	}
	if got := strings.Count(err.Error(), " or ") + 1; got != len(calls) {
		t.Errorf("%d operations, want %d", got, len(calls))
	}
}

// What is read is written the same way, and what makes no sense is refused.
func FuzzParseFault(f *testing.F) {
	for _, seed := range []string{
		"callback-lost", "status-503:count=3,op=get-form@bank=7", "form-error:code=X_Y@user=a@bank=1", "token-dies:count=0,after=0",
		"status-429:share=1e-3,delay=1h2m3.5s", "duplicates:n=0", ":,@", "callback-late:delay=9999999h", "redirect@user=a:b,c", "redirect@user=a@b@bank=2@user=c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		parsed, err := simulator.ParseFault(spec)
		if err != nil {
			return
		}
		again, err := simulator.ParseFault(parsed.String())
		if err != nil || again != parsed {
			t.Errorf("%q is %+v; written as %q it is %+v, %v", spec, parsed, parsed, again, err)
		}
	})
}
