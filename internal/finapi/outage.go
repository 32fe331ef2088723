package finapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/go-json-experiment/json/jsontext"
)

// DefaultPatience is that of a [Config].
const DefaultPatience = 30 * time.Second

const (
	pingGap     = 5 * time.Second // what a ping told is believed for so long
	pingTimeout = 5 * time.Second
	outagePause = 5 * time.Second // before a call that met an outage is made again
)

// host is one of the provider's two, and how it has been doing.
//
// A failed call is the fault of that call or of the host. While others come
// through nobody asks: it is the call's. But an import that is alone has nobody
// to compare with, and an outage must not use up its attempts. So once nothing
// has come through for a while the host is asked, with a call so plain that it
// can only fail with the host: a ping, which has no token and is answered 401.
//
//	healthy ──failure──▶ failing ──patience over or breaker open──▶ ping
//	   ▲                    │                                       ▲  │
//	   ├── healthy answer ──┘                                  next │  │
//	   ├── it answers: the call's own fault ◀───────────────────────│──┤
//	   │                                                    failure │  │
//	   └── healthy answer ─── down: calls are unavailable ──────────┘◀─┘
type host struct {
	name   string    // in logs
	op     operation // of its ping
	path   string    // of its ping
	log    *slog.Logger
	turn   chan struct{} // holds one value; who has put it in may ping
	wishes wishes

	mu    sync.Mutex // guards all below; never held while waiting
	since time.Time  // first failure since the last healthy answer; zero: none
	asked time.Time  // when the last ping ended
	down  bool       // what it told
}

func newHosts(log *slog.Logger) (access, webForm *host) {
	newHost := func(name string, op operation, path string) *host {
		return &host{
			name: name, op: op, path: path, log: log, turn: make(chan struct{}, 1),
			wishes: wishes{off: make(map[wish]putOff)},
		}
	}
	return newHost("access", opPingAccess, "/api/v2/clientConfiguration"), newHost("webform", opPingWebForm, formsPath)
}

// host is where a call goes.
func (c *Client) host(op operation) *host {
	if op.onWebForm() {
		return c.webFormHost
	}
	return c.accessHost
}

// answered notes an answer that only a healthy host gives.
func (h *host) answered() {
	h.mu.Lock()
	was := h.down
	h.since, h.asked, h.down = time.Time{}, time.Time{}, false
	h.mu.Unlock()
	if was {
		h.log.Info("provider is back", "host", h.name)
	}
}

// failed notes a failure, and returns how long there have been only such.
func (h *host) failed() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.since.IsZero() {
		h.since = now
	}
	return now.Sub(h.since)
}

// told is what the last ping told, while that is believed.
func (h *host) told() (down, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down, !h.asked.IsZero() && time.Since(h.asked) < pingGap
}

// heard notes what a ping told.
func (h *host) heard(healthy bool) {
	if healthy {
		h.answered()
	}
	h.mu.Lock()
	was := h.down
	h.asked, h.down = time.Now(), !healthy
	h.mu.Unlock()
	if !healthy && !was {
		h.log.Warn("provider is down: calls that fail are held and not counted", "host", h.name)
	}
}

// blame decides whose fault a failed call is, and makes it unavailable where it
// is the host's.
func (c *Client) blame(ctx context.Context, op operation, f *fault) {
	h := c.host(op)
	if f.health != failing && f.health != down {
		if f.known && !f.strain && f.health == healthy {
			h.answered()
		}
		return
	}
	silent := h.failed()
	if f.Class != ClassRetry || (silent < c.patience && c.gate.breaker.state() == circuitbreaker.ClosedState) {
		return
	}
	if c.isDown(ctx, h) {
		f.Class = ClassUnavailable
		if f.RetryAfter == 0 {
			f.RetryAfter = outagePause
		}
	}
}

// isDown asks the host how it is. However many ask, one ping is under way and
// all believe what it tells. It is false where ctx ended first.
func (c *Client) isDown(ctx context.Context, h *host) bool {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return false
	}
	if down, ok := h.told(); ok {
		return down
	}
	healthy := c.ping(ctx, h)
	if ctx.Err() != nil {
		return false // nothing was learnt
	}
	h.heard(healthy)
	return !healthy
}

// ping reports whether the provider answers in its own words. It passes by the
// breaker, which is why it is asked, and by the limiter and pauses: there is one
// in five seconds.
func (c *Client) ping(ctx context.Context, h *host) bool {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var answer jsontext.Value
	started := time.Now()
	status, f := c.send(ctx, request{
		op: h.op, method: http.MethodGet, path: h.path,
		answer: &answer, check: func() problem { return "" },
	})
	code := ""
	switch {
	case f != nil && f.broken && caller.Err() != nil:
		status, code = 0, labelGone
	case f != nil && f.broken:
		status, code = 0, f.Code
	case f != nil && f.slowDown():
		c.gate.slowDown(f.RetryAfter)
	}
	c.metrics.sent(h.op, status, code, time.Since(started))
	return f != nil && f.known && !f.strain && f.health == healthy
}
