package simulator_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// receiver is where callbacks go: a host that exists only in the simulator's settings.
type receiver struct {
	t    *testing.T
	url  string
	got  chan received
	dial map[string]string
	ca   *x509.CertPool
}

// received is a callback as it arrived.
type received struct{ method, uri, host, kind, body string }

// listen receives callbacks and answers as told.
func listen(t *testing.T, reply http.HandlerFunc) *receiver {
	t.Helper()
	v := &receiver{t: t, url: "https://example.com/callbacks/finapi/token?state=x", got: make(chan received, 100)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if auth := r.Header.Get("Authorization") + r.Header.Get("Cookie"); auth != "" {
			t.Errorf("the callback proves who sends it: %q", auth)
		}
		v.got <- received{r.Method, r.URL.String(), r.Host, r.Header.Get("Content-Type"), string(body)}
		reply(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that refuse the certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	v.dial = map[string]string{"example.com": server.Listener.Addr().String()}
	v.ca = x509.NewCertPool()
	v.ca.AddCert(server.Certificate())
	return v
}

func (v *receiver) config() simulator.Config {
	return simulator.Config{CallbackDial: v.dial, CallbackCA: v.ca, CallbackWorkers: 1}
}

func (v *receiver) request() string {
	return `{"bank":{"id":280001},"callbacks":{"finalised":"` + v.url + `"}}`
}

// next waits for a callback, which must be about this form.
func (v *receiver) next(f webForm, status string) {
	v.t.Helper()
	v.nextBody(fmt.Sprintf(`{"status":%q,"webFormId":%q}`, status, f.ID))
}

// nextBody waits for a callback, which must say this.
func (v *receiver) nextBody(body string) {
	v.t.Helper()
	want := received{"POST", "/callbacks/finapi/token?state=x", "example.com", "application/json", body}
	select {
	case got := <-v.got:
		if got != want {
			v.t.Errorf("got  %+v\nwant %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		v.t.Fatalf("no callback, want %s", want.body)
	}
}

func (v *receiver) nothing() {
	v.t.Helper()
	select {
	case got := <-v.got:
		v.t.Errorf("got %+v, want no callback", got)
	default:
	}
}

// outcome waits until a form's callbacks have arrived or failed.
func (a *apis) outcome(f webForm) string {
	a.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		outcomes := a.outcomesNow(f)
		if !strings.Contains(outcomes, "waiting") {
			return outcomes
		}
		select {
		case <-tick.C:
		case <-deadline:
			a.t.Fatalf("callbacks of form %s: %s", f.ID, outcomes)
		}
	}
}

func (a *apis) outcomesNow(f webForm) string {
	a.t.Helper()
	for _, r := range a.Journal().Forms {
		if r.ID != f.ID {
			continue
		}
		var all []string
		for _, c := range r.Callbacks {
			all = append(all, c.Status+" "+c.Outcome)
		}
		return strings.Join(all, ", ")
	}
	a.t.Fatalf("no form %s in the journal", f.ID)
	return ""
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// Every end of a form is told once, except a cancel.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	a := newAPIs(t, v.config())
	token := a.user("u")
	refused := a.form(token, v.request())
	a.open(refused).says("login", "login=x&password=x").says("login", "login=x&password=x").says("login", "login=x&password=x")
	v.next(refused, "COMPLETED_WITH_ERROR")

	aborted := a.form(token, v.request())
	a.open(aborted).aborts()
	v.next(aborted, "ABORTED")

	cancelled, deleted, silent := a.form(token, v.request()), a.form(token, v.request()), a.form(token, testBank)
	a.post("/api/webForms/"+cancelled.ID+"/cancel", token, "").want(200)
	a.delete("/api/webForms/"+deleted.ID, token).want(200)
	a.open(silent).aborts()

	completed := a.form(token, v.request())
	a.open(completed).connects()
	v.next(completed, "COMPLETED")

	expired := a.form(token, v.request())
	a.clock.Advance(20 * time.Minute) // nobody looks at it
	v.next(expired, "EXPIRED")

	for _, tt := range []struct {
		form webForm
		want string
	}{
		{refused, "COMPLETED_WITH_ERROR 200"},
		{aborted, "ABORTED 200"}, {cancelled, ""}, {silent, ""}, {completed, "COMPLETED 200"}, {expired, "EXPIRED 200"},
	} {
		if got := a.outcome(tt.form); got != tt.want {
			t.Errorf("callbacks %q, want %q", got, tt.want)
		}
	}
	v.nothing()
}

// Whatever the receiver answers, that was the one try.
func TestCallbackAnswersAreIgnored(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply http.HandlerFunc
		want  string
	}{
		"error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "ABORTED 500"},
		"busy":  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "0"); w.WriteHeader(503) }, "ABORTED 503"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "ABORTED 307"},
		"much text": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long(1<<20)) }, "ABORTED 200"},
		"broken":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "ABORTED failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := listen(t, tt.reply)
			a := newAPIs(t, v.config())
			token := a.user("u")
			f := a.form(token, v.request())
			a.open(f).aborts()
			v.next(f, "ABORTED")
			if got := a.outcome(f); got != tt.want {
				t.Errorf("callbacks %q, want %q", got, tt.want)
			}
			if got := a.formNow(token, f.ID).Status; got != "ABORTED" {
				t.Errorf("form %s, want ABORTED", got)
			}
			// With one worker a second try would come before this.
			next := a.form(token, v.request())
			a.open(next).aborts()
			v.next(next, "ABORTED")
			v.nothing()
		})
	}
}

func TestCallbackModes(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	config := v.config()
	config.Callbacks = simulator.DropCallbacks
	a := newAPIs(t, config)
	token := a.user("u")
	end := func() webForm {
		f := a.form(token, v.request())
		a.open(f).aborts()
		return f
	}
	lost := end()
	if got := a.outcomesNow(lost); got != "ABORTED lost" {
		t.Errorf("callbacks %q, want one that is lost", got)
	}
	if err := a.SetCallbacks(simulator.DoubleCallbacks); err != nil {
		t.Fatal(err)
	}
	double := end()
	v.next(double, "ABORTED")
	v.next(double, "ABORTED")
	if got := a.outcome(double); got != "ABORTED 200, ABORTED 200" {
		t.Errorf("callbacks %q, want two", got)
	}
	if err := a.SetCallbacks(simulator.DeliverCallbacks); err != nil {
		t.Fatal(err)
	}
	v.next(end(), "ABORTED")
	for _, mode := range []simulator.CallbackMode{"", "never"} {
		if err := a.SetCallbacks(mode); err == nil {
			t.Errorf("mode %q: no error", mode)
		}
	}
	v.next(end(), "ABORTED") // still once
	v.nothing()
}

// A callback can come late by the clock.
func TestCallbackDelay(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	config := v.config()
	config.CallbackDelay = 5 * time.Minute
	a := newAPIs(t, config)
	f := a.form(a.user("u"), v.request())
	a.open(f).aborts()
	a.clock.Advance(5*time.Minute - 1)
	if got := a.outcomesNow(f); got != "ABORTED waiting" {
		t.Errorf("callbacks %q before their time", got)
	}
	v.nothing()
	a.clock.Advance(1)
	v.next(f, "ABORTED")
	if got := a.outcome(f); got != "ABORTED 200" {
		t.Errorf("callbacks %q, want one that arrived", got)
	}
}

func TestCallbackThatNobodyTakes(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	dead := httptest.NewServer(nil)
	dead.Close()
	hanging := make(chan struct{})
	hangs := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hanging:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hanging) })
	for name, config := range map[string]simulator.Config{
		"nobody listens":           {CallbackDial: map[string]string{"example.com:443": dead.Listener.Addr().String()}, CallbackCA: v.ca},
		"unknown authority":        {CallbackDial: v.dial, CallbackCA: x509.NewCertPool()},
		"no answer in time":        {CallbackDial: hangs.dial, CallbackCA: hangs.ca, CallbackTimeout: 50 * time.Millisecond},
		"port goes before hosts":   {CallbackDial: map[string]string{"example.com": v.dial["example.com"], "example.com:443": dead.Listener.Addr().String()}, CallbackCA: v.ca},
		"not TLS where TLS should": {CallbackDial: map[string]string{"example.com": plain(t)}, CallbackCA: v.ca},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, config)
			token := a.user("u")
			f := a.form(token, v.request())
			a.open(f).connects()
			if got := a.outcome(f); got != "COMPLETED failed" {
				t.Errorf("callbacks %q, want one that failed", got)
			}
			if got := a.formNow(token, f.ID).Status; got != "COMPLETED" {
				t.Errorf("form %s, want COMPLETED all the same", got)
			}
		})
	}
}

func plain(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(ok))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// The certificate must be that of the host in the URL, wherever it is dialled.
func TestCallbackChecksTheHost(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	config := v.config()
	config.CallbackDial = map[string]string{"bridge.example": v.dial["example.com"]}
	a := newAPIs(t, config)
	f := a.form(a.user("u"), `{"callbacks":{"finalised":"https://bridge.example/x"}}`)
	a.open(f).aborts()
	if got := a.outcome(f); got != "ABORTED failed" {
		t.Errorf("callbacks %q, want a refused certificate", got)
	}
	v.nothing()
}

// Close interrupts what is on its way and does not wait for what is to come.
func TestCloseEndsCallbacks(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	v := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	config := v.config()
	config.CallbackTimeout = time.Hour
	a := newAPIs(t, config)
	token := a.user("u")
	hangs, waits := a.form(token, v.request()), a.form(token, v.request())
	a.open(hangs).aborts()
	v.next(hangs, "ABORTED")
	a.open(waits).aborts()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	<-gone
	v.nothing()
	if got := a.outcomesNow(waits); got != "ABORTED waiting" && got != "ABORTED failed" { // seen by the worker on its way out
		t.Errorf("callbacks %q, want one that never left", got)
	}
}
