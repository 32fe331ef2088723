package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	checkTimeout = 2 * time.Second // for all checks of one request
	drainTimeout = time.Second     // for requests that run when serving ends
)

// Config of a [Server].
type Config struct {
	// Registry is what /metrics shows. Metrics of the Go runtime and of the
	// process are added to it. Required.
	Registry *prometheus.Registry
	// Logger takes what goes wrong while serving. Default: none.
	Logger *slog.Logger
}

// Server answers
//
//	GET /livez         200 as long as the process can answer at all
//	GET /readyz        200 when every check passes; else 503, and why, a line each
//	GET /metrics       for Prometheus
//	GET /debug/pprof/  profiles, to callers on this machine only
//
// Checks are added before it serves.
type Server struct {
	config   Config
	checks   []check
	stopping atomic.Bool
}

type check struct {
	name string
	test func(context.Context) error
}

// New returns a server that has no checks yet: it is ready at once.
func New(config Config) *Server {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	config.Registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return &Server{config: config}
}

// Check adds a condition for being ready. It must return soon after its context
// has ended, may be called by several goroutines at once, and its error is shown
// to whoever asks.
func (s *Server) Check(name string, test func(context.Context) error) {
	s.checks = append(s.checks, check{name, test})
}

// Stopping makes /readyz say no from now on, so that nobody sends new work.
func (s *Server) Stopping() { s.stopping.Store(true) }

// Serve answers on the listener, which it closes, until ctx ends; then it
// returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve health and metrics on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if server.Shutdown(drain) != nil {
		server.Close()
	}
	<-ended
	return nil
}

// Handler is what Serve serves.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Registry, promhttp.HandlerOpts{
		Registry: s.config.Registry,
		ErrorLog: slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelError),
		// One metric that cannot be read must not hide all the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	}))
	mux.Handle("GET /debug/pprof/", fromHere(http.HandlerFunc(pprof.Index)))
	mux.Handle("GET /debug/pprof/profile", fromHere(http.HandlerFunc(pprof.Profile)))
	mux.Handle("GET /debug/pprof/trace", fromHere(http.HandlerFunc(pprof.Trace)))
	return mux
}

// ready runs all checks at once, so that one that hangs hides no other.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	results := make([]chan error, len(s.checks))
	for i, c := range s.checks {
		results[i] = make(chan error, 1)
		go func() { results[i] <- c.test(ctx) }()
	}
	var failed error
	if s.stopping.Load() {
		failed = errors.New("the process is stopping")
	}
	for i, c := range s.checks {
		// The contract says that a check returns: it is waited for.
		if err := <-results[i]; err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	if failed != nil {
		http.Error(w, failed.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// fromHere lets only callers on this machine through: profiles contain what is
// in memory.
func fromHere(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || !ip.IsLoopback() {
			http.Error(w, "profiles are for callers on this machine only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
