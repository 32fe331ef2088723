package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/simulator"
)

const (
	testBank     = `{"bank":{"id":280001}}`
	redirectBank = `{"bank":{"id":280002}}`
)

// apis is a simulator whose APIs are called without a network. Its clock stands
// still. Every answer is held against the contract.
type apis struct {
	*simulator.Simulator
	t         *testing.T
	clock     *simulator.ManualClock
	contracts []*contract
}

func newAPIs(t *testing.T, c simulator.Config) *apis {
	t.Helper()
	clock := simulator.NewManualClock(time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC))
	c.BaseURL, c.ClientID, c.ClientSecret, c.Clock = "https://simulator.example", "client", "secret", clock
	s, err := simulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &apis{s, t, clock, contracts(t)}
}

// in is the same simulator, called by a part of the test.
func (a *apis) in(t *testing.T) *apis { return &apis{a.Simulator, t, a.clock, a.contracts} }

// answer is what a call gave.
type answer struct {
	t      *testing.T
	call   string
	status int
	header http.Header
	body   string
}

// request is a call with everything that can be chosen about it.
type request struct {
	method, path, token, body string
	header                    map[string]string
}

func (a *apis) send(in request) answer {
	a.t.Helper()
	r := httptest.NewRequest(in.method, in.path, strings.NewReader(in.body))
	r.Header.Set("Content-Type", "application/json")
	if in.token != "" {
		r.Header.Set("Authorization", "Bearer "+in.token)
	}
	for name, value := range in.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	got := answer{a.t, in.method + " " + in.path, w.Code, w.Header(), w.Body.String()}
	for _, c := range a.contracts {
		c.holdsAnswer(a.t, r, got)
	}
	return got
}

func (a *apis) get(path, token string) answer {
	a.t.Helper()
	return a.send(request{method: http.MethodGet, path: path, token: token})
}

func (a *apis) post(path, token, body string) answer {
	a.t.Helper()
	return a.send(request{method: http.MethodPost, path: path, token: token, body: body})
}

func (a *apis) delete(path, token string) answer {
	a.t.Helper()
	return a.send(request{method: http.MethodDelete, path: path, token: token})
}

// login asks for a token with our client's credentials.
func (a *apis) login(fields string) answer {
	a.t.Helper()
	return a.send(request{
		method: http.MethodPost, path: "/api/v2/oauth/token", body: fields + "&client_id=client&client_secret=secret",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
}

// granted is a token as the endpoint gives it.
type granted struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Scope   string `json:"scope"`
	Expires int64  `json:"expires_in"`
}

func (a *apis) grant(fields string) granted {
	a.t.Helper()
	return decoded[granted](a.login(fields).want(200))
}

func (a *apis) clientToken() string {
	a.t.Helper()
	return a.grant("grant_type=client_credentials").Access
}

// password logs a user in whose password is "password".
func (a *apis) password(user string) granted {
	a.t.Helper()
	return a.grant("grant_type=password&password=password&username=" + url.QueryEscape(user))
}

// user makes a user and logs it in.
func (a *apis) user(id string) (token string) {
	a.t.Helper()
	a.post("/api/v2/users", a.clientToken(), fmt.Sprintf(`{"id":%q,"password":"password"}`, id)).want(201)
	return a.password(id).Access
}

// webForm is a form as the API shows it.
type webForm struct {
	ID, URL, Type, Status string
	CreatedAt, ExpiresAt  string
	Payload               struct {
		BankConnectionID *int64
		ErrorCode        *string
		ErrorMessage     *string
	}
}

func (f webForm) code() string {
	if f.Payload.ErrorCode == nil {
		return ""
	}
	return *f.Payload.ErrorCode
}

func (f webForm) connection() int64 {
	if f.Payload.BankConnectionID == nil {
		return 0
	}
	return *f.Payload.BankConnectionID
}

func (a *apis) form(token, request string) webForm {
	a.t.Helper()
	return decoded[webForm](a.post("/api/webForms/bankConnectionImport", token, request).want(201))
}

func (a *apis) formNow(token, id string) webForm {
	a.t.Helper()
	return decoded[webForm](a.get("/api/webForms/"+id, token).want(200))
}

// person is somebody with a form open in a browser.
type person struct {
	a      *apis
	path   string
	cookie string
}

func (a *apis) open(f webForm) person {
	a.t.Helper()
	path := "/wf/" + f.ID
	page := a.get(path, "").want(200)
	cookie, _, _ := strings.Cut(page.header.Get("Set-Cookie"), ";")
	return person{a, path, cookie}
}

func (p person) says(question, fields string) person {
	p.a.t.Helper()
	p.a.send(request{
		method: http.MethodPost, path: p.path + "/" + question, body: fields,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Cookie": p.cookie},
	}).want(303)
	return p
}

func (p person) logsIn() person {
	p.a.t.Helper()
	return p.says("login", "login=demo_no_msa&password=demo_no_msa")
}

// connects all accounts.
func (p person) connects() {
	p.a.t.Helper()
	fields := make(url.Values)
	for i := range 50 {
		fields.Add("account", strconv.Itoa(i))
	}
	p.logsIn().says("accounts", fields.Encode())
}

func (p person) aborts() {
	p.a.t.Helper()
	p.says("cancel", "")
}

// connect has a user connect the bank that the request names.
func (a *apis) connect(token, request string) (connection int64) {
	a.t.Helper()
	f := a.form(token, request)
	a.open(f).connects()
	f = a.formNow(token, f.ID)
	if f.Status != "COMPLETED" || f.connection() == 0 {
		a.t.Fatalf("form ended as %s with %s, want COMPLETED with a connection", f.Status, f.code())
	}
	return f.connection()
}

// loaded is connect, and then the time that downloading and categorizing take.
func (a *apis) loaded(token, request string) (connection int64) {
	a.t.Helper()
	connection = a.connect(token, request)
	a.clock.Advance(5 * time.Second)
	return connection
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%.500s", a.call, a.status, status, a.body)
	}
	return a
}

// refused expects a status and a code in whichever shape of errors the call has.
// A request that breaks Web Form's rules has no code, but names of fields.
func (a answer) refused(status int, code string) answer {
	a.t.Helper()
	a.want(status)
	if got := a.code(); got != code {
		a.t.Errorf("%s: code %q, want %q\n%s", a.call, got, code, a.body)
	}
	return a
}

func (a answer) code() string {
	a.t.Helper()
	e := decoded[struct {
		Error, Code string
		Errors      []struct{ Code, Field string }
	}](a)
	var fields []string
	for _, inner := range e.Errors {
		fields = append(fields, inner.Code+inner.Field)
	}
	return e.Error + e.Code + strings.Join(fields, " ")
}

// decoded reads a body. Numbers in an any are kept as they were written.
func decoded[T any](a answer) (v T) {
	a.t.Helper()
	d := json.NewDecoder(strings.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		a.t.Fatalf("%s: %v\n%.500s", a.call, err, a.body)
	}
	return v
}

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	for v, text := range map[*any]string{&g: got, &w: want} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
