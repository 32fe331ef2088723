package simulator

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// networkFaults lie between the caller and the APIs. Their delays are real time,
// whatever the simulator's clock says.
func networkFaults() []*faultKind {
	return []*faultKind{
		{name: "slow-headers", what: "The answer begins only after the delay; long enough, it is a connection that hangs.", standard: Fault{Delay: 5 * time.Second}, call: slowHeaders},
		{name: "connection-reset", what: "The connection is reset instead of an answer; the call was not made.", call: func(x *exchange) {
			x.s.calls.add(x.o.name, 0)
			x.reset()
		}},
		{name: "answer-lost", what: "The call is made, and then the connection is reset instead of an answer.", standard: Fault{Operation: "create-form"}, call: func(x *exchange) {
			x.real()
			x.reset()
		}},
		{name: "status-423", what: "The provider is busy with the user or the connection, in the words of the API.", ops: tokenOperations(), call: func(x *exchange) { x.refuse(locked()) }},
		{name: "status-429", what: "Too many requests, with the delay as Retry-After.", standard: Fault{Delay: 2 * time.Second}, call: tooMany},
		{name: "status-500", what: "Unexpected error, in the words of the API.", call: func(x *exchange) {
			x.refuse(&refusal{status: http.StatusInternalServerError, code: "UNEXPECTED_ERROR", de: "Unerwarteter Fehler.", en: "Unexpected error.", technical: true})
		}},
		{name: "status-502", what: "Bad gateway, as an HTML page.", call: func(x *exchange) { x.gateway(http.StatusBadGateway) }},
		{name: "status-503", what: "Service unavailable, as an HTML page.", call: func(x *exchange) { x.gateway(http.StatusServiceUnavailable) }},
		{name: "status-504", what: "Gateway timeout, as an HTML page.", call: func(x *exchange) { x.gateway(http.StatusGatewayTimeout) }},
		{name: "gateway-page", what: "An HTML page of a gateway with status 200 instead of JSON.", call: func(x *exchange) { x.gateway(http.StatusOK) }},
		{name: "redirect", what: "A redirect to another path.", call: func(x *exchange) {
			x.w.Header().Set("Location", "/maintenance")
			x.answer(http.StatusFound, "", "")
		}},
		{name: "empty-body", what: "Status 200 with nothing in it; the call was not made.", call: func(x *exchange) { x.answer(http.StatusOK, "application/json", "") }},
		{name: "unknown-error", what: "Status 500 with an error in a shape that no document has.", call: func(x *exchange) {
			x.answer(http.StatusInternalServerError, "application/json", `{"fault":{"faultstring":"policy failed","detail":{"errorcode":"steps.raise"}}}`)
		}},
		{name: "slow-body", what: "The answer begins at once and takes the delay to end.", standard: Fault{Delay: 10 * time.Second}, call: slowBody},
		{name: "cut-body", what: "The answer breaks off in the middle.", call: cutBody},
		{name: "oversized-body", what: "The answer begins with n MiB of blanks.", standard: Fault{N: 16}, mostN: 1 << 20, call: oversizedBody},
		{name: "wrong-content-type", what: "The answer says that it is text/html.", call: func(x *exchange) {
			r := x.real()
			r.header.Set("Content-Type", "text/html; charset=utf-8")
			x.send(r)
		}},
		{name: "wrong-request-id", what: "The answer carries the X-Request-Id of another request.", call: func(x *exchange) {
			r := x.real()
			r.header.Set("X-Request-Id", uuid.NewString())
			x.send(r)
		}},
	}
}

func slowHeaders(x *exchange) {
	if x.wait(x.fault.Delay) {
		x.next(x.w)
		return
	}
	x.reset()
}

func tooMany(x *exchange) {
	x.w.Header().Set("Retry-After", strconv.Itoa(int((x.fault.Delay+time.Second-1)/time.Second)))
	x.answer(http.StatusTooManyRequests, "", "")
}

// gateway answers what a proxy before the APIs would.
func (x *exchange) gateway(status int) {
	title := http.StatusText(status)
	if status == http.StatusOK {
		title = "Please wait"
	}
	x.answer(status, "text/html", "<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1><hr>gateway</body></html>\n")
}

// reset breaks the connection so that the caller notices at once. It does not
// return where the server must do it.
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil { // HTTP/2, or no connection at all
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset instead of a regular end
	}
	_ = conn.Close()
}

// slowSteps is in how many parts a slow body comes.
const slowSteps = 50

func slowBody(x *exchange) {
	r := x.real()
	x.head(r)
	part := max(1, (r.body.Len()+slowSteps-1)/slowSteps)
	for r.body.Len() > 0 {
		if _, err := x.w.Write(r.body.Next(part)); err != nil || http.NewResponseController(x.w).Flush() != nil {
			return
		}
		if !x.wait(x.fault.Delay / slowSteps) {
			panic(http.ErrAbortHandler)
		}
	}
}

func cutBody(x *exchange) {
	r := x.real()
	x.head(r) // with the length of all of it
	if _, err := x.w.Write(r.body.Next(r.body.Len() / 2)); err == nil {
		_ = http.NewResponseController(x.w).Flush()
	}
	panic(http.ErrAbortHandler)
}

func oversizedBody(x *exchange) {
	r := x.real()
	r.header.Del("Content-Length")
	x.head(r)
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range x.fault.N {
		if _, err := x.w.Write(blanks); err != nil {
			return
		}
	}
	_, _ = io.Copy(x.w, &r.body)
}
