package simulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// wire is a simulator behind a real connection.
type wire struct {
	*apis
	url    string
	client *http.Client
	token  string
}

func newWire(t *testing.T) *wire {
	t.Helper()
	a := newAPIs(t, simulator.Config{})
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &wire{a, server.URL, client, a.user("u")}
}

func (w *wire) call(ctx context.Context, method, path, body string) (answer, error) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", "mine")
	resp, err := w.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{w.t, method + " " + path, resp.StatusCode, resp.Header, string(b)}, err
}

// lists is the call that most faults are tried on.
func (w *wire) lists() answer {
	w.t.Helper()
	got, err := w.call(w.t.Context(), "GET", "/api/webForms", "")
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *wire) creates() (answer, error) {
	w.t.Helper()
	return w.call(w.t.Context(), "POST", "/api/webForms/bankConnectionImport", "{}")
}

func (w *wire) forms(want int) {
	w.t.Helper()
	if got := len(w.Journal().Forms); got != want {
		w.t.Errorf("%d forms, want %d", got, want)
	}
}

func networkFaultTests() map[string]func(*testing.T) {
	gateway := func(fault string, status int) func(*testing.T) {
		return func(t *testing.T) {
			w := newWire(t)
			w.on(fault + ":count=1")
			got := w.lists().want(status)
			if kind := got.header.Get("Content-Type"); kind != "text/html" || !strings.Contains(got.body, "<html>") || got.header.Get("X-Request-Id") != "" {
				t.Errorf("Content-Type %q, %s", kind, got.body)
			}
			w.lists().want(200)
			if calls := w.Journal().Calls["list forms"]; calls[status] == 0 {
				t.Errorf("calls %v, want one with %d", calls, status)
			}
		}
	}
	return map[string]func(*testing.T){
		"slow-headers": func(t *testing.T) {
			w := newWire(t)
			w.on("slow-headers:delay=40ms,count=1")
			begin := time.Now()
			w.lists().want(200)
			if took := time.Since(begin); took < 40*time.Millisecond {
				t.Errorf("the answer took %s", took)
			}
			// Whoever waits for it in vain may go.
			w.on("slow-headers:delay=1h")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := w.call(ctx, "GET", "/api/webForms", ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want no answer in time", err)
			}
		},
		"connection-reset": func(t *testing.T) {
			w := newWire(t)
			w.on("connection-reset")
			if _, err := w.creates(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want a reset", err)
			}
			w.forms(0)
			if calls := w.Journal().Calls["create form"]; calls[0] == 0 {
				t.Errorf("calls %v, want one without an answer", calls)
			}
		},
		"answer-lost": func(t *testing.T) {
			w := newWire(t)
			w.on("answer-lost:count=1")
			w.lists().want(200)
			if _, err := w.creates(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want a reset", err)
			}
			w.forms(1)
			if _, err := w.creates(); err != nil {
				t.Error(err)
			}
			w.forms(2)
		},
		"status-423": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("status-423")
			a.unchecked().get("/api/v2/accounts", token).refused(423, "LOCKED")
			a.unchecked().get("/api/webForms", token).refused(423, "LOCKED")
			a.user("v") // creating users and logging in is not busy
		},
		"status-429": func(t *testing.T) {
			w := newWire(t)
			w.on("status-429:delay=2500ms")
			if got := w.lists().want(429).header.Get("Retry-After"); got != "3" {
				t.Errorf("Retry-After %q, want 3", got)
			}
		},
		"status-500": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("status-500")
			a.get("/api/v2/accounts", token).refused(500, "UNEXPECTED_ERROR")
			a.unchecked().get("/api/webForms", token).refused(500, "INTERNAL_SERVER_ERROR")
			a.get("/api/v2/bankConnections/1", token).refused(500, "UNEXPECTED_ERROR")
			a.asks(token, "{}").refused(500, "INTERNAL_SERVER_ERROR")
		},
		"status-502":   gateway("status-502", 502),
		"status-503":   gateway("status-503", 503),
		"status-504":   gateway("status-504", 504),
		"gateway-page": gateway("gateway-page", 200),
		"redirect": func(t *testing.T) {
			w := newWire(t)
			w.on("redirect")
			if got := w.lists().want(302).header.Get("Location"); got != "/maintenance" {
				t.Errorf("Location %q", got)
			}
		},
		"empty-body": func(t *testing.T) {
			w := newWire(t)
			w.on("empty-body")
			if got, err := w.creates(); err != nil || got.status != 200 || got.body != "" {
				t.Errorf("got %+v, %v", got, err)
			}
			w.forms(0)
		},
		"unknown-error": func(t *testing.T) {
			w := newWire(t)
			w.on("unknown-error")
			if got := w.lists().want(500).body; !strings.Contains(got, `{"fault":`) {
				t.Errorf("got %s", got)
			}
		},
		"slow-body": func(t *testing.T) {
			w := newWire(t)
			want := w.lists().body
			w.on("slow-body:delay=100ms,count=1")
			begin := time.Now()
			if got := w.lists().want(200).body; got != want || time.Since(begin) < 40*time.Millisecond {
				t.Errorf("got %q after %s, want %q", got, time.Since(begin), want)
			}
			w.on("slow-body:delay=1h")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := w.call(ctx, "GET", "/api/webForms", ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want no end in time", err)
			}
		},
		"cut-body": func(t *testing.T) {
			w := newWire(t)
			w.on("cut-body")
			if got, err := w.creates(); !errors.Is(err, io.ErrUnexpectedEOF) || got.status != 201 || !strings.HasPrefix(got.body, `{"`) {
				t.Errorf("got %+v, %v, want half an answer", got, err)
			}
			w.forms(1)
		},
		"oversized-body": func(t *testing.T) {
			w := newWire(t)
			want := w.lists().body
			w.on("oversized-body:n=2")
			if got := w.lists().want(200).body; len(got) != 2<<20+len(want) || strings.TrimLeft(got, " ") != want {
				t.Errorf("%d bytes, want 2 MiB before %q", len(got), want)
			}
		},
		"wrong-content-type": func(t *testing.T) {
			w := newWire(t)
			want := w.lists().body
			w.on("wrong-content-type")
			if got := w.lists().want(200); got.header.Get("Content-Type") != "text/html; charset=utf-8" || got.body != want {
				t.Errorf("got %+v", got)
			}
		},
		"wrong-request-id": func(t *testing.T) {
			w := newWire(t)
			if got := w.lists().header.Get("X-Request-Id"); got != "mine" {
				t.Errorf("id %q, want mine", got)
			}
			w.on("wrong-request-id")
			if got := w.lists().header.Get("X-Request-Id"); len(got) != 36 {
				t.Errorf("id %q, want a new one", got)
			}
		},
	}
}

// asks asks for a form, whatever comes of it.
func (a *apis) asks(token, request string) answer {
	a.t.Helper()
	return a.post("/api/webForms/bankConnectionImport", token, request)
}
