package stages_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/pipeline/pipelinetest"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/accounts"
)

// reader answers the calls of the accounts stage over HTTP.
type reader struct {
	outage atomic.Pointer[http.HandlerFunc] // for all calls; nil: none
	broken string                           // connection whose accounts cannot be read
}

func (p *reader) down(h http.HandlerFunc) { p.outage.Store(&h) }
func (p *reader) up()                     { p.outage.Store(nil) }

func (p *reader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := p.outage.Load(); h != nil {
		(*h)(w, r)
		return
	}
	say := func(status int, format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, format, args...)
	}
	id := r.URL.Query().Get("bankConnectionIds")
	switch path := r.URL.Path; {
	case path == "/api/v2/oauth/token":
		say(200, `{"access_token":"token","token_type":"bearer","expires_in":3599,"scope":"all"}`)
	case r.Header.Get("Authorization") == "":
		say(401, `{"error":"unauthorized","error_description":"no token"}`)
	case strings.HasPrefix(path, "/api/v2/bankConnections/"):
		say(200, `{"id":%s,"updateStatus":"READY","categorizationStatus":"READY","accountIds":[11],
			"interfaces":[],"bank":{"id":280001,"name":"Test Bank"}}`, path[len("/api/v2/bankConnections/"):])
	case id == p.broken:
		say(504, "")
	default:
		say(200, `{"accounts":[{"id":11,"bankConnectionId":%s,"accountNumber":"1","accountType":"Checking","interfaces":[{"status":"UPDATED"}]}]}`, id)
	}
}

// reading runs the accounts stage with the real client and engine and small
// budgets.
func reading(t *testing.T, p *reader, budget time.Duration) *pipelinetest.Cluster {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	client, err := finapi.New(finapi.Config{
		AccessURL: server.URL, WebFormURL: server.URL, ClientID: "client", ClientSecret: "secret",
		UserKey: "a-master-key-of-thirty-two-chars-or-more", RequestTimeout: 300 * time.Millisecond, Patience: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	stage, err := accounts.New(client, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	c := pipelinetest.NewCluster(t, stage)
	c.Run(stage, func(cfg *pipeline.Config) { cfg.RetryBudget = budget })
	return c
}

// publish starts the import with this number; its connection has the number, too.
func publish(t *testing.T, c *pipelinetest.Cluster, n int) {
	t.Helper()
	e := schemas.ConnectionReady{
		ImportID: fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", n), Run: 1, UserID: fmt.Sprint("u", n), BankConnectionID: int64(n), BankID: 280001,
		StartedAt: schemas.At(time.Now()), Accounts: []schemas.ConnectionAccount{{ProviderAccountID: 11, Loaded: true}},
	}
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "test", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]pipeline.Header, len(headers))
	for i, h := range headers {
		all[i] = pipeline.Header(h)
	}
	c.Publish(e.Topic(), []byte(e.Key()), value, all...)
}

// TestOutageOfTheProvider: an outage ends nothing, however it shows, however long
// it lasts and however few imports wait for its end.
func TestOutageOfTheProvider(t *testing.T) {
	t.Parallel()
	fail := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client left
		<-r.Context().Done()
	}
	const budget = 2 * time.Second
	for name, test := range map[string]struct {
		imports int
		outage  http.HandlerFunc
	}{
		"not available, one import": {1, fail(503, "<html></html>")},
		"not available, three":      {3, fail(503, "<html></html>")},
		"not available, many":       {30, fail(503, "<html></html>")},
		"errors, one import":        {1, fail(500, `{"errors":[{"code":"UNEXPECTED_ERROR","type":"TECHNICAL"}]}`)},
		"no answer, one import":     {1, hang},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &reader{}
			p.down(test.outage)
			c := reading(t, p, budget)
			for n := range test.imports {
				publish(t, c, n+1)
			}
			time.Sleep(2 * budget)
			c.Collect("dead-letters", 0)
			p.up()
			c.Collect(schemas.TopicAccountsFetched, test.imports)
			c.Collect("dead-letters", 0)
		})
	}
}

// TestOneImportsOwnTrouble: what always fails for one import, while all is well
// with the provider, ends that import and no other.
func TestOneImportsOwnTrouble(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]int{"alone": 0, "among others": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &reader{broken: "99"}
			c := reading(t, p, 2*time.Second)
			publish(t, c, 99)
			for n := range others {
				publish(t, c, n+1)
			}
			dead := c.Collect("dead-letters", 1)
			if !slices.ContainsFunc(dead[0].Headers, func(h pipeline.Header) bool { return string(h.Value) == "retries_exhausted" }) {
				t.Errorf("dead letter %+v, want one whose retries are spent", dead[0].Headers)
			}
			c.Collect(schemas.TopicAccountsFetched, others)
		})
	}
}
