package simulator

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// step is which question the form asks.
type step string

const (
	stepBank     step = "bank"
	stepLogin    step = "login"
	stepTAN      step = "tan"
	stepAccounts step = "accounts"
	anyStep      step = "" // for posts that fit every question
)

// maxMistakes is how many wrong logins or TANs a bank takes before it locks.
const maxMistakes = 3

const formCookie = "form"

// visits reports whether a request comes from the browser that opened the form.
func (f *form) visits(r *http.Request) bool {
	cookie, err := r.Cookie(formCookie)
	return err == nil && f.secret != "" && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(f.secret)) == 1
}

// openForm gives the form to a browser, for good. The caller holds the mutex.
func (s *Simulator) openForm(f *form, r *http.Request) *http.Cookie {
	f.status = api.WebFormStatusInProgress
	f.secret = rand.Text()
	f.redirects = parseRedirects(r.URL.Query())
	s.changed()
	return &http.Cookie{
		Name: formCookie, Value: f.secret, Path: "/wf/" + f.id, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.config.BaseURL, "https:"),
	}
}

// showForm is the form's URL. The first visit opens the form; any later one shows
// the question where the person is, or how it ended.
func (s *Simulator) showForm(w http.ResponseWriter, r *http.Request) {
	v, cookie := s.look(r)
	if cookie != nil {
		http.SetCookie(w, cookie)
	}
	if v.End.Automatic {
		w.Header().Set("Refresh", "3; url="+v.End.Back)
	}
	s.show(w, v.status, v.template, v)
}

func (s *Simulator) look(r *http.Request) (view, *http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	f := s.formNow(r.PathValue("id"), now)
	switch {
	case f == nil:
		return unknownForm(), nil
	case final(f.status):
		return f.viewOfEnd(f.visits(r)), nil
	case f.visits(r):
		return s.viewOfQuestion(f, r, now), nil
	case f.status == api.WebFormStatusInProgress:
		return openedTwice(), nil
	case r.Method == http.MethodHead: // somebody only looks whether there is something
		return s.viewOfQuestion(f, r, now), nil
	}
	cookie := s.openForm(f, r)
	return s.viewOfQuestion(f, r, now), cookie
}

// step makes a handler of what a question's answer does. An answer that does not
// fit any more, as after the back button or a double click, changes nothing. Then
// the browser is sent to the form's URL, which shows what is true now.
func (s *Simulator) step(at step, do func(f *form, r *http.Request, now time.Time)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !parseFields(w, r) {
			return
		}
		id := r.PathValue("id")
		s.mu.Lock()
		now := s.clock.Now()
		if f := s.formNow(id, now); f != nil && !final(f.status) && f.visits(r) && (at == anyStep || at == f.step) {
			f.refused = ""
			do(f, r, now)
		}
		s.mu.Unlock()
		pageHeaders(w.Header())
		http.Redirect(w, r, "/wf/"+id, http.StatusSeeOther)
	}
}

// What follows is called with the mutex held.

// chooseBank takes the bank that the person has picked.
func (s *Simulator) chooseBank(f *form, r *http.Request, _ time.Time) {
	id, err := strconv.ParseInt(r.PostForm.Get("bank"), 10, 64)
	if err != nil {
		return
	}
	if b, ok := s.catalogue.Bank(id); ok && offers(f.request, b) {
		f.bank, f.step = b, stepLogin
	}
}

// logIn checks login name and password.
func (s *Simulator) logIn(f *form, r *http.Request, now time.Time) {
	name, password := strings.TrimSpace(r.PostForm.Get("login")), r.PostForm.Get("password")
	switch {
	case name != password || name != demoLogin && name != noTANLogin:
		s.mistake(f, "login", now)
	case f.bank.Redirect || name == noTANLogin:
		s.identified(f, now)
	default:
		f.step, f.mistakes = stepTAN, 0
	}
}

// confirm checks the second factor.
func (s *Simulator) confirm(f *form, r *http.Request, now time.Time) {
	if strings.TrimSpace(r.PostForm.Get("tan")) != demoTAN {
		s.mistake(f, "tan", now)
		return
	}
	s.identified(f, now)
}

// mistake counts what the bank does not accept, and in the end locks the person
// out.
func (s *Simulator) mistake(f *form, what string, now time.Time) {
	f.refused = what
	if f.mistakes++; f.mistakes >= maxMistakes {
		f.lockedOut = true
		s.end(f, api.WebFormStatusCompletedWithError, codeBankRejection, now)
	}
}

// identified goes on when the bank knows who the person is.
func (s *Simulator) identified(f *form, now time.Time) {
	s.strike(f.target(), func(k *faultKind) bool { return k.login != nil }, func(k *faultKind, x Fault) {
		if !final(f.status) {
			k.login(s, f, x, now)
		}
	})
	if final(f.status) {
		return
	}
	if f.task != nil {
		s.completeUpdate(f, now)
		return
	}
	if s.endAsDuplicate(f, now) {
		return
	}
	if len(s.accountsFor(f)) == 0 {
		s.end(f, api.WebFormStatusCompletedWithError, codeNoAccounts, now)
		return
	}
	f.step = stepAccounts
}

// chooseAccounts connects the accounts that the person has left ticked.
func (s *Simulator) chooseAccounts(f *form, r *http.Request, now time.Time) {
	var chosen []bankdata.Account
	for i, a := range s.accountsFor(f) {
		if slices.Contains(r.PostForm["account"], strconv.Itoa(i)) {
			chosen = append(chosen, a)
		}
	}
	if len(chosen) == 0 {
		f.refused = "accounts"
		return
	}
	s.complete(f, chosen, now)
}

// abort is the person's cancel.
func (s *Simulator) abort(f *form, _ *http.Request, now time.Time) {
	s.end(f, api.WebFormStatusAborted, "", now)
}
