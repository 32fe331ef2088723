package flow

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// Ending is why an import ends badly. All decisions about reasons are made in
// this file.
type Ending struct {
	Reason schemas.Reason
	// Code is the provider's own word behind the reason.
	Code string
	// Error says it in words, for the import's status. It holds no personal data.
	Error string
}

// OfCode returns the reason that an error code of the provider stands for. A
// code that is not known is an error of the provider.
func OfCode(code string) schemas.Reason {
	switch code {
	case "ENTITY_EXISTS":
		return schemas.ReasonAlreadyConnected
	case "BANK_SERVER_REJECTION":
		return schemas.ReasonBankRejected
	case "INTERRUPTED":
		return schemas.ReasonInterrupted
	case "NO_ACCOUNTS_FOR_TYPE_LIST":
		return schemas.ReasonNoMatchingAccounts
	case "UNDETERMINED_BANK", "BANK_NOT_UNIQUE":
		return schemas.ReasonInvalidRequest
	case "BANK_NOT_SUPPORTED", "UNSUPPORTED_FEATURE":
		return schemas.ReasonBankUnsupported
	case "MANDATOR_MISCONFIGURATION", "INVALID_REDIRECT_URL":
		return schemas.ReasonProviderMisconfigured
	default: // INVALID_TOKEN, UNEXPECTED_ACCESS_RESPONSE, UNSUPPORTED_ORDER, INTERNAL_ERROR and what is new
		return schemas.ReasonProviderError
	}
}

// OfForm says what a final form means: false, and the import goes on to the
// form's connection; or true, and why it ends. Cancelled is set once upstream
// has cancelled the import, late once the form's deadline has passed.
func OfForm(f finapi.Form, cancelled, late bool) (Ending, bool) {
	code := f.ErrorCode
	if code == "" {
		code = string(f.Status)
	}
	switch {
	case f.ConnectionID != 0:
		// Whatever status and code say, there is a connection to read. Only a
		// second one of the same bank login is not ours to read.
		return Ending{Reason: schemas.ReasonAlreadyConnected, Code: code}, f.ErrorCode == "ENTITY_EXISTS"
	case cancelled:
		return Ending{Reason: schemas.ReasonCancelled, Code: code}, true
	case f.ErrorCode != "":
		return Ending{Reason: OfCode(f.ErrorCode), Code: code}, true
	default:
		return Ending{Reason: ofStatus(f.Status, late), Code: code}, true
	}
}

// ofStatus is the reason of a final status without code and connection.
func ofStatus(s finapi.FormStatus, late bool) schemas.Reason {
	switch {
	case s == finapi.FormAborted:
		return schemas.ReasonUserAborted
	case s == finapi.FormExpired:
		return schemas.ReasonFormExpired
	case s == finapi.FormCancelled && late:
		return schemas.ReasonFormExpired // our own deadline cancels too
	case s == finapi.FormCancelled:
		return schemas.ReasonCancelled
	default:
		return schemas.ReasonProviderError
	}
}

// OfError says what a failed call of the provider means for the import: either
// an ending, and the error is nil; or the error to hand to the engine. Gone is
// the reason when the provider does not know what was asked for.
func OfError(err error, gone schemas.Reason) (Ending, error) {
	e, ok := errors.AsType[*finapi.Error](err)
	if !ok {
		return Ending{}, err
	}
	switch {
	case e.Class == finapi.ClassUnavailable:
		return Ending{}, pipeline.Unavailable(err, e.RetryAfter)
	case e.Class != finapi.ClassUser && e.Class != finapi.ClassPermanent:
		return Ending{}, err
	case e.Code == finapi.CodeUserRefused || e.Code == finapi.CodeTokenRefused:
		// Whatever its status: what was asked for has not been looked at.
		return Ending{}, pipeline.Permanent(ClassLoginRefused, err)
	case finapi.NotFound(err), finapi.UserGone(err): // a user takes everything along
		return Ending{Reason: gone, Code: codeOf(e), Error: e.Error()}, nil
	case refused(e):
		return Ending{Reason: OfCode(e.Code), Code: codeOf(e), Error: e.Error()}, nil
	default:
		return Ending{}, pipeline.Permanent(ClassUnexpectedAnswer, err)
	}
}

// Busy reports whether the provider is busy with what was asked for: not yet.
func Busy(err error) bool {
	e, ok := errors.AsType[*finapi.Error](err)
	return ok && e.Class == finapi.ClassWait
}

// Refused reports whether the provider has understood a call and said no, for
// whatever reason but that it is down.
func Refused(err error) bool {
	e, ok := errors.AsType[*finapi.Error](err)
	if !ok {
		return false
	}
	switch e.Class {
	case finapi.ClassWait:
		return true
	case finapi.ClassUser, finapi.ClassPermanent:
		return refused(e)
	default:
		return false
	}
}

// CancelRefused reports whether a form cannot be cancelled, so that one more read
// tells what has become of it. Any 404 is one, whoever wrote it: an older
// provider does not have the call.
func CancelRefused(err error) bool {
	e, ok := errors.AsType[*finapi.Error](err)
	missing := ok && e.Status == http.StatusNotFound && e.Class == finapi.ClassRetry
	return missing || Refused(err)
}

// refused tells the provider's clear no from an answer that we could not read.
// The provider's codes are in capitals, those of our client in lower case.
func refused(e *finapi.Error) bool {
	return isProviders(e.Code) || e.Code == finapi.CodeUnknownErrorAnswer
}

func isProviders(code string) bool { return code != "" && code[0] >= 'A' && code[0] <= 'Z' }

// codeOf is the provider's own code, or the HTTP status where it gave none; ""
// where it refused nothing.
func codeOf(e *finapi.Error) string {
	switch {
	case isProviders(e.Code):
		return e.Code
	case e.Status < http.StatusBadRequest:
		return ""
	}
	return strconv.Itoa(e.Status)
}

// ofGivingUp is the ending of an import whose trigger the engine gave up.
func ofGivingUp(cause error) Ending {
	end := Ending{Reason: schemas.ReasonGaveUp}
	if e, ok := errors.AsType[*finapi.Error](cause); ok {
		end.Code, end.Error = codeOf(e), e.Error()
	} else if _, ok := pipeline.Class(cause); ok {
		end.Error = cause.Error()
	}
	return end
}
