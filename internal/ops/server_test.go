package ops_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/bankimport/bankimport/internal/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(h http.Handler, path, from string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestServer_Health(t *testing.T) {
	t.Parallel()
	const here, there = "127.0.0.1:1234", "192.0.2.1:1234"
	fine := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("still restoring") }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tc := range map[string]struct {
		checks   map[string]func(context.Context) error
		stopping bool
		path     string
		from     string
		want     int
		text     string
	}{
		"alive, whatever the checks say": {checks: map[string]func(context.Context) error{"webform": bad}, path: "/livez", want: 200, text: "ok"},
		"ready without checks":           {path: "/readyz", want: 200, text: "ok"},
		"ready":                          {checks: map[string]func(context.Context) error{"webform": fine, "bridge": fine}, path: "/readyz", want: 200, text: "ok"},
		"one check fails":                {checks: map[string]func(context.Context) error{"webform": fine, "accounts": bad}, path: "/readyz", want: 503, text: "accounts: still restoring"},
		"one hangs, the other fails":     {checks: map[string]func(context.Context) error{"bridge": hangs, "accounts": bad}, path: "/readyz", want: 503, text: "accounts: still restoring"},
		"stopping":                       {checks: map[string]func(context.Context) error{"webform": fine}, stopping: true, path: "/readyz", want: 503, text: "stopping"},
		"metrics":                        {path: "/metrics", want: 200, text: "bankimport_test_total 1"},
		"profiles from here":             {path: "/debug/pprof/", want: 200, text: "goroutine"},
		"profiles from elsewhere":        {path: "/debug/pprof/", from: there, want: 403, text: "this machine"},
		"one profile from elsewhere":     {path: "/debug/pprof/heap", from: there, want: 403, text: "this machine"},
		"nothing else":                   {path: "/", want: 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := prometheus.NewRegistry()
			counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "bankimport_test_total", Help: "Of this test."})
			counter.Inc()
			reg.MustRegister(counter)
			s := ops.New(ops.Config{Registry: reg})
			for name, c := range tc.checks {
				s.Check(name, c)
			}
			if tc.stopping {
				s.Stopping()
			}
			if tc.from == "" {
				tc.from = here
			}
			w := ask(s.Handler(), tc.path, tc.from)
			if w.Code != tc.want || !strings.Contains(w.Body.String(), tc.text) {
				t.Errorf("%s: got %d %.200q, want %d with %q", tc.path, w.Code, w.Body, tc.want, tc.text)
			}
		})
	}
}

func TestServer_MetricsPassLint(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	s := ops.New(ops.Config{Registry: reg})
	if w := ask(s.Handler(), "/metrics", "127.0.0.1:1"); !strings.Contains(w.Body.String(), "go_goroutines") {
		t.Error("no metrics of the Go runtime")
	}
	problems, err := testutil.GatherAndLint(reg, "promhttp_metric_handler_errors_total")
	if err != nil || len(problems) > 0 {
		t.Errorf("got %v and problems %v", err, problems)
	}
}

func TestServer_ServesUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ops.New(ops.Config{Registry: prometheus.NewRegistry()}).Serve(ctx, l) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %s, want 200", resp.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("got %v after the context had ended, want nil", err)
	}
	if _, err := client.Get("http://" + l.Addr().String() + "/livez"); err == nil {
		t.Error("it still answers")
	}
}

func TestServer_SaysWhyItCannotServe(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := ops.New(ops.Config{Registry: prometheus.NewRegistry()}).Serve(t.Context(), l); err == nil {
		t.Error("got nil on a closed listener, want an error")
	}
}
