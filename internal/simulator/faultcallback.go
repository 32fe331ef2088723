package simulator

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// parcel is a callback that is to be sent.
type parcel struct {
	url    string
	of     subjectField
	id     string       // of the form or the task
	status string       // that it tells
	form   *webFormInfo // that a task needs

	extra  map[string]any // more fields of the body
	raw    string         // a body instead of all that
	pad    int            // bytes of padding in the body
	late   time.Duration  // after the form's end
	slow   time.Duration  // that sending the body takes
	copies int            // that are sent at the same time
	lost   bool
	fault  string // for the journal: what was changed
}

// subjectField is the field of a callback that says what it is about.
type subjectField string

const (
	aForm subjectField = "webFormId"
	aTask subjectField = "taskId"
)

// callbackFaults change the callbacks of forms and tasks that end. They strike
// with the mutex held, but for callback-early, which is part of the call that makes
// a form.
func callbackFaults() []*faultKind {
	each := func(do func(x Fault, p *parcel)) func(*Simulator, Fault, *[]*parcel) {
		return func(_ *Simulator, x Fault, all *[]*parcel) {
			for _, p := range *all {
				do(x, p)
				p.fault = x.Name
			}
		}
	}
	return []*faultKind{
		{name: "callback-status", what: "The callback tells this status instead of the true one.", standard: Fault{Code: "COMPLETED"}, callback: each(func(x Fault, p *parcel) { p.status = x.Code })},
		{name: "callback-contradicts", what: "The callback tells the opposite of how the form or task ended.", callback: each(func(_ Fault, p *parcel) {
			switch {
			case p.status != string(api.WebFormStatusCompleted):
				p.status = string(api.WebFormStatusCompleted)
			case p.of == aTask:
				p.status = string(taskFailed)
			default:
				p.status = string(api.WebFormStatusAborted)
			}
		})},
		{name: "callback-unknown-form", what: "The callback is about a form or task that does not exist.", callback: each(func(_ Fault, p *parcel) { p.id = uuid.NewString() })},
		{name: "callback-other-form", what: "The callback is about another form or task: the newest other one of any user.", callback: aboutAnother},
		{name: "callback-extra-fields", what: "The callback has more fields, also a payload that looks like the form's.", callback: each(func(_ Fault, p *parcel) {
			p.extra = map[string]any{"payload": map[string]any{"bankConnectionId": 1, "errorCode": nil}, "type": "BANK_CONNECTION_IMPORT", "addedLater": []any{1, nil}}
		})},
		{name: "callback-garbage", what: "The callback's body is no JSON.", callback: each(func(_ Fault, p *parcel) { p.raw = string(p.of) + "=" + p.id + "&status=<b>\xff\x00" })},
		{name: "callback-huge", what: "The callback's body has n KiB of padding.", standard: Fault{N: 1024}, mostN: 1 << 15, callback: each(func(x Fault, p *parcel) { p.pad = x.N << 10 })},
		{name: "callback-slow", what: "The callback's body takes the delay to be sent; real time.", standard: Fault{Delay: 5 * time.Second}, callback: each(func(x Fault, p *parcel) { p.slow = x.Delay })},
		{name: "callback-late", what: "The callback leaves only after the delay.", standard: Fault{Delay: 5 * time.Minute}, callback: each(func(x Fault, p *parcel) { p.late += x.Delay })},
		{name: "callback-together", what: "The callback is sent n times at the same instant.", standard: Fault{N: 2}, mostN: 100, callback: each(func(x Fault, p *parcel) { p.copies = x.N })},
		{name: callbackRepeated, what: "The callback is sent n times, one after the other.", standard: Fault{N: 2}, mostN: 1000, callback: func(_ *Simulator, x Fault, all *[]*parcel) {
			for _, p := range *all {
				p.fault = x.Name
				for range x.N - 1 {
					again := *p
					*all = append(*all, &again)
				}
			}
		}},
		{name: "callback-forged", what: "Besides the callback comes one to an address that was guessed.", callback: func(_ *Simulator, x Fault, all *[]*parcel) {
			p := (*all)[0]
			*all = append([]*parcel{{url: guessed(p.url), of: p.of, id: p.id, status: p.status, form: p.form, copies: 1, fault: x.Name}}, *all...)
		}},
		{name: callbackLost, what: "The callback is not sent.", callback: each(func(_ Fault, p *parcel) { p.lost = true })},
		{name: "callback-early", what: "A callback with this status comes before the answer to the call that makes the form.", ops: []string{"create-form"}, standard: Fault{Code: "COMPLETED"}, call: callBackEarly},
	}
}

// aboutAnother takes the id of another form or task, or of none where there is no
// other.
func aboutAnother(s *Simulator, x Fault, all *[]*parcel) {
	made := make(map[string]time.Time) // by id
	if (*all)[0].of == aForm {
		for id, f := range s.forms {
			made[id] = f.created
		}
	} else {
		for id, t := range s.tasks {
			made[id] = t.created
		}
	}
	delete(made, (*all)[0].id)
	other := uuid.NewString()
	for id, at := range made {
		if at.After(made[other]) {
			other = id
		}
	}
	for _, p := range *all {
		p.id, p.fault = other, x.Name
	}
}

// guessed is a URL whose path ends in other letters.
func guessed(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Path == "" {
		return address
	}
	path := []byte(u.Path)
	for i := len(path) - 1; i >= max(0, len(path)-4) && path[i] != '/'; i-- {
		if path[i] == 'A' {
			path[i] = 'B'
		} else {
			path[i] = 'A'
		}
	}
	u.Path, u.RawPath = string(path), ""
	return u.String()
}

func callBackEarly(x *exchange) {
	r := x.real()
	var made struct{ ID string }
	if err := json.Unmarshal(r.body.Bytes(), &made); err == nil && made.ID != "" {
		x.s.mu.Lock()
		f := x.s.forms[made.ID]
		var record *Callback
		to := ""
		if f != nil && f.request.Callbacks.Finalised != "" {
			to = f.request.Callbacks.Finalised
			record = &Callback{Status: x.fault.Code, Outcome: "waiting", Fault: x.fault.Name}
			f.callbacks = append(f.callbacks, record)
		}
		x.s.mu.Unlock()
		if record != nil {
			p := &parcel{url: to, of: aForm, id: made.ID, status: x.fault.Code, copies: 1}
			outcome := x.s.courier.deliver(x.c.r.Context(), p.delivery())
			x.s.mu.Lock()
			record.Outcome = outcome
			x.s.mu.Unlock()
			x.s.changed()
		}
	}
	x.send(r)
}

// delivery packs the parcel.
func (p *parcel) delivery() delivery {
	d := delivery{url: p.url, slow: p.slow, copies: p.copies}
	if p.raw != "" {
		d.body = []byte(p.raw)
		return d
	}
	body := map[string]any{string(p.of): p.id, "status": p.status}
	if p.form != nil {
		body["webForm"] = p.form
	}
	maps.Copy(body, p.extra)
	if p.pad > 0 {
		body["padding"] = strings.Repeat("x", p.pad)
	}
	// Nothing here can fail to be written.
	d.body, _ = json.Marshal(body)
	return d
}

// trickle is a body that takes its time.
type trickle struct {
	rest  *bytes.Reader
	pause time.Duration
	done  <-chan struct{}
}

// Read gives little at a time.
func (t *trickle) Read(b []byte) (int, error) {
	if t.rest.Len() > 0 {
		timer := time.NewTimer(t.pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.done:
		}
	}
	return t.rest.Read(b[:min(len(b), max(1, int(t.rest.Size())/slowSteps))])
}
