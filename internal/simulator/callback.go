package simulator

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Callback is what became of one call to a callback URL of a form or a task.
type Callback struct {
	Status string `json:"status"` // that it told, or would have told
	// Outcome is "waiting", "lost" (by a fault), "queue full", "failed" (nobody
	// took it) or the status code of the answer, which the provider ignores.
	Outcome string `json:"outcome"`
	Fault   string `json:"fault,omitempty"` // what was done to it
}

// callbackQueue bounds the callbacks that wait for a worker.
const callbackQueue = 10_000

// callBack sends a callback and records it in the log, as the faults have it. The
// caller holds the mutex.
func (s *Simulator) callBack(t target, first *parcel, log *[]*Callback, at time.Time) {
	first.late, first.copies = s.config.CallbackDelay, 1
	parcels := []*parcel{first}
	s.strike(t, func(k *faultKind) bool { return k.callback != nil }, func(k *faultKind, x Fault) { k.callback(s, x, &parcels) })
	for _, p := range parcels {
		record := &Callback{Status: p.status, Outcome: "waiting", Fault: p.fault}
		*log = append(*log, record)
		if p.lost {
			record.Outcome = "lost"
			continue
		}
		d := p.delivery()
		d.done = func(outcome string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			record.Outcome = outcome
			s.changed()
		}
		// Not from here: done takes the mutex.
		s.agenda.at(at.Add(p.late), func() { s.courier.send(d) })
	}
}

// courier carries callbacks: once each, without proof of who sends them, and
// whatever the answer is.
type courier struct {
	client *http.Client
	log    *slog.Logger
	queue  chan delivery
}

type delivery struct {
	url    string
	body   []byte
	slow   time.Duration // that sending the body takes
	copies int           // that leave at the same time
	done   func(outcome string)
}

func newCourier(c Config) *courier {
	dialer := &net.Dialer{Timeout: c.CallbackTimeout}
	return &courier{
		log: c.Logger, queue: make(chan delivery, callbackQueue),
		client: &http.Client{
			Timeout: c.CallbackTimeout,
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					return dialer.DialContext(ctx, network, redirected(c.CallbackDial, addr))
				},
				TLSClientConfig:     &tls.Config{RootCAs: c.CallbackCA, MinVersion: tls.VersionTLS12},
				MaxIdleConnsPerHost: c.CallbackWorkers,
				IdleConnTimeout:     30 * time.Second,
				ForceAttemptHTTP2:   true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// redirected finds where an address is really dialled. A setting for host and
// port goes before one for the host.
func redirected(dial map[string]string, addr string) string {
	if to, ok := dial[addr]; ok {
		return to
	}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		if to, ok := dial[host]; ok {
			return to
		}
	}
	return addr
}

// send hands a callback to the workers. It never blocks: the clock calls it.
func (c *courier) send(d delivery) {
	select {
	case c.queue <- d:
	default:
		c.log.Warn("callback dropped: too many are waiting", "waiting", callbackQueue)
		d.done("queue full")
	}
}

// work delivers callbacks until ctx ends, which also interrupts them.
func (c *courier) work(ctx context.Context) {
	for {
		select {
		case d := <-c.queue:
			d.done(c.deliver(ctx, d))
		case <-ctx.Done():
			return
		}
	}
}

// deliver sends a callback. The outcome of several copies is that of each.
func (c *courier) deliver(ctx context.Context, d delivery) (outcome string) {
	outcomes := make([]string, max(d.copies, 1))
	var wait sync.WaitGroup
	for i := range outcomes[1:] {
		wait.Go(func() { outcomes[i+1] = c.deliverOne(ctx, d) })
	}
	outcomes[0] = c.deliverOne(ctx, d)
	wait.Wait()
	return strings.Join(outcomes, " ")
}

func (c *courier) deliverOne(ctx context.Context, d delivery) (outcome string) {
	var body io.Reader = bytes.NewReader(d.body)
	if d.slow > 0 {
		body = &trickle{bytes.NewReader(d.body), d.slow / slowSteps, ctx.Done()}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, body)
	if err == nil {
		r.ContentLength = int64(len(d.body))
		r.Header.Set("Content-Type", "application/json")
		outcome, err = c.post(r)
	}
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the URL is a secret
		}
		c.log.Warn("callback not delivered", "err", err)
		return "failed"
	}
	c.log.Debug("callback delivered", "code", outcome)
	return outcome
}

func (c *courier) post(r *http.Request) (code string, err error) {
	answer, err := c.client.Do(r)
	if err != nil {
		return "", err
	}
	// Reading a little keeps the connection usable; what it says does not matter.
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10)
	return strconv.Itoa(answer.StatusCode), answer.Body.Close()
}

func (c *courier) close() { c.client.CloseIdleConnections() }
