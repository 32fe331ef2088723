package finapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// engineBudget is how long the engine repeats a call.
const engineBudget = 15 * time.Minute

// hang gives no answer.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// repeat makes a call as the engine does, until it goes well or for so long, and
// returns what of that counted against the import.
func repeat(t *testing.T, most time.Duration, call func() error) (spent time.Duration, last error) {
	t.Helper()
	wait := 200 * time.Millisecond
	for started := time.Now(); time.Since(started) < most; {
		sent := time.Now()
		err := call()
		if err == nil {
			return spent, nil
		}
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatalf("got %v, want an *Error", err)
		}
		last = err
		switch e.Class {
		case ClassUnavailable:
			if e.RetryAfter <= 0 {
				t.Fatalf("got %v without a time to try again", e)
			}
			time.Sleep(e.RetryAfter)
		case ClassRetry:
			time.Sleep(wait)
			spent += time.Since(sent)
			wait = min(2*wait, 30*time.Second)
		default:
			t.Fatalf("got class %q: %v", e.Class, e)
		}
	}
	return spent, last
}

// TestOutageUsesUpNoBudget: one import alone loses a minute or so to an outage,
// however that shows and however long it lasts.
func TestOutageUsesUpNoBudget(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"not available":            answer(503, ""),
		"bad gateway":              answer(502, "<html>canary</html>"),
		"errors":                   answer(500, accessError("UNEXPECTED_ERROR")),
		"no answer":                hang,
		"maintenance page":         answer(200, "<html>canary</html>"),
		"sent to another page":     answer(302, ""),
		"forbidden by a gateway":   answer(403, "<html>canary</html>"),
		"unknown to a gateway":     answer(404, springError(404, "Not Found")),
		"told to come again later": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "20"); reply(w, 503, "") },
	} {
		for _, login := range []bool{false, true} { // without a token every call begins with a login
			t.Run(fmt.Sprintf("%s/login %t", name, login), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := newProvider()
					c := p.client(t)
					user := c.User("u")
					if !login {
						if err := readForm(t.Context(), c, user); err != nil {
							t.Fatal(err)
						}
					}
					all := append(callNames(), "user_token", "client_token", "refresh_token", "ping_access", "ping_webform")
					for _, op := range all {
						p.on(op, h)
					}
					call := func() error { return readForm(t.Context(), c, user) }
					spent, _ := repeat(t, 2*time.Hour, call)
					if spent > 3*time.Minute {
						t.Errorf("got %s of the budget spent, want next to nothing of %s", spent, engineBudget)
					}
					if got := p.count("ping_access") + p.count("ping_webform"); got > int(2*time.Hour/pingGap) {
						t.Errorf("got %d pings in two hours, want at most one in %s", got, pingGap)
					}
					for _, op := range all {
						p.on(op, nil)
					}
					healed := time.Now()
					if _, err := repeat(t, time.Hour, call); err != nil || time.Since(healed) > 30*time.Second {
						t.Errorf("got %v after %s, want success soon after the outage", err, time.Since(healed))
					}
				})
			})
		}
	}
}

// TestOwnFaultSpendsItsBudget: a call that alone always fails is not held.
func TestOwnFaultSpendsItsBudget(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		others  bool // whose calls go well meanwhile
	}{
		"among others":           {answer(504, ""), true},
		"no answer among others": {hang, true},
		"alone":                  {answer(504, ""), false},
		"alone, an error":        {answer(500, accessError("UNEXPECTED_ERROR")), false},
		"alone, no answer":       {hang, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("list_accounts", test.handler)
				c := p.client(t)
				user := c.User("u")
				var wg sync.WaitGroup
				stop := make(chan struct{})
				if test.others {
					wg.Go(func() {
						for {
							select {
							case <-stop:
								return
							case <-time.After(time.Second):
							}
							_, _ = c.Connection(t.Context(), user, 7)
						}
					})
				}
				spent, err := repeat(t, time.Hour, func() error {
					_, err := c.Accounts(t.Context(), user, 7)
					return err
				})
				close(stop)
				wg.Wait()
				if err == nil || spent < engineBudget {
					t.Errorf("got %s spent in an hour and %v, want more than %s", spent, err, engineBudget)
				}
			})
		})
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		class   Class
	}{
		"refused":               {nil, ClassRetry},
		"unknown path":          {answer(404, accessError("UNKNOWN_ENTITY")), ClassRetry},
		"forbidden":             {answer(403, accessError("FORBIDDEN")), ClassRetry},
		"its error":             {answer(500, accessError("UNEXPECTED_ERROR")), ClassUnavailable},
		"a gateway's page":      {answer(502, "<html>canary</html>"), ClassUnavailable},
		"a gateway's refusal":   {answer(401, "<html>canary</html>"), ClassUnavailable},
		"a gateway's not found": {answer(404, springError(404, "Not Found")), ClassUnavailable},
		"welcome":               {answer(200, "<html>canary</html>"), ClassUnavailable},
		"too many":              {answer(429, ""), ClassUnavailable},
		"no answer":             {hang, ClassUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("get_connection", answer(500, ""))
				p.on("ping_access", test.handler)
				c := p.client(t)
				user := c.User("u")
				call := func() *Error {
					_, err := c.Connection(t.Context(), user, 7)
					e, ok := errors.AsType[*Error](err)
					if !ok {
						t.Fatalf("got %v, want an *Error", err)
					}
					return e
				}
				for range 3 { // within the client's patience
					if e := call(); e.Class != ClassRetry {
						t.Fatalf("got class %q at once, want %q", e.Class, ClassRetry)
					}
				}
				if got := p.count("ping_access"); got != 0 {
					t.Fatalf("got %d pings at once, want none", got)
				}
				time.Sleep(DefaultPatience)
				started := time.Now()
				e := call()
				if e.Class != test.class || e.Code != CodeUnknownErrorAnswer || e.Status != 500 {
					t.Errorf("got %v of class %q, want the call's own error of class %q", e, e.Class, test.class)
				}
				if test.class == ClassUnavailable && e.RetryAfter != outagePause {
					t.Errorf("got retry after %s, want %s", e.RetryAfter, outagePause)
				}
				if took := time.Since(started); took > pingTimeout {
					t.Errorf("took %s, want at most %s", took, pingTimeout)
				}
				p.mu.Lock() // the one without an answer may still be there
				defer p.mu.Unlock()
				for _, r := range p.seen {
					if operationOf(r) == "ping_access" && (r.Header.Get("Authorization") != "" || r.URL.RawQuery != "") {
						t.Error("the ping carries more than it needs")
					}
				}
			})
		})
	}
}

// TestPingIsSharedAndBelievedForAWhile: many failures at once ask once.
func TestPingIsSharedAndBelievedForAWhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ping  http.HandlerFunc
		class Class
	}{
		"down":    {answer(503, ""), ClassUnavailable},
		"healthy": {answer(401, authError("unauthorized")), ClassRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("list_accounts", func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(time.Second)
					reply(w, 500, "")
				})
				p.on("ping_access", func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second)
					test.ping(w, r)
				})
				log := &lines{}
				c := p.client(t, func(config *Config) { config.Logger = slog.New(log) })
				user := c.User("u")
				round := func() {
					var wg sync.WaitGroup
					for range 10 {
						wg.Go(func() {
							_, err := c.Accounts(t.Context(), user, 7)
							if e, ok := errors.AsType[*Error](err); !ok || e.Class != test.class {
								t.Errorf("got %v, want class %q", err, test.class)
							}
						})
					}
					wg.Wait()
				}
				if err := readForm(t.Context(), c, user); err != nil {
					t.Fatal(err)
				}
				c.accessHost.failed()
				time.Sleep(DefaultPatience)
				round()
				if got := p.count("ping_access"); got != 1 {
					t.Errorf("got %d pings for ten calls, want 1", got)
				}
				if want := map[Class]int{ClassUnavailable: 1}[test.class]; log.count("provider is down") != want {
					t.Errorf("got log %q, want it said %d times that the provider is down", log.text, want)
				}
			})
		})
	}
}

// TestHostsAreToldApart: an outage of Web Form says nothing about Access.
func TestHostsAreToldApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		user := c.User("u")
		p.on("get_form", answer(500, ""))
		p.on("ping_webform", answer(500, ""))
		p.on("list_accounts", answer(500, ""))
		_ = readForm(t.Context(), c, user)
		_, _ = c.Accounts(t.Context(), user, 7)
		time.Sleep(DefaultPatience)
		wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeUnknownErrorAnswer)
		_, err := c.Accounts(t.Context(), user, 7)
		wantError(t, err, ClassRetry, CodeUnknownErrorAnswer)
		p.on("get_form", answer(422, formError("X"))) // a refusal, but the provider's
		wantError(t, readForm(t.Context(), c, user), ClassPermanent, "X")
		p.on("get_form", answer(500, ""))
		wantError(t, readForm(t.Context(), c, user), ClassRetry, CodeUnknownErrorAnswer)
	})
}

// TestOpenBreakerAsksAtOnce: the call that opens it, and each of its probes.
func TestOpenBreakerAsksAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		user := c.User("u")
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", answer(502, ""))
		p.on("ping_webform", answer(502, ""))
		for range breakerInARow - 1 {
			wantError(t, readForm(t.Context(), c, user), ClassRetry, CodeUnknownErrorAnswer)
		}
		wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeUnknownErrorAnswer)
		for range 3 {
			wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeBreakerOpen)
			time.Sleep(breakerDelay)
			wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeUnknownErrorAnswer)
		}
		if got := c.gate.breaker.state(); got != circuitbreaker.OpenState {
			t.Errorf("got the breaker %s, want it open", got)
		}
	})
}

// TestPingShowsNoSecret: it is counted, and what it says stays where it is.
func TestPingShowsNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		log := &lines{}
		c := p.client(t, func(config *Config) { config.Logger = slog.New(log) })
		p.on("ping_access", answer(503, "<html>canary</html>"))
		if !c.isDown(t.Context(), c.accessHost) {
			t.Error("got a healthy host, want it down")
		}
		if got := testutil.ToFloat64(c.metrics.requests.WithLabelValues("ping_access", "503")); got != 1 {
			t.Errorf("got %v pings counted, want 1", got)
		}
		if log.count("canary") != 0 || log.count("provider is down") != 1 {
			t.Errorf("got log %q, want one line without the answer", log.text)
		}
	})
}
