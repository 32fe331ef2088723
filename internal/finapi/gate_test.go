package finapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestLimiterGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	l := newLimiter(100)
	round := func(now time.Time, strain bool) { // as many calls as may run, then all end
		_, _, limit := l.state()
		for range limit {
			if err := l.acquire(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		for range limit {
			if strain {
				l.strained(now)
			} else {
				l.succeeded()
			}
		}
	}
	limit := func() int { _, _, limit := l.state(); return limit }

	now := time.Now()
	if got := limit(); got != limitAtStart {
		t.Fatalf("got limit %d at the start, want %d", got, limitAtStart)
	}
	for range 100 {
		round(now, false)
	}
	if got := limit(); got != 100 {
		t.Errorf("got limit %d after 100 good rounds, want the maximum 100", got)
	}
	round(now, true) // a whole round under strain counts once
	if got := limit(); got != 70 {
		t.Errorf("got limit %d after one bad round, want 70", got)
	}
	for i := range 40 {
		now = now.Add(time.Duration(i+1) * time.Second)
		round(now, true)
	}
	if got := limit(); got != 1 {
		t.Errorf("got limit %d after 40 bad rounds, want 1", got)
	}
	for range 20 {
		round(now, false)
	}
	if got := limit(); got < 2 || got > 30 {
		t.Errorf("got limit %d after 20 good rounds, want slow growth", got)
	}
}

func TestLimiterDoesNotGrowUnused(t *testing.T) {
	t.Parallel()
	l := newLimiter(1000)
	for range 10_000 {
		if err := l.acquire(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		l.succeeded()
	}
	if _, _, got := l.state(); got != limitAtStart {
		t.Errorf("got limit %d after 10,000 calls one by one, want %d still", got, limitAtStart)
	}
}

func TestLimiterServesWorkBeforePolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		if err := l.acquire(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		var order []bool // polls, as they were served; guarded by the only permit
		var wg sync.WaitGroup
		wait := func(poll bool) {
			wg.Go(func() {
				if err := l.acquire(t.Context(), poll); err != nil {
					t.Error(err)
					return
				}
				order = append(order, poll)
				l.succeeded()
			})
			synctest.Wait()
		}
		for range 2 {
			wait(true)
		}
		for range 9 {
			wait(false)
		}
		l.succeeded()
		wg.Wait()
		want := []bool{false, false, false, false, true, false, false, false, false, true, false}
		for i := range want {
			if order[i] != want[i] {
				t.Fatalf("got polls at %v, want %v", order, want)
			}
		}
	})
}

func TestLimiterKeepsNoPermitOfThoseWhoLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2)
		for range 2 {
			if err := l.acquire(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := l.acquire(ctx, true); err == nil {
					l.succeeded()
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
			})
		}
		synctest.Wait()
		if _, waiting, _ := l.state(); waiting != 50 {
			t.Errorf("got %d waiting, want 50", waiting)
		}
		wg.Go(cancel)
		l.succeeded()
		l.succeeded()
		wg.Wait()
		if inFlight, waiting, _ := l.state(); inFlight != 0 || waiting != 0 {
			t.Errorf("got %d in flight and %d waiting, want none", inFlight, waiting)
		}
	})
}

func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.on("list_accounts", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			p.usual(w, r, "list_accounts")
		})
		c := p.client(t, func(config *Config) { config.MaxConcurrent = 5 })
		user := c.User("u")
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := c.Accounts(t.Context(), user, 7); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if p.highest != 5 {
			t.Errorf("got %d calls at once, want 5", p.highest)
		}
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	report := func(t *testing.T, b *breaker, signs ...sign) {
		t.Helper()
		for _, s := range signs {
			turn, _, ok := b.admit()
			if !ok {
				t.Fatalf("the breaker admits nothing, want it closed")
			}
			b.report(turn, s)
		}
	}
	repeat := func(n int, s ...sign) (all []sign) {
		for range n {
			all = append(all, s...)
		}
		return all
	}
	for name, test := range map[string]struct {
		signs []sign
		open  bool
	}{
		"nothing":                         {nil, false},
		"single failure":                  {[]sign{failing}, false},
		"few failures":                    {repeat(breakerCalls-1, failing), false},
		"many failures":                   {repeat(breakerCalls, failing), true},
		"half of many":                    {repeat(breakerCalls/2, healthy, failing), true},
		"a third of many":                 {repeat(breakerCalls, healthy, healthy, failing), false},
		"down, but not often enough":      {repeat(breakerInARow-1, down), false},
		"down with nothing healthy":       {repeat(breakerInARow, down), true},
		"down, failing among it":          {append(repeat(breakerInARow-1, down, failing), down), true},
		"down, healthy in between":        {repeat(4, down, down, healthy, healthy, healthy), false},
		"callers who left are no failure": {repeat(100, unknown), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker()
				report(t, b, test.signs...)
				_, wait, ok := b.admit()
				if ok == test.open {
					t.Fatalf("got admitted %v, want %v", ok, !test.open)
				}
				if test.open && wait != breakerDelay {
					t.Errorf("got wait %s, want %s", wait, breakerDelay)
				}
			})
		})
	}
}

func TestBreakerProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		var late []int // turns of calls that are under way when it opens
		for range breakerInARow {
			turn, _, _ := b.admit()
			late = append(late, turn)
		}
		for _, turn := range late {
			b.report(turn, down)
		}
		straggler := late[0]
		for _, result := range []sign{down, unknown, failing} {
			time.Sleep(breakerDelay)
			turn, _, ok := b.admit()
			if !ok {
				t.Fatal("no probe after the delay")
			}
			if _, wait, ok := b.admit(); ok || wait != breakerProbeGap {
				t.Fatalf("while the probe is out: got admitted %v, wait %s, want a wait of %s", ok, wait, breakerProbeGap)
			}
			b.report(straggler, healthy) // began before the outage
			if b.state() != circuitbreaker.HalfOpenState {
				t.Fatal("an old call's success closed the breaker")
			}
			b.report(turn, result)
			if b.state() != circuitbreaker.OpenState {
				t.Fatalf("got state %s after a probe without success, want open", b.state())
			}
		}
		time.Sleep(breakerDelay)
		turn, _, _ := b.admit()
		b.report(turn, healthy)
		if b.state() != circuitbreaker.ClosedState {
			t.Errorf("got state %s after a good probe, want closed", b.state())
		}
		b.report(straggler, down)
		if _, _, ok := b.admit(); !ok {
			t.Error("got nothing admitted after a good probe")
		}
	})
}

func TestOutageHoldsCallsAndOneProbeEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		log := &lines{}
		c := p.client(t, func(config *Config) { config.Logger = slog.New(log) })
		user := c.User("u")
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", answer(503, "<html>canary</html>"))
		p.on("ping_webform", answer(503, "<html>canary</html>"))
		started, before := time.Now(), p.count("get_form")
		var errs int
		for time.Since(started) < 10*time.Minute {
			err := readForm(t.Context(), c, user)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if errs++; errs >= breakerInARow && e.Class != ClassUnavailable {
				t.Fatalf("got class %q, want %q", e.Class, ClassUnavailable)
			}
			time.Sleep(max(e.RetryAfter, 100*time.Millisecond))
		}
		// A probe every five seconds.
		if got := p.count("get_form") - before; got > breakerInARow+10*60/5+1 {
			t.Errorf("got %d calls in ten minutes, want at most one in five seconds", got)
		}
		if got := p.count("ping_webform"); got > 10*60/5+1 {
			t.Errorf("got %d pings in ten minutes, want at most one in five seconds", got)
		}
		p.on("get_form", nil)
		healed := time.Now()
		for readForm(t.Context(), c, user) != nil {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(healed); took > breakerDelay {
			t.Errorf("got the first success %s after the end of the outage, want at most %s", took, breakerDelay)
		}
		if log.count("breaker opened") != 1 || log.count("breaker closed") != 1 {
			t.Errorf("got log %q, want opened and closed once", log.text)
		}
	})
}

func TestSlowDown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header   string
		min, max time.Duration
	}{
		"C34 seconds":                      {"20", 20 * time.Second, 22 * time.Second},
		"C34 date":                         {time.Date(2000, 1, 1, 0, 0, 30, 0, time.UTC).Format(http.TimeFormat), 30 * time.Second, 33 * time.Second},
		"C34 C40 date, clock a day ahead":  {time.Date(2000, 1, 2, 0, 0, 30, 0, time.UTC).Format(http.TimeFormat), maxRetryAfter, maxRetryAfter},
		"C34 absurd":                       {"1000000000", maxRetryAfter, maxRetryAfter},
		"C34 too long":                     {strconv.Itoa(1<<62) + "0", pauseFirst, 2 * pauseFirst},
		"C34 negative":                     {"-1", pauseFirst, 2 * pauseFirst},
		"C34 text":                         {"soon", pauseFirst, 2 * pauseFirst},
		"none":                             {"", pauseFirst, 2 * pauseFirst},
		"C34 C40 date, clock a day behind": {time.Date(1999, 12, 31, 0, 0, 30, 0, time.UTC).Format(http.TimeFormat), pauseFirst, 2 * pauseFirst},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01
				p := newProvider()
				c := p.client(t)
				user := c.User("u")
				if err := readForm(t.Context(), c, user); err != nil {
					t.Fatal(err)
				}
				p.on("get_form", func(w http.ResponseWriter, _ *http.Request) {
					if test.header != "" {
						w.Header().Set("Retry-After", test.header)
					}
					reply(w, 429, "")
				})
				e := wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeSlowDown)
				if e.Status != 429 || e.RetryAfter < test.min || e.RetryAfter > test.max {
					t.Fatalf("got status %d and retry after %s, want 429 and %s to %s", e.Status, e.RetryAfter, test.min, test.max)
				}
				// The whole provider is left alone, not this call only.
				before := p.total()
				time.Sleep(e.RetryAfter - time.Millisecond)
				_, err := c.Accounts(t.Context(), user, 7)
				held := wantError(t, err, ClassUnavailable, CodeSlowDown)
				if held.RetryAfter <= 0 || held.RetryAfter > time.Millisecond {
					t.Errorf("got retry after %s, want what is left of the pause", held.RetryAfter)
				}
				if got := p.total(); got != before {
					t.Errorf("got %d calls during the pause, want none", got-before)
				}
				time.Sleep(time.Millisecond)
				if _, err := c.Accounts(t.Context(), user, 7); err != nil {
					t.Errorf("after the pause: %v", err)
				}
			})
		})
	}
}

func TestSlowDownWithoutAdviceGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		user := c.User("u")
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", answer(429, ""))
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			e := wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeSlowDown)
			if low, high := want*time.Second, want*time.Second*11/10; e.RetryAfter < low || e.RetryAfter > high {
				t.Errorf("got a pause of %s, want %s to %s", e.RetryAfter, low, high)
			}
			time.Sleep(e.RetryAfter)
		}
		p.on("get_form", nil)
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", answer(429, ""))
		if e := wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeSlowDown); e.RetryAfter > 2*time.Second {
			t.Errorf("got a pause of %s after a success, want to begin anew", e.RetryAfter)
		}
	})
}

// TestSlowDownOfOneUserIsBounded: who alone is slowed down again and again, while
// others are served, is not held for ever.
func TestSlowDownOfOneUserIsBounded(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]http.HandlerFunc{
		"too many": answer(429, ""),
		"not now":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "3"); reply(w, 503, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.on("list_accounts", slow)
				c := p.client(t)
				user, other := c.User("u"), c.User("v")
				accounts := func() error { _, err := c.Accounts(t.Context(), user, 7); return err }
				slowed := func(class Class) *Error {
					t.Helper()
					e, ok := errors.AsType[*Error](accounts())
					if !ok || e.Class != class || e.RetryAfter <= 0 {
						t.Fatalf("got %v, want class %q and a time to try again", e, class)
					}
					time.Sleep(e.RetryAfter)
					return e
				}
				serve := func(user User) {
					t.Helper()
					if _, err := c.Connection(t.Context(), user, 7); err != nil {
						t.Fatal(err)
					}
				}
				for range 3 { // nobody is served
					slowed(ClassUnavailable)
				}
				if err := readForm(t.Context(), c, other); err != nil { // nor by that host
					t.Fatal(err)
				}
				slowed(ClassUnavailable)
				serve(other)
				slowed(ClassRetry)
				slowed(ClassUnavailable) // nobody was served since
				serve(user)
				slowed(ClassRetry) // even if it was the user, with something else
				p.on("list_accounts", nil)
				if err := accounts(); err != nil {
					t.Fatal(err)
				}
				p.on("list_accounts", slow)
				slowed(ClassUnavailable) // it begins anew
				spent, err := repeat(t, 2*time.Hour, func() error {
					_, _ = c.Connection(t.Context(), other, 7)
					return accounts()
				})
				if err == nil || spent < engineBudget {
					t.Errorf("among others: got %s spent in two hours and %v, want more than %s", spent, err, engineBudget)
				}
				p.on("list_accounts", nil)
				if err := accounts(); err != nil {
					t.Fatal(err)
				}
				p.on("list_accounts", slow)
				if spent, _ := repeat(t, maxPutOff, accounts); spent > time.Minute {
					t.Errorf("alone: got %s spent in %s, want next to nothing", spent, maxPutOff)
				}
				if spent, err := repeat(t, 2*time.Hour, accounts); err == nil || spent < engineBudget {
					t.Errorf("alone, then: got %s spent in two hours and %v, want more than %s", spent, err, engineBudget)
				}
			})
		})
	}
}

// TestNotAvailableUntil: a 503 that says until when is obeyed as a 429 is.
func TestNotAvailableUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		user := c.User("u")
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			reply(w, 503, "")
		})
		e := wantError(t, readForm(t.Context(), c, user), ClassUnavailable, CodeUnknownErrorAnswer)
		if e.Status != 503 || e.RetryAfter < time.Minute || e.RetryAfter > 66*time.Second {
			t.Errorf("got status %d and retry after %s, want 503 and about a minute", e.Status, e.RetryAfter)
		}
		before := p.total()
		time.Sleep(59 * time.Second)
		_, err := c.Accounts(t.Context(), user, 7)
		wantError(t, err, ClassUnavailable, CodeSlowDown)
		if got := p.total(); got != before {
			t.Errorf("got %d calls during the pause, want none", got-before)
		}
	})
}

func TestManyRefusalsTogetherAreOnePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, slog.New(slog.DiscardHandler))
		for range 10 {
			if got := g.slowDown(0); got > 2*pauseFirst {
				t.Errorf("got a pause of %s, want about %s", got, pauseFirst)
			}
		}
	})
}

func TestWhatOpensTheBreaker(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		open    bool
	}{
		"errors":                 {answer(500, accessError("UNEXPECTED_ERROR")), true},
		"pages of a gateway":     {answer(200, "<html></html>"), true},
		"redirects":              {answer(302, ""), true},
		"names twice":            {answer(200, `{"id":7,"id":7}`), true}, // which JSON forbids
		"answers of other types": {answer(200, `{"id":"seven"}`), false},
		"answers without fields": {answer(200, `{"id":7}`), false},
		"busy":                   {answer(423, accessError("LOCKED")), false},
		"gone":                   {answer(404, accessError("UNKNOWN_ENTITY")), false},
		"refused":                {answer(422, accessError("X")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			p.on("get_connection", test.handler)
			c := p.client(t)
			for range 3 * breakerCalls {
				_, _ = c.Connection(t.Context(), c.User("u"), 7)
			}
			if got := c.gate.breaker.state() == circuitbreaker.OpenState; got != test.open {
				t.Errorf("got the breaker open %v, want %v", got, test.open)
			}
		})
	}
}

func TestContractRefusedIsShown(t *testing.T) {
	t.Parallel()
	p := newProvider()
	c := p.client(t)
	ctx, user := t.Context(), c.User("u")
	shown := func() float64 { return testutil.ToFloat64(c.metrics.contractRefused) }
	p.on("create_form", answer(403, formError("FORBIDDEN")))
	_, err := c.CreateForm(ctx, user, FormRequest{})
	if e := wantError(t, err, ClassUnavailable, "FORBIDDEN"); e.RetryAfter != refusedClientPause {
		t.Errorf("got retry after %s, want %s", e.RetryAfter, refusedClientPause)
	}
	if err := readForm(ctx, c, user); err != nil || shown() != 1 {
		t.Errorf("got %v after a call that needs no contract (%v), want 1", shown(), err)
	}
	p.on("create_form", nil)
	if _, err := c.CreateForm(ctx, user, FormRequest{}); err != nil || shown() != 0 {
		t.Errorf("got %v after a success (%v), want 0", shown(), err)
	}
}

// TestForbiddenReads: to read is refused to all or to one.
func TestForbiddenReads(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"get_form", "get_connection", "list_accounts", "list_transactions"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				c := p.client(t)
				call := func() error { return calls(c, c.User("u"))[op](t.Context()) }
				shown := func() float64 { return testutil.ToFloat64(c.metrics.contractRefused) }
				p.on(op, answer(403, accessError("FORBIDDEN")))
				if e := wantError(t, call(), ClassUnavailable, "FORBIDDEN"); e.RetryAfter != refusedClientPause || shown() != 1 {
					t.Errorf("got retry after %s and %v shown, want %s and 1", e.RetryAfter, shown(), refusedClientPause)
				}
				p.on(op, nil)
				if err := call(); err != nil || shown() != 0 {
					t.Fatalf("got %v and %v shown, want success and 0", err, shown())
				}
				p.on(op, answer(403, accessError("FORBIDDEN")))
				time.Sleep(ownRefusal - time.Second)
				if e := wantError(t, call(), ClassPermanent, "FORBIDDEN"); e.RetryAfter != 0 || shown() != 0 {
					t.Errorf("got retry after %s and %v shown, want this import's own refusal", e.RetryAfter, shown())
				}
				time.Sleep(time.Second)
				wantError(t, call(), ClassUnavailable, "FORBIDDEN")
				p.on(op, answer(403, "<html>canary</html>"))
				wantError(t, call(), ClassRetry, CodeUnknownErrorAnswer)
			})
		})
	}
}
