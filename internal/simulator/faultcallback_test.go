package simulator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// calls is a simulator with a receiver, in which a form is aborted under faults.
type calls struct {
	*apis
	v     *receiver
	token string
}

func newCalls(t *testing.T, reply http.HandlerFunc) *calls {
	t.Helper()
	v := listen(t, reply)
	a := newAPIs(t, v.config())
	return &calls{a, v, a.user("u")}
}

func (c *calls) aborts(faults ...string) webForm {
	c.t.Helper()
	f := c.form(c.token, c.v.request())
	c.on(faults...)
	c.open(f).aborts()
	return f
}

// body waits for a callback to the right address and gives its body.
func (c *calls) body() string {
	c.t.Helper()
	select {
	case got := <-c.v.got:
		if got.uri != "/callbacks/finapi/token?state=x" || got.kind != "application/json" {
			c.t.Errorf("got %+v", got)
		}
		return got.body
	case <-time.After(10 * time.Second):
		c.t.Fatal("no callback")
		return ""
	}
}

// told is the callback's body as the contract has it.
func (c *calls) told() (form, status string) {
	c.t.Helper()
	body := c.body()
	var told struct{ WebFormID, Status string }
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		c.t.Fatalf("%v: %s", err, body)
	}
	return told.WebFormID, told.Status
}

func (c *calls) wantOutcome(f webForm, want string) {
	c.t.Helper()
	if got := c.outcome(f); got != want {
		c.t.Errorf("callbacks %q, want %q", got, want)
	}
}

func callbackFaultTests() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"callback-lost": func(t *testing.T) {
			c := newCalls(t, ok)
			c.wantOutcome(c.aborts("callback-lost:count=1"), "ABORTED lost")
			c.v.next(c.aborts(), "ABORTED")
			c.v.nothing()
		},
		"callback-late": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-late:delay=3m")
			c.clock.Advance(3*time.Minute - 1)
			if got := c.outcomesNow(f); got != "ABORTED waiting" {
				t.Errorf("callbacks %q before their time", got)
			}
			c.v.nothing()
			c.clock.Advance(1)
			c.v.next(f, "ABORTED")
		},
		"callback-repeated": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-repeated:n=40")
			for range 40 {
				c.v.next(f, "ABORTED")
			}
			c.wantOutcome(f, strings.TrimSuffix(strings.Repeat("ABORTED 200, ", 40), ", "))
			c.v.nothing()
		},
		"callback-together": func(t *testing.T) {
			var both sync.WaitGroup // nobody is answered before all are there
			both.Add(3)
			c := newCalls(t, func(http.ResponseWriter, *http.Request) {
				both.Done()
				both.Wait()
			})
			f := c.aborts("callback-together:n=3,count=1")
			for range 3 {
				c.v.next(f, "ABORTED")
			}
			c.wantOutcome(f, "ABORTED 200 200 200")
		},
		"callback-early": func(t *testing.T) {
			c := newCalls(t, ok)
			c.on("callback-early:code=EXPIRED,count=1")
			f := c.form(c.token, c.v.request())
			if len(c.v.got) != 1 {
				t.Error("the answer is there before the callback")
			}
			c.v.next(f, "EXPIRED")
			c.wantOutcome(f, "EXPIRED 200")
			c.on("callback-early")
			c.form(c.token, testBank) // has no address for callbacks
			c.asks(c.token, `{"bank":{"id":1}}`).refused(422, "BANK_NOT_SUPPORTED")
			c.v.nothing()
		},
		"callback-unknown-form": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-unknown-form")
			if form, status := c.told(); form == f.ID || len(form) != 36 || status != "ABORTED" {
				t.Errorf("told %s %s of form %s", form, status, f.ID)
			}
		},
		"callback-other-form": func(t *testing.T) {
			c := newCalls(t, ok)
			c.form(c.token, testBank)
			c.clock.Advance(time.Second)
			other := c.form(c.user("v"), testBank)
			f := c.aborts("callback-other-form")
			if form, _ := c.told(); form != other.ID {
				t.Errorf("told of form %s, want %s", form, other.ID)
			}
			c.ClearFaults()
			c.clock.Advance(time.Second)
			c.on("callback-other-form")
			g := c.aborts()
			if form, _ := c.told(); form != f.ID && form != other.ID {
				t.Errorf("told of form %s, want another one than %s", form, g.ID)
			}
		},
		"callback-status": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-status:code=FINISHED")
			if form, status := c.told(); form != f.ID || status != "FINISHED" {
				t.Errorf("told %s %s", form, status)
			}
			c.wantOutcome(f, "FINISHED 200")
		},
		"callback-contradicts": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-contradicts")
			if form, status := c.told(); form != f.ID || status != "COMPLETED" {
				t.Errorf("told %s %s", form, status)
			}
			f = c.form(c.token, c.v.request())
			c.open(f).connects()
			if form, status := c.told(); form != f.ID || status != "ABORTED" {
				t.Errorf("told %s %s", form, status)
			}
		},
		"callback-extra-fields": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-extra-fields")
			sameJSON(t, c.body(), `{"webFormId":"`+f.ID+`","status":"ABORTED","type":"BANK_CONNECTION_IMPORT","payload":{"bankConnectionId":1,"errorCode":null},"addedLater":[1,null]}`)
		},
		"callback-garbage": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-garbage")
			if body := c.body(); json.Valid([]byte(body)) || !strings.Contains(body, f.ID) {
				t.Errorf("told %q", body)
			}
		},
		"callback-huge": func(t *testing.T) {
			c := newCalls(t, ok)
			c.aborts("callback-huge:n=3")
			if body := c.body(); len(body) < 3<<10 || len(body) > 4<<10 || !json.Valid([]byte(body)) {
				t.Errorf("%d bytes, want 3 KiB", len(body))
			}
		},
		"callback-slow": func(t *testing.T) {
			c := newCalls(t, ok)
			begin := time.Now()
			f := c.aborts("callback-slow:delay=60ms")
			c.v.next(f, "ABORTED")
			if took := time.Since(begin); took < 40*time.Millisecond {
				t.Errorf("it took %s", took)
			}
		},
		"callback-forged": func(t *testing.T) {
			c := newCalls(t, ok)
			f := c.aborts("callback-forged")
			select {
			case got := <-c.v.got:
				if got.uri != "/callbacks/finapi/tAAAA?state=x" || got.method != "POST" {
					t.Errorf("got %+v, want one to an address that was guessed", got)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("no callback")
			}
			c.v.next(f, "ABORTED")
			c.wantOutcome(f, "ABORTED 200, ABORTED 200")
		},
	}
}

// Faults of callbacks add up.
func TestCallbackFaultsCombine(t *testing.T) {
	t.Parallel()
	c := newCalls(t, ok)
	f := c.aborts("callback-late:delay=1m", "callback-repeated:n=3", "callback-status:code=EXPIRED")
	c.v.nothing()
	c.clock.Advance(time.Minute)
	for range 3 {
		if form, status := c.told(); form != f.ID || status != "EXPIRED" {
			t.Errorf("told %s %s", form, status)
		}
	}
	if got := c.Journal().Forms[0].Callbacks; len(got) != 3 || got[0].Fault != "callback-repeated" || got[0].Status != "EXPIRED" {
		t.Errorf("journal %+v", got)
	}
}

// Closing does not wait for a callback that takes its time.
func TestCloseEndsSlowCallbacks(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	a := newAPIs(t, v.config())
	f := a.form(a.user("u"), v.request())
	a.on("callback-slow:delay=1h")
	a.open(f).aborts()
	begin := time.Now()
	if err := a.Close(); err != nil || time.Since(begin) > 5*time.Second {
		t.Errorf("closed after %s, %v", time.Since(begin), err)
	}
}
