package simulator

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

const formIDLength = 36

// Why a form ended with an error, as the provider spells it.
const (
	codeEntityExists  = "ENTITY_EXISTS"
	codeBankRejection = "BANK_SERVER_REJECTION"
	codeInvalidToken  = "INVALID_TOKEN"
	codeNoAccounts    = "NO_ACCOUNTS_FOR_TYPE_LIST"
	codeOddAnswer     = "UNEXPECTED_ACCESS_RESPONSE"
)

// form is a web form. What it goes through:
//
//	NOT_YET_OPENED ──▶ IN_PROGRESS ──▶ COMPLETED             a connection was made or updated
//	      │                 ├────────▶ COMPLETED_WITH_ERROR  see code
//	      │                 ├────────▶ ABORTED               by the person
//	      ├─────────────────┼────────▶ EXPIRED               by the clock
//	      └─────────────────┴────────▶ CANCELLED             by the client; no callback
//
// The link is good for one browser, the first one that opens it: it gets a secret
// in a cookie.
type form struct {
	id      string
	user    *user
	request api.ImportFormRequest
	task    *task // that needs the form for its update; nil: the form makes a connection
	// token is the one that created the form. Without it the provider cannot
	// work on: when it is dead at the end, the form ends with INVALID_TOKEN.
	token     *token
	created   time.Time
	expires   time.Time
	status    api.WebFormStatus
	ended     time.Time
	code      string // why it ended with an error
	connected int64  // the connection that is there, made by this form or found; 0: none
	expiry    *appointment
	callbacks []*Callback

	visit
}

// visit is what the person has done in the form.
type visit struct {
	secret    string // in the cookie of the browser that opened the form
	step      step
	bank      Bank   // once it is known
	refused   string // what the person typed wrong last: "login" or "tan"
	mistakes  int
	lockedOut bool // by too many mistakes
	redirects redirects
}

func final(status api.WebFormStatus) bool {
	return status != api.WebFormStatusNotYetOpened && status != api.WebFormStatusInProgress
}

// via is the interface through which the form's bank is reached.
func (f *form) via() string {
	for _, i := range f.bank.Interfaces {
		if f.interfaces() == nil || slices.Contains(f.interfaces(), i) {
			return i
		}
	}
	return f.bank.Interfaces[0]
}

// interfaces are those that the request allows, nil for all.
func (f *form) interfaces() []string { return interfacesOf(f.request) }

func interfacesOf(r api.ImportFormRequest) []string {
	var names []string
	for _, i := range r.AllowedInterfaces {
		names = append(names, string(i))
	}
	return names
}

// offers reports whether a form with this request may connect a bank.
func offers(r api.ImportFormRequest, b Bank) bool {
	return b.Has(interfacesOf(r)) && (!b.TestBank || r.AllowTestBank == nil || *r.AllowTestBank)
}

// accounts are those at the form's bank that the request wants.
func (s *Simulator) accountsFor(f *form) []bankdata.Account {
	all := slices.Clone(s.data.Accounts(f.bank))
	return slices.DeleteFunc(all, func(a bankdata.Account) bool { return !wants(f.request, a) })
}

// formType is Web Form's spelling of an account type of Access.
func formType(accountType string) api.FormAccountType {
	switch accountType {
	case bankdata.Savings:
		return api.FormAccountTypeSavings
	case bankdata.CreditCard:
		return api.FormAccountTypeCreditCard
	default:
		return api.FormAccountTypeChecking
	}
}

// newForm makes a form. The caller holds the mutex.
func (s *Simulator) newForm(u *user, t *token, request api.ImportFormRequest, bank Bank, now time.Time) *form {
	f := &form{
		id: uuid.NewString(), user: u, token: t, request: request,
		created: now, expires: now.Add(s.config.FormLife), status: api.WebFormStatusNotYetOpened,
		visit: visit{bank: bank, step: stepBank},
	}
	if bank.ID != 0 {
		f.step = stepLogin
	}
	s.strike(f.target(), func(k *faultKind) bool { return k.make != nil }, func(k *faultKind, x Fault) { k.make(f, x) })
	s.forms[f.id] = f
	u.forms = append(u.forms, f)
	s.open++
	f.expiry = s.agenda.at(f.expires, func() { s.expire(f) })
	s.changed()
	return f
}

// formNow finds a form as it stands now: expired, if its time is over. The caller
// holds the mutex.
func (s *Simulator) formNow(id string, now time.Time) *form {
	f := s.forms[id]
	if f != nil && !final(f.status) && !now.Before(f.expires) {
		s.end(f, api.WebFormStatusExpired, "", f.expires)
	}
	return f
}

// expire is called by the clock, so that the callback of a form that nobody looks
// at goes out.
func (s *Simulator) expire(f *form) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.formNow(f.id, s.clock.Now())
}

// end makes the form final and calls back. The caller holds the mutex and has
// seen that the form is not final yet.
func (s *Simulator) end(f *form, status api.WebFormStatus, code string, at time.Time) {
	f.status, f.code, f.ended = status, code, at
	f.token = nil // only needed on the way
	if f.task != nil && s.connections[f.task.connection] != nil {
		f.connected = f.task.connection
	}
	s.closed(f)
	s.finished = append(s.finished, f)
	for len(s.finished) > s.config.MaxForms {
		s.forgetForm(s.finished[0])
		s.finished = s.finished[1:]
	}
	if status != api.WebFormStatusCancelled && f.request.Callbacks.Finalised != "" {
		s.callBack(f.target(), &parcel{url: f.request.Callbacks.Finalised, of: aForm, id: f.id, status: string(f.status)}, &f.callbacks, at)
	}
	s.changed()
}

// complete connects the chosen accounts, if nothing has come in between. The
// caller holds the mutex.
func (s *Simulator) complete(f *form, chosen []bankdata.Account, now time.Time) {
	if !f.token.alive(now) {
		s.end(f, api.WebFormStatusCompletedWithError, codeInvalidToken, now)
		return
	}
	if s.endAsDuplicate(f, now) { // another form of the user may have been faster
		return
	}
	s.finish(f, now, func() { f.connected = s.connect(f, chosen, now).id })
}

// finish ends a form whose person has done everything right. The caller holds the
// mutex.
func (s *Simulator) finish(f *form, now time.Time, connect func()) {
	e := s.finishOf(f)
	if e.connection {
		connect()
	}
	s.end(f, e.status, e.code, now)
	if e.gone {
		s.forgetForm(f)
	}
}

// endAsDuplicate ends the form of a user who has this bank already. The answer
// names the connection that is there: the provider's contract gives its id "once
// the form is final and a connection exists". The caller holds the mutex.
func (s *Simulator) endAsDuplicate(f *form, now time.Time) bool {
	if f.request.SkipDuplicateDetection {
		return false
	}
	other := s.connectionTo(f.user, f.bank.ID)
	if other == nil {
		return false
	}
	f.connected = other.id
	s.end(f, api.WebFormStatusCompletedWithError, codeEntityExists, now)
	return true
}

// forgetForm takes a form out. The caller holds the mutex.
func (s *Simulator) forgetForm(f *form) {
	if s.forms[f.id] == nil {
		return
	}
	if !final(f.status) {
		s.closed(f)
	}
	delete(s.forms, f.id)
	f.user.forms = slices.DeleteFunc(f.user.forms, func(other *form) bool { return other == f })
	s.changed()
}

// closed says that a form is not open any more. The caller holds the mutex.
func (s *Simulator) closed(f *form) {
	s.open--
	s.agenda.cancel(f.expiry)
}
