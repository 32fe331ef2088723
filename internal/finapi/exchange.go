package finapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

const (
	maxAnswer      = 8 << 20  // bytes of an answer, unpacked; 500 rows are about 1 MB
	maxErrorAnswer = 64 << 10 // bytes of an error answer that are looked at
)

// request is one call as it is sent.
type request struct {
	op     operation
	method string
	path   string         // below the API's base, escaped
	query  url.Values     // nil: none
	body   any            // sent as JSON; nil: no body
	form   url.Values     // sent as a form instead of body
	bearer Secret         // token; empty: none
	user   string         // id of the user for whom it is; empty: our client
	answer any            // pointer that a 2xx answer is decoded into
	check  func() problem // looks at the decoded answer
}

// problem says what is wrong with an answer, in constant words or names of
// fields; "" is nothing.
type problem string

// foreignFormURL is a form's URL to which no user may be sent.
const foreignFormURL problem = "url is not on the host of BANKIMPORT_FINAPI_WEBFORM_URL"

// exchange makes one call: through the gate, to the provider and back. Every
// error is an *[Error], but for the one that says that ctx ended.
func (c *Client) exchange(ctx context.Context, r request) error {
	p, h, err := c.gate.enter(ctx, r.op.isPoll())
	if err != nil {
		return abandoned(r.op, err)
	}
	if h != nil {
		c.metrics.held.WithLabelValues(string(r.op), h.code).Inc()
		return &Error{Operation: string(r.op), Code: h.code, Class: ClassUnavailable, RetryAfter: h.after}
	}
	started := time.Now()
	status, f := c.send(ctx, r)
	took := time.Since(started)

	switch {
	case f == nil:
		c.gate.leave(p, healthy, false)
		c.metrics.sent(r.op, status, "", took)
		c.contract.covers(r.op)
		c.host(r.op).answered()
		c.host(r.op).wishes.serve(wish{r.user, r.op}, p.at)
		return nil
	case f.broken && ctx.Err() != nil:
		c.gate.leave(p, unknown, false)
		c.metrics.sent(r.op, 0, labelGone, took)
		return abandoned(r.op, ctx.Err())
	case f.broken:
		c.gate.leave(p, f.health, f.strain)
		c.metrics.sent(r.op, 0, f.Code, took)
	default:
		c.gate.leave(p, f.health, f.strain)
		c.metrics.sent(r.op, status, "", took)
		c.heed(r, f)
	}
	c.blame(ctx, r.op, f)
	return &f.Error
}

// heed does what a refusal says about more than the call that was refused.
func (c *Client) heed(r request, f *fault) {
	switch {
	case f.slowDown():
		f.RetryAfter = c.gate.slowDown(f.RetryAfter)
		f.Class = ClassUnavailable
		if c.host(r.op).wishes.putOff(wish{r.user, r.op}, time.Now().Add(f.RetryAfter)) {
			f.Class = ClassRetry
		}
	case f.Status == http.StatusForbidden && f.Class == ClassUnavailable && c.contract.refuses(r.op):
		f.RetryAfter = refusedClientPause
		f.detail = "our client may not make this call: it must be the data client, not the admin's, switched to API version 2, with Web Form enabled"
	case f.Status == http.StatusForbidden && f.Class == ClassUnavailable:
		f.Class = ClassPermanent
		f.detail = "our client may make this call, but not for this"
	}
}

// abandoned is the error of a call whose caller went away.
func abandoned(op operation, err error) error {
	return fmt.Errorf("provider: %s: %w", op, err)
}

// fault is why a call failed, with what gate and metrics must know about it.
type fault struct {
	Error
	broken bool // no answer, or none that can be used: Code says why, not the status
	known  bool // not broken, and in the provider's own words
	health sign
	strain bool // there was too much for the provider to do
}

// slowDown reports whether the provider asks for a pause.
func (f *fault) slowDown() bool {
	if f.broken {
		return false
	}
	return f.Status == http.StatusTooManyRequests || (f.Status == http.StatusServiceUnavailable && f.RetryAfter > 0)
}

// send makes the HTTP exchange within the request timeout. The fault is nil
// when the answer was good.
func (c *Client) send(ctx context.Context, r request) (status int, _ *fault) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	requestID := uuid.NewString()
	broken := func(code string, health sign, detail string) (int, *fault) {
		return status, &fault{broken: true, health: health, strain: code == CodeTimeout, Error: Error{Operation: string(r.op), Status: status,
			Code: code, Class: ClassRetry, RequestID: requestID, detail: detail}}
	}
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, trace), r, requestID)
	if err != nil { // what we were given does not fit into a request; the text may quote it
		_, f := broken(CodeInvalidRequest, unknown, "it cannot be written as a request")
		f.Class = ClassPermanent
		return 0, f
	}
	resp, err := c.http.Do(req)
	if err != nil {
		switch slow := isTimeout(ctx, err); {
		case slow && connected.Load(): // perhaps the fault of this one request
			return broken(CodeTimeout, failing, "no answer in time")
		case slow:
			return broken(CodeTimeout, down, "no connection in time")
		}
		return broken(CodeNetwork, down, networkDetail(err, connected.Load()))
	}
	defer resp.Body.Close()
	status = resp.StatusCode
	if echo := resp.Header.Get("X-Request-Id"); echo != "" && !strings.EqualFold(echo, requestID) {
		// This connection's answers are out of step. Not reading on closes it.
		return broken(CodeMixedUp, failing, "the answer carries another request's id")
	}
	body := &boundedReader{r: resp.Body, left: maxAnswer}
	refused := status < 200 || status > 299
	if refused {
		var text []byte
		body.left = maxErrorAnswer
		if text, err = io.ReadAll(body); err == nil || body.tooLarge {
			return status, refusal(r.op, resp, requestID, text)
		}
	} else {
		err = json.UnmarshalRead(body, r.answer)
	}
	// A form that was made cannot be made again, it would be one after the other.
	// A page in its place is a gateway's, and no form was made.
	final := func(status int, f *fault) (int, *fault) {
		if r.op == opCreateForm && (status == http.StatusCreated || f.health == healthy) {
			f.Class = ClassPermanent
		}
		return status, f
	}
	switch {
	case body.tooLarge:
		return final(broken(CodeTooLarge, failing, fmt.Sprintf("more than %d bytes", maxAnswer)))
	case body.err != nil && isTimeout(ctx, body.err):
		return broken(CodeTimeout, failing, "the answer did not end in time")
	case body.err != nil:
		return broken(CodeNetwork, failing, "the answer was cut off")
	case err != nil: // its text may quote the answer
		// JSON comes from the provider, however wrong; what is none does not.
		if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			return final(broken(CodeMalformed, failing, "not JSON"))
		}
		return final(broken(CodeMalformed, healthy, "not the JSON that the contract describes"))
	}
	switch p := r.check(); p {
	case "":
		return status, nil
	case foreignFormURL:
		_, f := broken(CodeForeignFormURL, healthy, string(p))
		f.Class = ClassPermanent // what is wrong is a setting
		return status, f
	default:
		return final(broken(CodeMalformed, healthy, string(p)))
	}
}

func (c *Client) newRequest(ctx context.Context, r request, requestID string) (*http.Request, error) {
	base := c.access
	if r.op.onWebForm() {
		base = c.webForm
	}
	u := base.String() + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	var body io.Reader
	contentType := ""
	switch {
	case r.form != nil:
		body, contentType = strings.NewReader(r.form.Encode()), "application/x-www-form-urlencoded"
	case r.body != nil:
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(b), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("User-Agent", "bankimport")
	req.Header.Set("X-Request-Id", requestID)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer.Reveal())
	}
	return req, nil
}

// refusal reads an error answer.
func refusal(op operation, resp *http.Response, requestID string, body []byte) *fault {
	answer := readFailure(body)
	e := Error{
		Operation:  string(op),
		Status:     resp.StatusCode,
		Code:       answer.code(),
		Class:      classify(op, resp.StatusCode, answer),
		RequestID:  requestID,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	switch {
	case e.Code != "":
	case resp.StatusCode == http.StatusTooManyRequests:
		e.Code = CodeSlowDown
	case len(answer.fields) > 0:
		e.Code = "BAD_REQUEST" // the one shape that has no code of its own
	default:
		e.Code = CodeUnknownErrorAnswer
	}
	switch {
	case len(answer.fields) > 0:
		e.detail = "it refuses " + strings.Join(answer.fields[:min(len(answer.fields), 5)], ", ")
	case 300 <= e.Status && e.Status < 400:
		e.detail = "a redirect, which is not followed"
	}
	f := &fault{Error: e, known: answer.known}
	f.health, f.strain = health(e.Status)
	if f.health == healthy && !f.known && e.Class == ClassRetry {
		f.health = failing // somebody else answered in the provider's place
	}
	return f
}

// retryAfter reads the header: seconds or a date. Nonsense is no advice.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64); err == nil {
		d = time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

func isTimeout(ctx context.Context, err error) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// networkDetail says what failed without the error's text, which holds the URL
// and with it the form's id.
func networkDetail(err error, connected bool) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the host's name was not found"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the host's certificate was refused"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // a TLS alert
		return "the host refused to talk TLS"
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "the host does not talk TLS"
	}
	if !connected {
		return "no connection"
	}
	return "the connection broke"
}

// boundedReader fails once more than left bytes came, and remembers its errors,
// so that a broken connection is not taken for bad JSON.
type boundedReader struct {
	r        io.Reader
	left     int64
	tooLarge bool
	err      error // the connection's; nil at its end
}

var errTooLarge = errors.New("answer too large")

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.tooLarge {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.tooLarge = true
		return 0, errTooLarge
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
