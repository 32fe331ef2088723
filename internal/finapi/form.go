package finapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const maxURLLength = 2048

const formsPath = "/api/webForms"

// FormRequest is what a web form is created with. The zero value lets the user
// choose the bank and imports all accounts.
type FormRequest struct {
	BankID         int64    // fixed bank; excludes BankSearch
	BankSearch     string   // IBAN, BIC, name or city that leads to one bank
	ConnectionName string   // name of the new connection, at most 64 characters
	AccountTypes   []string // our words, e.g. "credit_card"; empty: all
	MaxDays        int      // days of history; 0: all there is
	ProfileID      string   // look of the form; empty: the client's default
	CallbackURL    string   // called once when the form has ended; a secret
}

// FormStatus is where a web form stands. The provider may add values; an
// unknown one is kept as it is and is not final.
type FormStatus string

const (
	FormNotYetOpened       FormStatus = "NOT_YET_OPENED"
	FormInProgress         FormStatus = "IN_PROGRESS"
	FormCompleted          FormStatus = "COMPLETED"
	FormCompletedWithError FormStatus = "COMPLETED_WITH_ERROR"
	FormExpired            FormStatus = "EXPIRED"
	FormAborted            FormStatus = "ABORTED"
	FormCancelled          FormStatus = "CANCELLED"
)

// Final reports whether the form has ended and will not change any more.
func (s FormStatus) Final() bool {
	switch s {
	case FormCompleted, FormCompletedWithError, FormExpired, FormAborted, FormCancelled:
		return true
	}
	return false
}

// Form is a web form. Its URL opens it, so it is a secret until it is used.
type Form struct {
	ID           string
	URL          string
	Status       FormStatus
	CreatedAt    time.Time
	ExpiresAt    time.Time
	ConnectionID int64  // the bank connection it made; 0: none (known)
	ErrorCode    string // why it ended badly, the provider's code; empty: none
}

// CreateForm creates a web form in which the user connects a bank. It is not
// repeatable: after an error without an answer there may be a form that nobody
// knows, which expires by itself, and a second call makes a second one.
func (c *Client) CreateForm(ctx context.Context, user User, r FormRequest) (Form, error) {
	if !user.valid() {
		return Form{}, invalid(opCreateForm, "no user")
	}
	body, p := c.formBody(r)
	if p != "" {
		return Form{}, invalid(opCreateForm, string(p))
	}
	return c.form(ctx, user, opCreateForm, http.MethodPost, formsPath+"/bankConnectionImport", "", body)
}

// Form reads a form of the user. [NotFound] tells that there is none.
func (c *Client) Form(ctx context.Context, user User, id string) (Form, error) {
	return c.knownForm(ctx, user, opGetForm, http.MethodGet, id, "")
}

// CancelForm ends a form now and returns it as it ended: usually CANCELLED, but
// COMPLETED if something had been imported by then. No callback follows.
func (c *Client) CancelForm(ctx context.Context, user User, id string) (Form, error) {
	return c.knownForm(ctx, user, opCancelForm, http.MethodPost, id, "/cancel")
}

func (c *Client) knownForm(ctx context.Context, user User, op operation, method, id, suffix string) (Form, error) {
	if !user.valid() || !validFormID(id) {
		return Form{}, invalid(op, "no user or no form id")
	}
	return c.form(ctx, user, op, method, formsPath+"/"+id+suffix, id, nil)
}

// form makes a call that answers with a form. id is the form that was asked
// for, "" where it is new; a nil body is none.
func (c *Client) form(ctx context.Context, user User, op operation, method, path, id string, body any) (Form, error) {
	var answer api.WebForm
	var form Form
	err := c.call(ctx, c.tokens.of(user), request{
		op: op, method: method, path: path, body: body,
		answer: &answer, check: func() (p problem) {
			form, p = c.readForm(answer, id)
			return p
		},
	})
	if err != nil {
		return Form{}, err
	}
	return form, nil
}

func (c *Client) formBody(r FormRequest) (*api.ImportFormRequest, problem) {
	if r.BankID != 0 && r.BankSearch != "" {
		return nil, "bank id and bank search exclude each other"
	}
	body := &api.ImportFormRequest{
		Bank:               api.ImportFormBank{ID: r.BankID, Search: r.BankSearch},
		BankConnectionName: r.ConnectionName,
		MaxDaysForDownload: r.MaxDays,
		ProfileID:          r.ProfileID,
		Callbacks:          api.ImportFormCallbacks{Finalised: r.CallbackURL},
		RedirectURL:        c.redirectURL,
	}
	for _, word := range r.AccountTypes {
		t, ok := formAccountType(word)
		if !ok {
			return nil, "an account type that the provider does not know"
		}
		if !slices.Contains(body.AccountTypes, t) { // a set
			body.AccountTypes = append(body.AccountTypes, t)
		}
	}
	return body, ""
}

// readForm checks an answer that should be the form with this id, or a new one.
func (c *Client) readForm(a api.WebForm, id string) (Form, problem) {
	switch {
	case !validFormID(a.ID):
		return Form{}, "id is missing or no form id"
	case id != "" && !strings.EqualFold(a.ID, id):
		return Form{}, "id is another form's"
	case a.Status == "":
		return Form{}, "status is missing"
	case a.CreatedAt.IsZero() || a.ExpiresAt.IsZero():
		return Form{}, "createdAt or expiresAt is missing"
	case a.URL == "":
		return Form{}, "url is missing"
	case !c.allowedFormURL(a.URL):
		return Form{}, foreignFormURL
	}
	f := Form{
		ID:        a.ID,
		URL:       a.URL,
		Status:    FormStatus(a.Status),
		CreatedAt: a.CreatedAt.Time,
		ExpiresAt: a.ExpiresAt.Time,
	}
	if a.Payload.ErrorCode != "" {
		f.ErrorCode = safeCode(a.Payload.ErrorCode)
	}
	if connection := a.Payload.BankConnectionID; connection != nil {
		if *connection <= 0 {
			return Form{}, "payload.bankConnectionId is out of range"
		}
		f.ConnectionID = *connection
	}
	return f, ""
}

// allowedFormURL reports whether a user may be sent to this URL. Whoever could
// change it could ask the user for bank credentials.
func (c *Client) allowedFormURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURLLength || u.User != nil || u.Hostname() == "" || !ascii(u.Host) {
		return false
	}
	if isLoopback(c.webForm.Hostname()) && isLoopback(u.Hostname()) {
		return u.Scheme == "http" || u.Scheme == "https"
	}
	// Sources disagree on the live host: webform-live.finapi.io is called, links
	// may name webform.finapi.io. The domain is the provider's either way.
	host := plainHost(u.Host)
	if u.Scheme == "https" && isProviders(plainHost(c.webForm.Host)) && isProviders(host) {
		return true
	}
	return u.Scheme == "https" && slices.Contains(c.formHosts, host)
}

// ascii reports whether a browser can read no other host in it than we do: some
// letters and signs become others there, like a slash or a plain i.
func ascii(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII })
}

func isProviders(host string) bool { return strings.HasSuffix(host, ".finapi.io") }

// plainHost is a host of https in small letters, and without its port where that
// says nothing.
func plainHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ":443")
}

// validFormID reports whether id can be a form's. It becomes part of a path.
func validFormID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	return strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == ""
}
