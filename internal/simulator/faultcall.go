package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// exchange is a call that a fault has hit.
type exchange struct {
	s     *Simulator
	w     http.ResponseWriter
	c     *call
	o     operation
	at    target
	fault Fault
	next  func(http.ResponseWriter) // the real thing, or the next fault
}

// meddle answers a call with all faults that hit it, from the outermost inwards.
func (s *Simulator) meddle(w http.ResponseWriter, c *call, o operation, at target, kinds []*faultKind) {
	for i, k := range kinds {
		if k.call == nil && k.edit == nil || !k.hasOperation(at.operation) || !k.needs.in(at) {
			continue
		}
		f, hit := s.hits(k, at)
		if !hit {
			continue
		}
		x := &exchange{s: s, w: w, c: c, o: o, at: at, fault: f, next: func(w http.ResponseWriter) { s.meddle(w, c, o, at, kinds[i+1:]) }}
		if k.edit != nil {
			x.edit(k.edit)
		} else {
			k.call(x)
		}
		return
	}
	s.reply(w, c, o)
}

// targetOf finds out what a call is about before anything has judged it.
func (s *Simulator) targetOf(c *call, o operation) target {
	t := target{operation: o.op()}
	var sent struct { // what a request's body says
		ID               any
		Bank             struct{ ID int64 }
		BankConnectionID int64
	}
	form := url.Values{}
	switch t.operation {
	case "token":
		form, _ = url.ParseQuery(string(c.peek()))
	case "create-user", "create-form", "create-task":
		_ = json.Unmarshal(c.peek(), &sent) // if it is wrong, it concerns nobody
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, bearer, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if at := s.tokens[strings.TrimSpace(bearer)]; at != nil && at.user != nil {
		t.user = at.user.id
	}
	switch t.operation {
	case "token":
		t.user = form.Get("username")
		if at := s.tokens[form.Get("refresh_token")]; at != nil && at.user != nil {
			t.user = at.user.id
		}
	case "create-user":
		t.user, _ = sent.ID.(string)
	case "create-form":
		t.bank = sent.Bank.ID
	case "get-form", "cancel-form", "delete-form":
		if f := s.forms[c.r.PathValue("id")]; f != nil {
			t.bank = f.bank.ID
		}
	case "create-task":
		t.connection = sent.BankConnectionID
	case "get-task":
		if at := s.tasks[c.r.PathValue("id")]; at != nil {
			t.connection, t.bank = at.connection, at.bank
		}
	case "get-connection", "delete-connection":
		t.connection, _ = strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	case "list-accounts":
		t.connection = leadingID(c.r.URL.Query().Get("bankConnectionIds"))
	case "list-transactions":
		t.account = leadingID(c.r.URL.Query().Get("accountIds"))
	}
	if a := s.accounts[t.account]; a != nil {
		t.connection = a.connection.id
	}
	if conn := s.connections[t.connection]; conn != nil {
		t.bank = conn.bank.ID
	}
	return t
}

func leadingID(list string) int64 {
	first, _, _ := strings.Cut(list, ",")
	id, _ := strconv.ParseInt(first, 10, 64)
	return id
}

// peek reads the body and leaves it to be read.
func (c *call) peek() []byte {
	b, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	rest := io.MultiReader(bytes.NewReader(b), c.r.Body)
	if err != nil {
		rest = io.MultiReader(bytes.NewReader(b), brokenReader{err})
	}
	c.r.Body = struct {
		io.Reader
		io.Closer
	}{rest, c.r.Body}
	return b
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// answer answers instead of the real thing, without what the APIs add.
func (x *exchange) answer(status int, contentType, body string) {
	x.s.calls.add(x.o.name, status)
	if contentType != "" {
		x.w.Header().Set("Content-Type", contentType)
	}
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if _, err := io.WriteString(x.w, body); err != nil {
		x.s.log.Debug("answer was not read to its end", "operation", x.o.name, "err", err)
	}
}

// refuse answers in the words of the API.
func (x *exchange) refuse(no *refusal) {
	x.s.calls.add(x.o.name, no.status)
	x.w.Header().Set("X-Request-Id", x.c.requestID)
	x.s.writeJSON(x.w, x.o.name, no.status, x.o.dialect.body(x.c, no))
}

// wait lets real time pass. It is false when there is nobody left to answer.
func (x *exchange) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		x.c.now = x.s.clock.Now()
		return true
	case <-x.c.r.Context().Done():
	case <-x.s.done:
	}
	return false
}

// recorded is the answer of the real thing.
type recorded struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(b []byte) (int, error) { return r.body.Write(b) }

func (x *exchange) real() *recorded {
	r := &recorded{status: http.StatusOK, header: make(http.Header)}
	x.next(r)
	return r
}

// send passes a recorded answer on.
func (x *exchange) send(r *recorded) {
	x.head(r)
	if _, err := r.body.WriteTo(x.w); err != nil {
		x.s.log.Debug("answer was not read to its end", "operation", x.o.name, "err", err)
	}
}

func (x *exchange) head(r *recorded) {
	maps.Copy(x.w.Header(), r.header)
	x.w.WriteHeader(r.status)
}

// edit is a good answer that a fault changes.
type edit struct {
	fault Fault
	c     *call
	body  map[string]any // numbers are json.Number, as they were written
}

// edit changes the answer if it is a good one.
func (x *exchange) edit(do func(*edit)) {
	r := x.real()
	e := &edit{fault: x.fault, c: x.c}
	d := json.NewDecoder(bytes.NewReader(r.body.Bytes()))
	d.UseNumber()
	if r.status/100 != 2 || d.Decode(&e.body) != nil {
		x.send(r)
		return
	}
	do(e)
	changed, err := json.Marshal(e.body)
	if err != nil { // a bug: what came out of JSON goes into it
		x.s.log.Error("encode answer", "operation", x.o.name, "err", err)
		changed = nil
	}
	r.body = *bytes.NewBuffer(append(changed, '\n'))
	if r.header.Get("Content-Length") != "" {
		r.header.Set("Content-Length", strconv.Itoa(r.body.Len()))
	}
	x.send(r)
}

// object is an object within the body, empty where there is none.
func (e *edit) object(name string) map[string]any {
	o, _ := e.body[name].(map[string]any)
	return o
}

// objects are those of a list within the body.
func (e *edit) objects(name string) []map[string]any {
	list, _ := e.body[name].([]any)
	all := make([]map[string]any, 0, len(list))
	for _, v := range list {
		if o, ok := v.(map[string]any); ok {
			all = append(all, o)
		}
	}
	return all
}

// number64 is a whole number of the body, 0 where it is none.
func number64(v any) int64 {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return i
}

// centsOf is an amount of the body.
func centsOf(v any) bankdata.Cents {
	n, _ := v.(json.Number)
	c, _ := bankdata.ParseCents(n.String())
	return c
}
