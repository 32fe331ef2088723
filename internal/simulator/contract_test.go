package simulator_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/internal/simulator"
)

// checker stands before a simulator and holds what passes against the contracts.
type checker struct {
	t         *testing.T
	next      http.Handler
	contracts []*contract

	mu   sync.Mutex
	seen map[string]bool // "operation status", as far as a contract knows it
}

func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	fresh := func() *http.Request {
		r.Body = io.NopCloser(bytes.NewReader(body))
		return r
	}
	answered := httptest.NewRecorder()
	c.next.ServeHTTP(answered, fresh())
	got := answer{c.t, r.Method + " " + r.URL.Path, answered.Code, answered.Header(), answered.Body.String()}
	for _, contract := range c.contracts {
		if !contract.holdsRequest(c.t, fresh()) {
			continue
		}
		contract.holdsAnswer(c.t, r, got)
		input, _ := contract.input(c.t, r)
		c.mu.Lock()
		c.seen[input.Route.Method+" "+input.Route.Path+" "+http.StatusText(got.status)] = true
		c.mu.Unlock()
	}
	maps.Copy(w.Header(), answered.Header())
	w.WriteHeader(answered.Code)
	if _, err := w.Write(answered.Body.Bytes()); err != nil {
		c.t.Error(err)
	}
}

// checked is a simulator that our client reaches through a checker.
type checked struct {
	*apis
	checker *checker
	config  finapi.Config
}

func newChecked(t *testing.T, c simulator.Config) *checked {
	t.Helper()
	check := &checker{t: t, contracts: contracts(t), seen: make(map[string]bool)}
	server := httptest.NewServer(check)
	t.Cleanup(server.Close)
	clock := simulator.NewManualClock(time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC))
	c.BaseURL, c.ClientID, c.ClientSecret, c.Clock = server.URL, "client", "secret", clock
	s, err := simulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	check.next = s
	return &checked{&apis{s, t, clock, check.contracts}, check, finapi.Config{
		AccessURL: server.URL, WebFormURL: server.URL, ClientID: "client", ClientSecret: "secret",
		UserKey: "a-master-key-of-thirty-two-chars-or-more",
	}}
}

// client is ours, with the given changes to its settings.
func (c *checked) client(change ...func(*finapi.Config)) *finapi.Client {
	c.t.Helper()
	config := c.config
	for _, f := range change {
		f(&config)
	}
	client, err := finapi.New(config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// TestClientAndSimulatorKeepTheContract lets our client go through an import, with
// all that can be refused on the way.
func TestClientAndSimulatorKeepTheContract(t *testing.T) {
	t.Parallel()
	c := newChecked(t, simulator.Config{
		TokenLife: 24 * time.Minute, // too little for a form, so that the client refreshes it
		Profiles:  []string{profile}, MaxUserLogins: 1,
	})
	client := c.client()
	ctx := t.Context()
	user, unknown := client.User("somebody"), client.User("nobody")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fails := func(status int, err error) {
		t.Helper()
		if e, ok := errors.AsType[*finapi.Error](err); !ok || e.Status != status {
			t.Errorf("got %v, want an error with status %d", err, status)
		}
	}

	must(client.EnsureUser(ctx, user))
	must(c.client().EnsureUser(ctx, user)) // 422, which is success

	cancelled, err := client.CreateForm(ctx, user, finapi.FormRequest{
		BankID: 280001, ConnectionName: "Mine", AccountTypes: []string{"checking", "credit_card", "savings", "security", "loan", "membership", "bausparen"},
		MaxDays: 3650, ProfileID: profile, CallbackURL: "https://bridge.example.test/callbacks/finapi/x",
	})
	must(err)
	cancelled, err = client.CancelForm(ctx, user, cancelled.ID)
	must(err)
	if cancelled.Status != finapi.FormCancelled {
		t.Errorf("form %s, want CANCELLED", cancelled.Status)
	}
	_, err = client.CancelForm(ctx, user, cancelled.ID)
	fails(422, err)
	expiring, err := client.CreateForm(ctx, user, finapi.FormRequest{})
	must(err)

	form, err := client.CreateForm(ctx, user, finapi.FormRequest{BankSearch: "DEMO0001"})
	must(err)
	shown := webForm{ID: form.ID}
	for _, step := range []struct {
		do   func()
		want finapi.FormStatus
	}{
		{func() {}, finapi.FormNotYetOpened},
		{func() { c.open(shown).connects() }, finapi.FormCompleted},
	} {
		step.do()
		form, err = client.Form(ctx, user, form.ID)
		must(err)
		if form.Status != step.want {
			t.Fatalf("form %s, want %s", form.Status, step.want)
		}
	}
	duplicate, err := client.CreateForm(ctx, user, finapi.FormRequest{BankID: 280001})
	must(err)
	c.open(webForm{ID: duplicate.ID}).logsIn()
	duplicate, err = client.Form(ctx, user, duplicate.ID)
	must(err)
	if duplicate.ErrorCode != "ENTITY_EXISTS" || duplicate.ConnectionID != form.ConnectionID {
		t.Errorf("got %+v, want ENTITY_EXISTS and connection %d", duplicate, form.ConnectionID)
	}

	for _, want := range []string{"IN_PROGRESS READY", "READY PENDING", "READY IN_PROGRESS", "READY READY"} {
		connection, err := client.Connection(ctx, user, form.ConnectionID)
		must(err)
		if got := connection.UpdateStatus + " " + connection.CategorizationStatus; got != want {
			t.Errorf("connection %s, want %s", got, want)
		}
		accounts, err := client.Accounts(ctx, user, form.ConnectionID)
		must(err)
		rows := 0
		for _, a := range accounts {
			for n := 1; ; n++ {
				page, err := client.Transactions(ctx, user, a.ID, n)
				must(err)
				rows += len(page.Transactions)
				if n >= page.PageCount {
					break
				}
			}
		}
		if all := connection.UpdateStatus == finapi.StatusReady; len(accounts) != 4 || (rows == 1612) != all {
			t.Errorf("%s: %d accounts with %d rows", want, len(accounts), rows)
		}
		if want == "IN_PROGRESS READY" {
			c.clock.Advance(2 * time.Second)
		}
		c.clock.Advance(time.Second)
	}
	c.clock.Advance(20 * time.Minute)
	expiring, err = client.Form(ctx, user, expiring.ID)
	must(err)
	if expiring.Status != finapi.FormExpired {
		t.Errorf("form %s, want EXPIRED", expiring.Status)
	}

	_, err = client.Form(ctx, user, "00000000-0000-0000-0000-000000000000")
	fails(404, err)
	_, err = client.Connection(ctx, user, 1)
	fails(404, err)
	_, err = client.CreateForm(ctx, user, finapi.FormRequest{BankID: 1})
	fails(422, err)
	_, err = client.CreateForm(ctx, user, finapi.FormRequest{ProfileID: long(36)})
	fails(404, err)
	_, err = client.CreateForm(ctx, user, finapi.FormRequest{BankSearch: "x", MaxDays: 13})
	fails(400, err)
	redirecting := c.client(func(f *finapi.Config) { f.RedirectURL = "https://app.example.test/done" })
	_, err = redirecting.CreateForm(ctx, user, finapi.FormRequest{})
	fails(422, err)
	_, err = client.Connection(ctx, unknown, form.ConnectionID)
	fails(400, err)
	// The simulator's clock runs ahead of the client's: its token is dead, and the
	// client logs in again.
	c.clock.Advance(time.Hour)
	_, err = client.Connection(ctx, user, form.ConnectionID)
	must(err)
	c.clock.Advance(time.Hour)
	_, err = client.Form(ctx, user, form.ID)
	must(err)
	badClient := c.client(func(f *finapi.Config) { f.ClientSecret = "wrong" })
	fails(401, badClient.EnsureUser(ctx, user))
	badKey := func() *finapi.Client {
		return c.client(func(f *finapi.Config) { f.UserKey = "another-master-key-of-thirty-two-chars" })
	}
	_, err = badKey().Form(ctx, user, form.ID)
	fails(400, err)
	_, err = badKey().Form(ctx, user, form.ID)
	fails(423, err)

	want := []string{
		"POST /api/v2/oauth/token OK", "POST /api/v2/oauth/token Bad Request", "POST /api/v2/oauth/token Unauthorized", "POST /api/v2/oauth/token Locked",
		"POST /api/v2/users Created", "POST /api/v2/users Unprocessable Entity",
		"POST /api/webForms/bankConnectionImport Created", "POST /api/webForms/bankConnectionImport Bad Request",
		"POST /api/webForms/bankConnectionImport Not Found", "POST /api/webForms/bankConnectionImport Unprocessable Entity",
		"GET /api/webForms/{id} OK", "GET /api/webForms/{id} Not Found", "GET /api/webForms/{id} Unauthorized",
		"POST /api/webForms/{id}/cancel OK", "POST /api/webForms/{id}/cancel Unprocessable Entity",
		"GET /api/v2/bankConnections/{id} OK", "GET /api/v2/bankConnections/{id} Not Found", "GET /api/v2/bankConnections/{id} Unauthorized",
		"GET /api/v2/accounts OK", "GET /api/v2/transactions OK",
	}
	for _, call := range want {
		if !c.checker.seen[call] {
			t.Errorf("no %s was checked", call)
		}
	}
	for call := range c.checker.seen {
		if !slices.Contains(want, call) {
			t.Errorf("%s was checked and is not expected", call)
		}
	}
}

// A licensed client sends a redirect URL with every form.
func TestLicensedClientKeepsTheContract(t *testing.T) {
	t.Parallel()
	c := newChecked(t, simulator.Config{License: simulator.AISP})
	client := c.client(func(f *finapi.Config) { f.RedirectURL = "https://app.example.test/done" })
	user := client.User("somebody")
	if err := client.EnsureUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	form, err := client.CreateForm(t.Context(), user, finapi.FormRequest{BankID: 280002})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(form.URL, c.config.WebFormURL+"/wf/") {
		t.Error("the form is somewhere else")
	}
	if len(c.checker.seen) != 3 {
		t.Errorf("checked %v, want tokens, user and form", c.checker.seen)
	}
}
