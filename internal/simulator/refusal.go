package simulator

import (
	"net/http"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// refusal is why a call gets no answer of the good kind. Each API writes it in
// its own shape; see dialect.
type refusal struct {
	status int
	code   string // of Access or Web Form
	de, en string // for people; Web Form speaks English only

	technical bool                   // Access: of no use to the end user
	fields    []api.FormInvalidField // Web Form: what is wrong with the request
	auth      string                 // the OAuth code, where the answer has OAuth's shape
}

func refuse(status int, code, de, en string) *refusal {
	return &refusal{status: status, code: code, de: de, en: en}
}

// Refusals that several calls have in common. Web Form has other words for some
// codes; see formCode.

func badRequest(de, en string) *refusal {
	return refuse(http.StatusBadRequest, "BAD_REQUEST", de, en)
}

func unknownEntity() *refusal {
	return refuse(http.StatusNotFound, "UNKNOWN_ENTITY", "Diese ID gibt es nicht.", "There is nothing with this id.")
}

func locked() *refusal {
	return refuse(http.StatusLocked, "LOCKED", "Hier läuft gerade ein Import oder eine Kategorisierung.", "An import or a categorization is running.")
}

func full(setting string) *refusal {
	r := refuse(http.StatusInternalServerError, "UNEXPECTED_ERROR",
		"Der Simulator ist voll: "+setting+" erhöhen.", "The simulator is full: raise "+setting+".")
	r.technical = true
	return r
}

// unauthorized refuses a token, or a call without one.
func unauthorized() *refusal {
	return &refusal{status: http.StatusUnauthorized, code: "UNAUTHORIZED", auth: "invalid_token", en: "The access token is missing, unknown or expired."}
}

// wrongToken refuses a client's token where a user's is needed and the reverse.
func wrongToken() *refusal {
	return refuse(http.StatusForbidden, "FORBIDDEN", "Dieser Aufruf braucht ein anderes Token.", "This call needs another kind of token.")
}

// dialect is how an API writes its refusals.
type dialect interface {
	body(c *call, r *refusal) any
}

// accessDialect writes a list of errors, or OAuth's two fields.
type accessDialect struct{}

func (accessDialect) body(c *call, r *refusal) any {
	if r.auth != "" {
		return api.AuthError{Error: r.auth, ErrorDescription: r.en}
	}
	message, kind := r.de, api.ErrorTypeBusiness
	if c.english {
		message = r.en
	}
	if r.technical {
		kind = api.ErrorTypeTechnical
	}
	return api.AccessError{
		Errors:      []api.AccessErrorDetail{{Message: message, Code: r.code, Type: kind}},
		Date:        accessTime(c.now),
		RequestID:   c.requestID,
		Endpoint:    c.endpoint(),
		AuthContext: c.authContext(),
	}
}

// formDialect writes one object with a code, or with fields for a request that
// breaks the rules.
type formDialect struct{}

func (formDialect) body(c *call, r *refusal) any {
	if r.status == http.StatusBadRequest {
		fields := r.fields
		if len(fields) == 0 {
			fields = []api.FormInvalidField{{Field: "request", Message: r.en}}
		}
		return api.FormInvalidError{Errors: fields, Timestamp: formTime(c.now), Endpoint: c.endpoint()}
	}
	return api.FormError{Code: formCode(r), Description: r.en, Timestamp: formTime(c.now), Endpoint: c.endpoint()}
}

// formCode is Web Form's word for a refusal.
func formCode(r *refusal) string {
	switch r.code {
	case "UNKNOWN_ENTITY":
		return "NOT_FOUND"
	case "UNEXPECTED_ERROR":
		return "INTERNAL_SERVER_ERROR"
	case "METHOD_NOT_ALLOWED":
		return "NOT_ALLOWED"
	case "UNSUPPORTED_MEDIA_TYPE":
		return "NOT_SUPPORTED"
	default:
		return r.code
	}
}
