package finapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const (
	testUserKey = "a-master-key-of-thirty-two-chars-or-more"
	testSecret  = "client-secret-canary"
)

// provider answers the client's calls within the process, so that tests can run
// in a synctest bubble. A route without a handler answers what is usual.
type provider struct {
	mu      sync.Mutex
	routes  map[string]http.HandlerFunc // by operation
	counts  map[string]int              // by operation: calls
	tokens  int                         // given out
	life    int                         // expires_in of tokens
	seen    []*http.Request             // without bodies
	onWire  int                         // calls under way
	highest int                         // most calls under way at once
}

func newProvider() *provider {
	return &provider{routes: map[string]http.HandlerFunc{}, counts: map[string]int{}, life: 3599}
}

// on sets the handler of an operation.
func (p *provider) on(op string, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes[op] = h
}

func (p *provider) count(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[op]
}

func (p *provider) total() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.counts {
		n += c
	}
	return n
}

// operationOf names the call as the client does.
func operationOf(r *http.Request) string {
	switch r.Method + " " + r.URL.Path {
	case "POST /api/v2/oauth/token":
		switch r.PostFormValue("grant_type") {
		case "client_credentials":
			return "client_token"
		case "password":
			return "user_token"
		default:
			return "refresh_token"
		}
	case "POST /api/v2/users":
		return "create_user"
	case "GET /api/v2/clientConfiguration":
		return "ping_access"
	case "GET /api/webForms":
		return "ping_webform"
	case "GET /api/v2/accounts":
		return "list_accounts"
	case "GET /api/v2/transactions":
		return "list_transactions"
	case "POST /api/webForms/bankConnectionImport":
		return "create_form"
	}
	switch {
	case r.Method == http.MethodPost:
		return "cancel_form"
	case len(r.URL.Path) > 14 && r.URL.Path[:14] == "/api/webForms/":
		return "get_form"
	}
	return "get_connection"
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := operationOf(r)
	p.mu.Lock()
	p.counts[op]++
	p.seen = append(p.seen, r.Clone(r.Context()))
	p.onWire++
	p.highest = max(p.highest, p.onWire)
	h := p.routes[op]
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.onWire--
		p.mu.Unlock()
	}()
	w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
	if h != nil {
		h(w, r)
		return
	}
	p.usual(w, r, op)
}

func (p *provider) usual(w http.ResponseWriter, r *http.Request, op string) {
	switch op {
	case "client_token", "user_token", "refresh_token":
		p.mu.Lock()
		p.tokens++
		n, life := p.tokens, p.life
		p.mu.Unlock()
		refresh := ""
		if op == "user_token" {
			refresh = fmt.Sprintf(`,"refresh_token":"refresh-%d"`, n)
		}
		reply(w, 200, fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer","expires_in":%d,"scope":"all"%s}`, n, life, refresh))
	case "ping_access":
		reply(w, 401, authError("unauthorized"))
	case "ping_webform":
		reply(w, 401, formError("UNAUTHORIZED"))
	case "create_user":
		var body struct{ ID string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		reply(w, 201, fmt.Sprintf(`{"id":%q,"password":"p","isAutoUpdateEnabled":false}`, body.ID))
	case "create_form":
		reply(w, 201, formJSON(testFormID, "NOT_YET_OPENED", "null"))
	case "get_form", "cancel_form":
		reply(w, 200, formJSON(testFormID, "IN_PROGRESS", "null"))
	case "get_connection":
		reply(w, 200, connectionJSON)
	case "list_accounts":
		reply(w, 200, `{"accounts":[`+accountJSON+`]}`)
	case "list_transactions":
		reply(w, 200, pageJSON(1, 1, 1, rowJSON))
	}
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// answer always replies the same.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { reply(w, status, body) }
}

// inOrder replies with one handler after the other, the last one for ever.
func inOrder(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[0]
		if len(handlers) > 1 {
			handlers = handlers[1:]
		}
		mu.Unlock()
		h(w, r)
	}
}

// RoundTrip makes the provider a transport.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	served := make(chan *http.Response, 1)
	go func() {
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, r)
		served <- rec.Result()
	}()
	select {
	case resp := <-served:
		resp.Request = r
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func testConfig() Config {
	return Config{
		AccessURL:    "https://access.example.test",
		WebFormURL:   "https://form.example.test",
		ClientID:     "client-id",
		ClientSecret: testSecret,
		UserKey:      testUserKey,
	}
}

// client returns a client whose calls go to p.
func (p *provider) client(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	config := testConfig()
	config.Transport = p
	for _, f := range change {
		f(&config)
	}
	return newClient(t, config)
}

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	c, err := New(config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// overTheWire returns a client whose calls reach h through a real connection.
func overTheWire(t *testing.T, h http.Handler, change ...func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	config := testConfig()
	config.AccessURL, config.WebFormURL = server.URL, server.URL
	config.RequestTimeout = time.Minute // a busy machine under the race detector takes seconds for 8 MiB
	for _, f := range change {
		f(&config)
	}
	c := newClient(t, config)
	t.Cleanup(c.Close)
	return c
}

var testFormID = uuid.NewString()

func formJSON(id, status, payload string) string {
	return fmt.Sprintf(`{"id":%q,"url":"https://form.example.test/wf/%s","createdAt":"2026-03-02T13:51:08.973+0000",`+
		`"expiresAt":"2026-03-02T14:11:08.973+0000","type":"BANK_CONNECTION_IMPORT","status":%q,"payload":%s}`, id, id, status, payload)
}

const connectionJSON = `{"id":7,"name":null,"updateStatus":"READY","categorizationStatus":"PENDING","accountIds":[11,12],
	"interfaces":[{"bankingInterface":"XS2A","userActionRequired":false}],
	"bank":{"id":280001,"name":"finAPI Test Bank","blz":"DEMO0001","isTestBank":true}}`

const accountJSON = `{"id":11,"bankConnectionId":7,"accountNumber":"111111100","accountType":"CreditCard","iban":null,"balance":16978.51,
	"overdraftLimit":0.0,"interfaces":[{"status":"UPDATED","lastSuccessfulUpdate":"2026-08-13T18:12:22.011+02:00"}]}`

const rowJSON = `{"id":1860779443000,"accountId":11,"valueDate":"2026-01-02","bankBookingDate":"2026-01-03","finapiBookingDate":"2026-01-03",
	"amount":-135.80,"currency":null,"purpose":"rent","counterpartName":"Landlord","isPotentialDuplicate":false,"isAdjustingEntry":true,
	"isNew":true,"importDate":"2026-01-04T05:06:07Z","labels":[],"category":null,"cleanedPurpose":"rent"}`

func pageJSON(page, pages, total int, rows string) string {
	return fmt.Sprintf(`{"transactions":[%s],"paging":{"page":%d,"perPage":500,"pageCount":%d,"totalCount":%d},`+
		`"income":0.0,"spending":-135.80,"balance":-135.80}`, rows, page, pages, total)
}

// the four shapes of errors
func accessError(code string) string {
	return fmt.Sprintf(`{"errors":[{"message":"canary","code":%q,"type":"TECHNICAL"}],"date":"2026-08-13T18:12:22.011+02:00","requestId":"x","endpoint":"x","authContext":"1/2"}`, code)
}

func authError(code string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":"canary"}`, code)
}

func formError(code string) string {
	return fmt.Sprintf(`{"code":%q,"description":"canary","timestamp":"2026-03-02T13:51:08.973+0000","endpoint":"POST /x"}`, code)
}

// springError is what a server answers for which nobody wrote an answer.
func springError(status int, text string) string {
	return fmt.Sprintf(`{"timestamp":"2026-08-13T18:12:22.011+00:00","status":%d,"error":%q,"path":"/canary"}`, status, text)
}

const formInvalid = `{"errors":[{"field":"callbacks.finalised","message":"canary"},{"field":"canary","message":"canary"}],"timestamp":1646229068,"endpoint":"x"}`
