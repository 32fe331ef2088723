package bridge

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
)

const (
	// Path is where callbacks come in; the token follows.
	Path = "/callbacks/finapi/"

	// route is what the log shows in place of the path.
	route = "POST " + Path + "{token}"

	// maxBody is far more than the provider sends.
	maxBody = 4 << 10

	// After a refusal this much is read on: a connection that is closed with
	// bytes unread is reset, and the reset can overtake the answer.
	maxLeftover  = 1 << 20
	leftoverTime = 500 * time.Millisecond
)

// Bridge is the handler of callbacks. It is safe for concurrent use.
type Bridge struct {
	config    Config
	metrics   *metrics
	publisher *publisher
	room      chan struct{} // one for each request with a good token
}

// New returns a bridge. Nothing is listened on until [Bridge.Serve]; used as a
// handler elsewhere, the bridge is ended with [Bridge.Close].
func New(c Config) (*Bridge, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	return &Bridge{
		config:    c,
		metrics:   m,
		publisher: newPublisher(c),
		room:      make(chan struct{}, c.MaxRequests),
	}, nil
}

// ServeHTTP implements [http.Handler].
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	e := b.handle(w, r)
	took := time.Since(begin)
	b.metrics.count(e.outcome, took)

	level := slog.LevelDebug
	if e.outcome.lost() {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("route", route), slog.String("outcome", string(e.outcome)), slog.Duration("took", took)}
	if e.token.ImportID != "" {
		attrs = append(attrs, slog.String("import_id", e.token.ImportID), slog.Int("run", e.token.Run))
	}
	if e.err != nil {
		attrs = append(attrs, slog.Any("err", e.err))
	}
	b.config.Logger.LogAttrs(r.Context(), level, "callback", attrs...)
}

// ending is how a request ended.
type ending struct {
	outcome outcome
	token   callback.Token // empty unless it opened
	err     error          // why the hint is not published
}

// handle answers the request.
func (b *Bridge) handle(w http.ResponseWriter, r *http.Request) (e ending) {
	refuse := func(status int, o outcome) ending {
		b.refuse(w, r, status)
		return ending{outcome: o, token: e.token, err: e.err}
	}
	defer func() {
		// The server would log what panicked, with whatever is in it.
		if recover() != nil {
			e = refuse(http.StatusInternalServerError, outcomePanic)
		}
	}()
	// The token's characters need no escaping, so the path as it was sent is
	// compared: nothing is cleaned, decoded or redirected.
	sealed, ours := strings.CutPrefix(r.URL.EscapedPath(), Path)
	if !ours {
		return refuse(http.StatusNotFound, outcomeNotFound)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, outcomeBadMethod)
	}
	token, err := b.config.Opener.Open(sealed, b.config.Now())
	if err != nil {
		return refuse(http.StatusNotFound, outcomeBadToken)
	}
	e.token = token
	select {
	case b.room <- struct{}{}:
		defer func() { <-b.room }()
	default:
		return refuse(http.StatusServiceUnavailable, outcomeOverloaded)
	}

	h := newHint(token)
	body, err := readBody(w, r)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return refuse(http.StatusRequestEntityTooLarge, outcomeTooLarge)
	}
	if err == nil { // else it came too slowly, or not at all: still a hint
		h.read(body)
	}
	if h.formID == "" {
		b.metrics.withoutForm.Inc()
	}
	repeated, err := b.publisher.publish(h)
	if err != nil {
		e.err = err
		if errors.Is(err, errOverloaded) {
			return refuse(http.StatusServiceUnavailable, outcomeOverloaded)
		}
		return refuse(http.StatusServiceUnavailable, outcomeUnavailable)
	}
	b.extendAnswer(w)
	w.WriteHeader(http.StatusOK)
	e.outcome = outcomePublished
	if repeated {
		e.outcome = outcomeRepeated
	}
	return e
}

// readBody reads at most maxBody. Its error is an *[http.MaxBytesError] only
// for a body that is larger.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

// refuse answers with a status and nothing else, in the same way for all
// requests that get this status. Nobody who is refused may use the connection
// again, or keep it.
func (b *Bridge) refuse(w http.ResponseWriter, r *http.Request, status int) {
	b.extendAnswer(w)
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex() // else the server reads the rest before it answers
		if c.SetReadDeadline(time.Now().Add(leftoverTime)) == nil {
			defer func() {
				_ = c.Flush()
				_, _ = io.CopyN(io.Discard, r.Body, maxLeftover)
			}()
		}
	}
	http.Error(w, http.StatusText(status), status)
}

// extendAnswer gives the answer its time, however long the request took.
func (b *Bridge) extendAnswer(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(b.config.AnswerTimeout)) // as above
}
