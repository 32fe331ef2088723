package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const (
	maxBody      = 1 << 20
	maxRequestID = 255
)

// operation is one call of the provider's APIs.
type operation struct {
	name    string // in the journal
	dialect dialect
	needs   tokenKind
	do      func(*call) (status int, body any, no *refusal)
}

// call is one request to an operation.
type call struct {
	r         *http.Request
	now       time.Time
	requestID string
	english   bool
	token     *token // nil only where an operation needs none
}

// user is whose token it is. It is nil for the client's.
func (c *call) user() *user { return c.token.user }

func (c *call) endpoint() string { return c.r.Method + " " + c.r.URL.Path }

// authContext names the client and the user that a call was made for.
func (c *call) authContext() string {
	if c.token != nil && c.token.user != nil {
		return "client/" + c.token.user.id
	}
	return "client/-"
}

// serve makes a handler of an operation: request id, token, answer, journal.
// Faults make it fail before, instead of or after the real thing.
func (s *Simulator) serve(o operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{r: r, now: s.clock.Now(), english: speaksEnglish(r.Header.Get("Accept-Language"))}
		if c.requestID = r.Header.Get("X-Request-Id"); c.requestID == "" || len(c.requestID) > maxRequestID {
			c.requestID = uuid.NewString()
		}
		if s.faults.none() {
			s.reply(w, c, o)
			return
		}
		s.meddle(w, c, o, s.targetOf(c, o), s.kinds)
	})
}

// reply is the real thing.
func (s *Simulator) reply(w http.ResponseWriter, c *call, o operation) {
	status, body, no := s.answer(c, o)
	if no != nil {
		status, body = no.status, o.dialect.body(c, no)
	}
	w.Header().Set("X-Request-Id", c.requestID)
	s.calls.add(o.name, status)
	s.writeJSON(w, o.name, status, body)
}

func (s *Simulator) answer(c *call, o operation) (status int, body any, no *refusal) {
	if len(c.r.Header.Get("X-Request-Id")) > maxRequestID {
		no = badRequest("X-Request-Id ist länger als 255 Zeichen.", "X-Request-Id is longer than 255 characters.")
		no.fields = []api.FormInvalidField{{Field: "X-Request-Id", Message: no.en}}
		return 0, nil, no
	}
	if no := s.authenticate(c, o.needs); no != nil {
		return 0, nil, no
	}
	s.catchUp(c.now)
	return o.do(c)
}

func speaksEnglish(acceptLanguage string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(acceptLanguage)), "en")
}

func (s *Simulator) writeJSON(w http.ResponseWriter, operation string, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil { // a bug: every body is made here
		s.log.Error("encode answer", "operation", operation, "err", err)
		http.Error(w, "the simulator could not write its answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := b.WriteTo(w); err != nil {
		s.log.Debug("answer was not read to its end", "operation", operation, "err", err)
	}
}

// body reads a request's body of the given type.
func (c *call) body(mediaType string) ([]byte, *refusal) {
	if got, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || got != mediaType {
		return nil, refuse(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE",
			"Erwartet wird "+mediaType+".", "The body must be "+mediaType+".")
	}
	b, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, badRequest("Die Anfrage ist zu groß.", "The request is too large.")
	}
	if err != nil {
		return nil, badRequest("Die Anfrage ist nicht lesbar.", "The request cannot be read.")
	}
	return b, nil
}

// accessTime is an instant as Access writes it, in German time.
func accessTime(t time.Time) api.Time { return api.Time{Time: t.In(bankTime())} }

// formTime is an instant as Web Form writes it.
func formTime(t time.Time) api.FormInstant { return api.FormInstant{Time: t.UTC()} }
