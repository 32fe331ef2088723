package finapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// tokenJSON is a token's answer.
func tokenJSON(access string, life int, refresh string) string {
	return fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":%d,"scope":"all","refresh_token":%q}`, access, life, refresh)
}

// everlasting is a token endpoint that repeats a token until it has run out.
type everlasting struct {
	mu    sync.Mutex
	life  time.Duration
	n     int
	until time.Time
}

func (e *everlasting) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); !now.Before(e.until) {
		e.n++
		e.until = now.Add(e.life)
	}
	left := int(time.Until(e.until) / time.Second)
	reply(w, 200, tokenJSON(fmt.Sprintf("user-%d", e.n), left, fmt.Sprintf("refresh-%d", e.n)))
}

// only lets calls through whose token is in force.
func (e *everlasting) only(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		want := fmt.Sprintf("Bearer user-%d", e.n)
		dead := !time.Now().Before(e.until)
		e.mu.Unlock()
		if dead || r.Header.Get("Authorization") != want {
			reply(w, 401, authError("invalid_token"))
			return
		}
		next(w, r)
	}
}

func readForm(ctx context.Context, c *Client, user User) error {
	_, err := c.Form(ctx, user, testFormID)
	return err
}

func TestOneLoginForManyWaiters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.on("user_token", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second) // in the bubble
			p.usual(w, r, "user_token")
		})
		c := p.client(t)
		user := c.User("u")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := readForm(t.Context(), c, user); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := p.count("user_token"); got != 1 {
			t.Errorf("got %d logins for 100 waiters, want 1", got)
		}
		if got := p.count("client_token"); got != 0 {
			t.Errorf("got %d client logins, want none", got)
		}
	})
}

func TestFailedLoginIsSharedByItsWaiters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.on("user_token", func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			reply(w, 500, accessError("UNEXPECTED_ERROR"))
		})
		c := p.client(t)
		user := c.User("u")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if e, ok := errors.AsType[*Error](readForm(t.Context(), c, user)); !ok || e.Class != ClassRetry || e.Status != 500 {
					t.Errorf("got %v, want a retry with status 500", e)
				}
			})
		}
		wg.Wait()
		if got := p.count("user_token"); got != 1 {
			t.Errorf("got %d logins for 100 waiters, want 1", got)
		}
		// It is not remembered: the next caller logs in again.
		_ = readForm(t.Context(), c, user)
		if got := p.count("user_token"); got != 2 {
			t.Errorf("got %d logins after another call, want 2", got)
		}
	})
}

func TestLeaderGoesAwayWaitersGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.on("user_token", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			p.usual(w, r, "user_token")
		})
		c := p.client(t)
		user := c.User("u")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := readForm(ctx, c, user); !errors.Is(err, context.Canceled) {
				t.Errorf("leader: got %v, want context.Canceled", err)
			}
		})
		synctest.Wait() // the leader is logging in
		wg.Go(func() {
			if err := readForm(t.Context(), c, user); err != nil {
				t.Errorf("waiter: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestTokenIsUsedToItsEndAndAskedForSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		tokens := &everlasting{life: time.Hour}
		p.on("user_token", tokens.ServeHTTP)
		p.on("get_form", tokens.only(answer(200, formJSON(testFormID, "IN_PROGRESS", "null"))))
		c := p.client(t)
		user := c.User("u")
		for range 3 * 3600 { // three hours, a call a second
			if err := readForm(t.Context(), c, user); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// Three tokens; in the last minute of each it is asked for again, with
		// the gaps halving.
		if got := p.count("user_token"); got < 3 || got > 30 {
			t.Errorf("got %d logins in three hours, want 3 to 30", got)
		}
	})
}

func TestNearlyDeadTokenIsNotAskedForInALoop(t *testing.T) {
	t.Parallel()
	for _, life := range []int{1, 2, 30} {
		t.Run(fmt.Sprint(life), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("user_token", answer(200, tokenJSON("same", life, "")))
				c := p.client(t)
				user := c.User("u")
				started := time.Now()
				for time.Since(started) < 10*time.Second {
					if err := readForm(t.Context(), c, user); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Millisecond)
				}
				if got := p.count("user_token"); got > 11 {
					t.Errorf("got %d logins in ten seconds, want at most one a second", got)
				}
			})
		})
	}
}

func TestTokenThatNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.life = 0
		c := p.client(t)
		user := c.User("u")
		for range 5 {
			if _, err := c.CreateForm(t.Context(), user, FormRequest{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1000 * time.Hour)
		}
		if got := p.count("user_token") + p.count("refresh_token"); got != 1 {
			t.Errorf("got %d logins, want 1", got)
		}
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	refuse := answer(401, authError("invalid_token"))
	page := answer(200, pageJSON(1, 1, 1, rowJSON))
	for name, test := range map[string]struct {
		calls    []http.HandlerFunc
		tokens   []http.HandlerFunc
		class    Class // empty: it goes well
		requests int
	}{
		"expired in the middle of paging": {
			calls: []http.HandlerFunc{refuse, page}, requests: 2,
		},
		"C1 new token refused too": {
			calls: []http.HandlerFunc{refuse}, requests: 2, class: ClassPermanent,
		},
		"login repeats the dead token": {
			calls:    []http.HandlerFunc{refuse},
			tokens:   []http.HandlerFunc{answer(200, tokenJSON("same", 3, ""))},
			requests: 2, class: ClassRetry,
		},
		"C1 a gateway refuses": {
			calls: []http.HandlerFunc{answer(401, "<html>canary</html>")}, requests: 2, class: ClassRetry,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("list_transactions", inOrder(test.calls...))
				if test.tokens != nil {
					p.on("user_token", inOrder(test.tokens...))
				}
				c := p.client(t)
				_, err := c.Transactions(t.Context(), c.User("u"), 11, 1)
				if test.class == "" && err != nil {
					t.Errorf("got %v, want success", err)
				}
				if test.class != "" {
					wantError(t, err, test.class, CodeTokenRefused)
				}
				if got := p.count("list_transactions"); got != test.requests {
					t.Errorf("got %d requests, want %d", got, test.requests)
				}
				if got := p.count("user_token"); got != 2 {
					t.Errorf("got %d logins, want 2", got)
				}
			})
		})
	}
}

func TestManyCallsWithARefusedTokenLogInOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		user := c.User("u")
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			if r.Header.Get("Authorization") == "Bearer token-1" {
				reply(w, 401, authError("invalid_token"))
				return
			}
			p.usual(w, r, "get_form")
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := readForm(t.Context(), c, user); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := p.count("user_token"); got != 2 {
			t.Errorf("got %d logins, want 2", got)
		}
	})
}

func TestRefusedLogins(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		class  Class
		code   string
		says   []string
	}{
		"wrong user password":          {400, authError("invalid_grant"), ClassPermanent, CodeUserRefused, []string{"BANKIMPORT_USER_KEY", "invalid_grant"}},
		"400 in Access's shape":        {400, accessError("ILLEGAL_FIELD_VALUE"), ClassPermanent, CodeUserRefused, []string{"BANKIMPORT_USER_KEY"}},
		"400 without a body":           {400, "", ClassPermanent, CodeUserRefused, []string{"BANKIMPORT_USER_KEY"}},
		"user not verified":            {403, accessError("USER_NOT_VERIFIED"), ClassPermanent, CodeUserRefused, []string{"USER_NOT_VERIFIED"}},
		"user locked":                  {423, accessError("LOCKED"), ClassPermanent, CodeUserRefused, []string{"locked"}},
		"403 of a gateway":             {403, "<html>canary</html>", ClassRetry, CodeUnknownErrorAnswer, nil},
		"403 of a server":              {403, springError(403, "Forbidden"), ClassRetry, CodeUnknownErrorAnswer, nil},
		"403 without a body":           {403, "", ClassRetry, CodeUnknownErrorAnswer, nil},
		"404 of a gateway":             {404, "<html>canary</html>", ClassRetry, CodeUnknownErrorAnswer, nil},
		"404 in Access's shape":        {404, accessError("UNKNOWN_ENTITY"), ClassRetry, "UNKNOWN_ENTITY", nil},
		"405 of a gateway":             {405, "", ClassRetry, CodeUnknownErrorAnswer, nil},
		"413 of a gateway":             {413, "<html>canary</html>", ClassRetry, CodeUnknownErrorAnswer, nil},
		"451 of a gateway":             {451, "", ClassRetry, CodeUnknownErrorAnswer, nil},
		"wrong client":                 {401, authError("invalid_client"), ClassUnavailable, CodeClientRefused, []string{"BANKIMPORT_FINAPI_CLIENT_ID"}},
		"wrong client, other body":     {401, "", ClassUnavailable, CodeClientRefused, []string{"BANKIMPORT_FINAPI_CLIENT_SECRET"}},
		"C32 statuses swapped, client": {400, authError("invalid_client"), ClassUnavailable, CodeClientRefused, nil},
		"C32 statuses swapped, user":   {401, authError("invalid_grant"), ClassPermanent, CodeUserRefused, nil},
		"server error":                 {500, accessError("UNEXPECTED_ERROR"), ClassRetry, "UNEXPECTED_ERROR", nil},
		"not there":                    {503, "<html>canary</html>", ClassRetry, CodeUnknownErrorAnswer, nil},
		"too many":                     {429, "", ClassUnavailable, CodeSlowDown, nil},
		"C16 no token":                 {200, `{"token_type":"bearer","expires_in":1,"scope":"all"}`, ClassRetry, CodeMalformed, []string{"access_token"}},
		"C30 no life":                  {200, `{"access_token":"canary","token_type":"bearer","scope":"all"}`, ClassRetry, CodeMalformed, []string{"expires_in"}},
		"C15 C30 life null":            {200, `{"access_token":"canary","token_type":"bearer","scope":"all","expires_in":null}`, ClassRetry, CodeMalformed, []string{"expires_in"}},
		"C30 life negative":            {200, tokenJSON("canary", -1, ""), ClassRetry, CodeMalformed, []string{"expires_in"}},
		"C30 life as text":             {200, `{"access_token":"canary","token_type":"bearer","scope":"all","expires_in":"3599"}`, ClassRetry, CodeMalformed, nil},
		"C31 other type":               {200, `{"access_token":"canary","token_type":"mac","scope":"all","expires_in":1}`, ClassRetry, CodeMalformed, []string{"token_type"}},
		"breaks a header":              {200, tokenJSON("canary\r\nX: y", 1, ""), ClassRetry, CodeMalformed, nil},
		"too long":                     {200, tokenJSON(strings.Repeat("x", 8193), 1, ""), ClassRetry, CodeMalformed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			p.on("user_token", answer(test.status, test.body))
			c := p.client(t)
			err := readForm(t.Context(), c, c.User("u"))
			e := wantError(t, err, test.class, test.code)
			if e.Operation != "user_token" {
				t.Errorf("got operation %q, want user_token", e.Operation)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the answer: %q", err)
			}
			if got := p.count("get_form"); got != 0 {
				t.Errorf("got %d calls without a token, want none", got)
			}
		})
	}
}

func TestRefusedUserIsNotTriedAgainForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.on("user_token", answer(400, authError("invalid_grant")))
		c := p.client(t)
		user := c.User("u")
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if e, ok := errors.AsType[*Error](readForm(t.Context(), c, user)); !ok || e.Code != CodeUserRefused {
					t.Errorf("got %v, want the refusal", e)
				}
			})
		}
		wg.Wait()
		time.Sleep(refusedUserPause - time.Second)
		wantError(t, readForm(t.Context(), c, user), ClassPermanent, CodeUserRefused)
		if got := p.count("user_token"); got != 1 {
			t.Fatalf("got %d logins, want 1: the provider locks users who fail", got)
		}
		if got := testutil.ToFloat64(c.metrics.userRefused); got != 1 {
			t.Errorf("got %v refused logins counted, want 1", got)
		}
		// Another user is not affected, and after the pause it is tried again.
		p.on("user_token", nil)
		if err := readForm(t.Context(), c, c.User("v")); err != nil {
			t.Errorf("another user: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := readForm(t.Context(), c, user); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	})
}

// TestUnreadRefusalIsNotRememberedForLong: it may have been a gateway's.
func TestUnreadRefusalIsNotRememberedForLong(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 423} {
		synctest.Test(t, func(t *testing.T) {
			p := newProvider()
			p.on("user_token", answer(status, "<html>canary</html>"))
			c := p.client(t)
			user := c.User("u")
			for range 3 { // still, the provider locks users who fail
				wantError(t, readForm(t.Context(), c, user), ClassPermanent, CodeUserRefused)
			}
			if got := p.count("user_token"); got != 1 {
				t.Errorf("status %d: got %d logins, want 1", status, got)
			}
			p.on("user_token", nil)
			time.Sleep(unreadRefusalPause)
			if err := readForm(t.Context(), c, user); err != nil {
				t.Errorf("status %d: %v", status, err)
			}
		})
	}
}

// TestTokenCountedDownToZeroIsNotForEver: 0 means never, and the end of a
// countdown.
func TestTokenCountedDownToZeroIsNotForEver(t *testing.T) {
	t.Parallel()
	for _, refresh := range []string{"", "r"} { // the refresh repeats the token, too
		synctest.Test(t, func(t *testing.T) {
			p := newProvider()
			c := p.client(t)
			user := c.User("u")
			form := func() error { _, err := c.CreateForm(t.Context(), user, FormRequest{}); return err }
			p.on("user_token", answer(200, tokenJSON("same", 30, refresh)))
			p.on("refresh_token", answer(200, tokenJSON("same", 0, "")))
			if refresh == "" {
				if err := form(); err != nil { // short, but alive
					t.Fatal(err)
				}
			} else if err := readForm(t.Context(), c, user); err != nil {
				t.Fatal(err)
			}
			before := p.count("create_form")
			time.Sleep(29 * time.Second)
			p.on("user_token", answer(200, tokenJSON("same", 0, refresh)))
			for range 3 {
				e := wantError(t, form(), ClassRetry, CodeTokenRefused)
				if e.RetryAfter != askGap {
					t.Errorf("got retry after %s, want %s", e.RetryAfter, askGap)
				}
				time.Sleep(time.Second)
			}
			if got := p.count("create_form") - before; got != 0 {
				t.Errorf("got %d forms with a token at its end, want none", got)
			}
			p.on("user_token", answer(200, tokenJSON("new", 3599, "")))
			if err := form(); err != nil {
				t.Errorf("with a new token: %v", err)
			}
			// A token that is for ever after all is found out to be.
			p.on("user_token", answer(200, tokenJSON("new", 0, "")))
			time.Sleep(time.Hour)
			wantError(t, form(), ClassRetry, CodeTokenRefused)
			time.Sleep(deadToken)
			if err := form(); err != nil {
				t.Errorf("after a while: %v", err)
			}
		})
	}
}

func TestRefusedUserComesBackWhenItIsCreated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		ctx, user := t.Context(), c.User("u")
		if err := c.EnsureUser(ctx, user); err != nil {
			t.Fatal(err)
		}
		// Somebody deletes the user: its login is refused from now on.
		p.on("user_token", answer(400, authError("invalid_grant")))
		wantError(t, readForm(ctx, c, user), ClassPermanent, CodeUserRefused)
		p.on("user_token", nil)
		if err := c.EnsureUser(ctx, user); err != nil {
			t.Fatal(err)
		}
		if got := p.count("create_user"); got != 2 {
			t.Errorf("got %d creations, want 2", got)
		}
		if err := readForm(ctx, c, user); err != nil {
			t.Errorf("after it was created anew: %v", err)
		}
	})
}

func TestRefusedClientHoldsAllLogins(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*provider){
		"at our own login":  func(p *provider) { p.on("client_token", answer(401, authError("invalid_client"))) },
		"at a user's login": func(p *provider) { p.on("user_token", answer(401, authError("invalid_client"))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				refuse(p)
				c := p.client(t)
				for i := range 10 {
					user := c.User(fmt.Sprint(i))
					err := c.EnsureUser(t.Context(), user)
					if err == nil {
						err = readForm(t.Context(), c, user)
					}
					e := wantError(t, err, ClassUnavailable, CodeClientRefused)
					if e.RetryAfter <= 0 || e.RetryAfter > refusedClientPause {
						t.Errorf("got retry after %s, want up to %s", e.RetryAfter, refusedClientPause)
					}
				}
				if got := p.count("client_token") + p.count("user_token"); got > 2 {
					t.Errorf("got %d logins, want at most 2", got)
				}
				if got := testutil.ToFloat64(c.metrics.clientRefused); got != 1 {
					t.Errorf("got client_login_refused %v, want 1", got)
				}
				p.on("client_token", nil)
				p.on("user_token", nil)
				time.Sleep(refusedClientPause)
				user := c.User("late")
				if err := c.EnsureUser(t.Context(), user); err != nil {
					t.Errorf("after the pause: %v", err)
				}
				if err := readForm(t.Context(), c, user); err != nil {
					t.Errorf("after the pause: %v", err)
				}
				if got := testutil.ToFloat64(c.metrics.clientRefused); got != 0 {
					t.Errorf("got client_login_refused %v after a login, want 0", got)
				}
			})
		})
	}
}

func TestFormTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		life      int    // of the first token
		refresh   string // answer of the refresh grant
		status    int
		refreshes int
		bearer    string
		short     float64
	}{
		"long enough":             {life: 1500, refreshes: 0, bearer: "Bearer first", short: 0},
		"refreshed":               {life: 1499, status: 200, refresh: tokenJSON("second", 7200, ""), refreshes: 1, bearer: "Bearer second"},
		"refresh is short too":    {life: 600, status: 200, refresh: tokenJSON("second", 700, ""), refreshes: 1, bearer: "Bearer second", short: 1},
		"refresh is even shorter": {life: 600, status: 200, refresh: tokenJSON("second", 500, ""), refreshes: 1, bearer: "Bearer first", short: 1},
		"refresh refused":         {life: 600, status: 400, refresh: authError("invalid_grant"), refreshes: 1, bearer: "Bearer first", short: 1},
		"refresh fails":           {life: 600, status: 500, refresh: "", refreshes: 1, bearer: "Bearer first", short: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("user_token", answer(200, tokenJSON("first", test.life, "refresh")))
				p.on("refresh_token", answer(test.status, test.refresh))
				var bearer string
				p.on("create_form", func(w http.ResponseWriter, r *http.Request) {
					bearer = r.Header.Get("Authorization")
					p.usual(w, r, "create_form")
				})
				c := p.client(t)
				if _, err := c.CreateForm(t.Context(), c.User("u"), FormRequest{}); err != nil {
					t.Fatal(err)
				}
				if bearer != test.bearer {
					t.Errorf("got %q, want %q", bearer, test.bearer)
				}
				if got := p.count("refresh_token"); got != test.refreshes {
					t.Errorf("got %d refreshes, want %d", got, test.refreshes)
				}
				if got := testutil.ToFloat64(c.metrics.shortTokens); got != test.short {
					t.Errorf("got %v short tokens counted, want %v", got, test.short)
				}
				if got := testutil.ToFloat64(c.metrics.userRefused); got != 0 {
					t.Errorf("got %v refused logins counted, want none", got)
				}
			})
		})
	}
}

func TestShortFormTokensAreCountedAndToldSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.on("user_token", answer(200, tokenJSON("first", 900, "refresh")))
		p.on("refresh_token", answer(200, tokenJSON("first", 899, "refresh")))
		log := &lines{}
		c := p.client(t, func(config *Config) { config.Logger = slog.New(log) })
		user := c.User("u")
		for range 30 {
			if _, err := c.CreateForm(t.Context(), user, FormRequest{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if got := testutil.ToFloat64(c.metrics.shortTokens); got != 30 {
			t.Errorf("got %v short tokens counted, want 30", got)
		}
		if got := log.count("token may end before the web form"); got != 1 {
			t.Errorf("got %d warnings in half a minute, want 1", got)
		}
		if got := p.count("refresh_token"); got != 1 {
			t.Errorf("got %d refreshes in half a minute, want 1", got)
		}
	})
}

func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	p := newProvider()
	c := p.client(t, func(config *Config) { config.MaxUsers = 2 })
	ctx := t.Context()
	for _, u := range []string{"a", "b", "a", "c", "a", "b"} { // b is forgotten for c
		if err := readForm(ctx, c, c.User(u)); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.count("user_token"); got != 4 {
		t.Errorf("got %d logins, want 4", got)
	}
	if got := len(c.tokens.users); got != 2 {
		t.Errorf("got %d users remembered, want 2", got)
	}
}

func TestTokensAreNeverRevoked(t *testing.T) {
	t.Parallel()
	p := newProvider()
	c := p.client(t)
	if err := readForm(t.Context(), c, c.User("u")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, r := range p.seen {
		if strings.Contains(r.URL.Path, "revoke") {
			t.Errorf("got a call of %s", r.URL.Path)
		}
	}
}

// lines keeps the messages of a log with their attributes.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, text)
	return nil
}

func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
