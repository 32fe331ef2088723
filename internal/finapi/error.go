package finapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Class says what to do about an [Error]. It is decided once, in this package.
type Class string

const (
	// ClassRetry: it may go well in a moment; the attempt counts.
	ClassRetry Class = "retry"
	// ClassWait: the provider is busy with this user or connection (423); ask later.
	ClassWait Class = "wait"
	// ClassUser: the request was understood and refused for what the user or the
	// bank is; repeating it changes nothing.
	ClassUser Class = "user"
	// ClassPermanent: repeating changes nothing, and the user cannot mend it either.
	ClassPermanent Class = "permanent"
	// ClassUnavailable: the provider as a whole takes no calls now, does not
	// answer, or refuses our client. No single call is to blame; RetryAfter says
	// when to look again.
	ClassUnavailable Class = "unavailable"
)

// Codes of our own, in lower case; the provider's are in capitals.
const (
	CodeBreakerOpen        = "breaker_open"         // too many calls failed: none is sent for a moment
	CodeSlowDown           = "slow_down"            // the provider asked for a pause (429)
	CodeClientRefused      = "client_login_refused" // our client's login is refused
	CodeUserRefused        = "user_login_refused"   // the provider user's login is refused
	CodeUserGone           = "user_gone"            // the same, but it went well before: the user was deleted meanwhile
	CodeTokenRefused       = "token_refused"        // a fresh token is refused (401)
	CodeNetwork            = "network"              // no connection, or it broke
	CodeTimeout            = "timeout"              // no whole answer within the request timeout
	CodeTooLarge           = "answer_too_large"     // the answer exceeds the bound on bodies
	CodeMalformed          = "answer_malformed"     // the answer is not what the contract says
	CodeMixedUp            = "answer_mixed_up"      // the answer belongs to another request
	CodeForeignFormURL     = "foreign_form_url"     // the form's URL is not on an allowed host
	CodeInvalidRequest     = "invalid_request"      // refused before anything was sent
	CodeUnknownErrorAnswer = "unknown_error_answer" // an error answer without a code that we could read
)

// Error is every failure of a call to the provider, except that the caller's
// context ended: then the context's error is found by errors.Is.
//
// It holds status, codes and ids of requests, never a body, a message, a URL or
// anything about a person. It is safe to log and to publish.
type Error struct {
	Operation  string        // which call, e.g. "create_form"
	Status     int           // HTTP status; 0: no answer
	Code       string        // the provider's code in capitals, or one of ours
	Class      Class         // what to do
	RequestID  string        // our X-Request-Id, for the provider's support
	RetryAfter time.Duration // when to try again; 0: no advice

	unread bool   // a refused login whose body we could not read
	detail string // what was wrong, in our own words; constant texts and field names only
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "provider: %s: %s", e.Operation, e.Code)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.detail != "" {
		b.WriteString(": " + e.detail)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	return b.String()
}

// NotFound reports whether err says that what was asked for does not exist: it
// was deleted or belongs to somebody else. A 404 without the provider's own code
// for that, such as a gateway's page, is not one.
func NotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound && e.Class == ClassPermanent
}

// UserGone reports whether err says that the user exists no more: a login that
// went well before in this process is refused now. Where this process has not
// logged in before, a deleted user looks like a wrong UserKey: then the error has
// [CodeUserRefused], because whoever mends the key can still go on.
func UserGone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeUserGone
}
