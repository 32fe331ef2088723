package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// maxOffered bounds the banks that the form lists; more words find the others.
const maxOffered = 20

// view is what a page of the web form shows.
type view struct {
	Page, Title string // Page is the word in data-page
	Form        string // path of the form; empty where there is none to go on with
	Now         time.Time
	Expires     time.Time
	Progress    []progress

	Bank     Bank
	Query    string
	Banks    []Bank
	More     bool // there are more banks than are listed
	Accounts []bankdata.Account
	Refused  string
	Left     int // tries

	Login, NoTANLogin, TAN string // what lets a person in

	End ending

	status   int
	template string
}

// progress is one step in the line above the question.
type progress struct {
	Name  string
	State string // "done", "current" or "ahead"
}

// ending is a page that asks nothing any more.
type ending struct {
	Mark      string // "good", "stopped" or "bad"
	Text      string
	Next      string
	Back      string // where the person may go; empty: nowhere
	BackText  string
	Automatic bool // the browser goes back by itself
	Support   string
}

// viewOfQuestion shows what the form asks now. The caller holds the mutex.
func (s *Simulator) viewOfQuestion(f *form, r *http.Request, now time.Time) view {
	v := view{
		status: http.StatusOK, template: string(f.step), Page: string(f.step),
		Form: "/wf/" + f.id, Now: now, Expires: f.expires, Progress: f.progress(),
		Bank: f.bank, Refused: f.refused, Left: maxMistakes - f.mistakes,
		Login: demoLogin, NoTANLogin: noTANLogin, TAN: demoTAN,
	}
	if f.refused != "" {
		v.Page += "-refused"
	}
	switch f.step {
	case stepBank:
		v.Title = "Which bank do you want to connect?"
		v.Query = r.URL.Query().Get("q")
		v.Banks = slices.DeleteFunc(s.catalogue.Search(v.Query), func(b Bank) bool { return !offers(f.request, b) })
		if v.More = len(v.Banks) > maxOffered; v.More {
			v.Banks = v.Banks[:maxOffered]
		}
	case stepLogin:
		v.Title = "Log in to " + f.bank.Name
		if f.refused != "" {
			v.Title = "The bank did not accept this login"
		}
	case stepTAN:
		v.Title = "Confirm that it is you"
		if f.refused != "" {
			v.Title = "The bank did not accept this TAN"
		}
	case stepAccounts:
		v.Title = "Which accounts do you want to connect?"
		v.Accounts = s.accountsFor(f)
	}
	return v
}

// formStep is a question as the line of steps names it.
type formStep struct {
	step step
	name string
}

func (f *form) progress() []progress {
	steps := []formStep{{stepBank, "Bank"}, {stepLogin, "Log in"}, {stepTAN, "Confirm"}, {stepAccounts, "Accounts"}}
	if f.task != nil {
		steps = steps[1:3] // the bank and its accounts are known
	}
	if f.bank.Redirect {
		steps = slices.DeleteFunc(steps, func(p formStep) bool { return p.step == stepTAN })
	}
	var line []progress
	state := "done"
	for _, p := range steps {
		switch {
		case p.step == f.step:
			state = "current"
		case state == "current":
			state = "ahead"
		}
		line = append(line, progress{p.name, state})
	}
	return line
}

// viewOfEnd shows how the form ended: to the person who filled it in, or to
// somebody who comes with a link that is used up.
func (f *form) viewOfEnd(visitor bool) view {
	v := view{status: http.StatusOK, template: "ended", Bank: f.bank}
	switch {
	case f.status == api.WebFormStatusExpired:
		v.Page, v.Title, v.status = "expired", "This form has expired", http.StatusGone
		v.End = ending{Mark: "stopped", Text: "It was not finished in time. " + f.nothing(), Next: "Go back to where you came from and ask for a new link."}
	case f.status == api.WebFormStatusCancelled:
		v.Page, v.Title, v.status = "cancelled", "This form is no longer needed", http.StatusGone
		v.End = ending{Mark: "stopped", Text: "The service that sent you here has withdrawn it. " + f.nothing(), Next: "You can close this page."}
	case !visitor:
		v.Page, v.Title, v.status = "used", "This link has been used already", http.StatusGone
		v.End = ending{Mark: "stopped", Text: "Each link works once, in one browser.", Next: "To connect another bank, go back to where you came from and ask for a new link."}
		return v
	case f.status == api.WebFormStatusAborted:
		v.Page, v.Title = "aborted", "You have cancelled"
		v.End = ending{Mark: "stopped", Text: f.nothing(), Next: "You can close this page."}
		v.End.goBack(f.redirects.abort, true)
	case f.status == api.WebFormStatusCompleted:
		v.Page, v.Title = "done", f.bank.Name+" is connected"
		v.End = ending{Mark: "good", Text: "Your accounts and transactions are being downloaded now. You need not wait for that.", Next: "You can close this page."}
		if f.task != nil {
			v.Title = f.bank.Name + " is being updated"
		}
		v.End.goBack(f.redirects.done, true)
	default:
		f.failed(&v)
		v.End.Mark = "bad"
		v.End.goBack(f.redirects.failed, false)
	}
	if v.End.Mark != "good" {
		v.End.Support = f.redirects.support
	}
	return v
}

// nothing says what the form did not do in the end.
func (f *form) nothing() string {
	if f.task != nil {
		return "Nothing was updated."
	}
	return "No bank was connected."
}

// failed finds words for COMPLETED_WITH_ERROR.
func (f *form) failed(v *view) {
	again := "Go back to where you came from and ask for a new link."
	switch {
	case f.lockedOut:
		v.Page, v.Title = "locked", "Your login is locked"
		v.End = ending{Text: f.bank.Name + " has locked it after three wrong tries. " + f.nothing(), Next: again}
	case f.code == codeEntityExists:
		v.Page, v.Title = "duplicate", f.bank.Name+" is connected already"
		v.End = ending{Text: "Nothing was changed: the connection that you have goes on working.", Next: "You can close this page."}
	case f.code == codeNoAccounts:
		v.Page, v.Title = "no-accounts", "There is no account to connect"
		v.End = ending{Text: f.bank.Name + " keeps no account of the kind that was asked for.", Next: "To try another bank, go back to where you came from."}
	default:
		v.Page, v.Title = "failed", "That did not work"
		v.End = ending{Text: f.nothing() + " (" + f.code + ")", Next: again}
	}
}

func (e *ending) goBack(to string, automatic bool) {
	if to == "" {
		return
	}
	e.Back, e.Automatic, e.BackText = to, automatic, "Go back"
	e.Next = ""
	if automatic {
		e.Next, e.BackText = "You are being taken back to where you came from.", "Go back now"
	}
}

func unknownForm() view {
	return view{
		status: http.StatusNotFound, template: "ended", Page: "unknown", Title: "There is no such form",
		End: ending{Mark: "stopped", Text: "The link is incomplete, or the form is so old that it was forgotten.", Next: "Go back to where you came from and ask for a new link."},
	}
}

func openedTwice() view {
	return view{
		status: http.StatusForbidden, template: "ended", Page: "opened-twice", Title: "This form is open somewhere else",
		End: ending{Mark: "stopped", Text: "Each link works once, in the browser that opened it first. This protects your bank login.", Next: "Go on in the window where you began, or ask for a new link."},
	}
}

// redirects are where the person is sent at the end. They come with the link.
type redirects struct{ done, abort, failed, support string }

func parseRedirects(q url.Values) redirects {
	return redirects{
		done: webURL(q.Get("redirectUrl")), abort: webURL(q.Get("abortRedirectUrl")),
		failed: webURL(q.Get("errorRedirectUrl")), support: webURL(q.Get("customerSupportUrl")),
	}
}

// webURL takes only what a browser can visit: anybody could have appended it to
// the link, with a script in it for example.
func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > 2048 || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return u.String()
}
