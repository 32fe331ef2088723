package finapi

import "net/http"

// classify decides what to do about an error answer to a call that had a token.
// Refused logins and tokens are decided where they are known, in login.go and
// call.go.
func classify(op operation, status int, f failure) Class {
	if op.isLogin() {
		return loginClass(status, f)
	}
	if op.isRead() && !f.known && gateways(status) {
		return ClassRetry
	}
	switch status {
	case http.StatusForbidden:
		switch {
		case !f.known:
			return ClassRetry
		case op.needsContract():
			return ClassUnavailable
		}
		return ClassPermanent
	case http.StatusNotFound:
		// A gateway answers 404 too, while its routes change. Only the provider
		// itself can say that something is gone, and then an import ends.
		if f.has("NOT_FOUND") || f.has("UNKNOWN_ENTITY") {
			return ClassPermanent
		}
		return ClassRetry
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusNotImplemented:
		if class, ok := codeClass(f.code()); ok {
			return class
		}
		return ClassPermanent
	}
	return statusClass(status)
}

// loginClass is the class of an error answer of the token endpoint. Permanent
// is what refuses a login; whose it is, login.go decides.
func loginClass(status int, f failure) Class {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusLocked:
		return ClassPermanent
	case http.StatusForbidden:
		if f.known {
			return ClassPermanent
		}
	case http.StatusTooManyRequests:
		return ClassUnavailable
	}
	return ClassRetry // a login is refused in no other way; it is a gateway that speaks
}

// gateways reports whether a refusal that is not in the provider's words can
// only be a gateway's. A token is refused and a user busy without words, too.
func gateways(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusLocked, http.StatusTooManyRequests:
		return false
	}
	return 400 <= status && status < 500
}

// statusClass is the class of a status whose body changes nothing.
func statusClass(status int) Class {
	switch status {
	case http.StatusLocked:
		return ClassWait
	case http.StatusTooManyRequests:
		return ClassUnavailable
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return ClassRetry
	case http.StatusNotExtended: // asks for a login step that only licensed clients can do
		return ClassPermanent
	}
	if 400 <= status && status < 500 {
		return ClassPermanent
	}
	return ClassRetry // 5xx, and what no API answers: 1xx, 3xx
}

// codeClass is the class of a code of the provider, where it says more than the
// status does. A code that is not here is permanent with its status.
func codeClass(code string) (Class, bool) {
	switch code {
	case "LOCKED":
		return ClassWait, true
	case "INTERNAL_SERVER_ERROR", "UNEXPECTED_ERROR":
		return ClassRetry, true
	case "ADDITIONAL_AUTHENTICATION_REQUIRED", "BANK_NOT_SUPPORTED", "BANK_NOT_UNIQUE", "BANK_SERVER_REJECTION",
		"ENTITY_EXISTS", "INVALID_CONSENT", "NO_ACCOUNTS_FOR_TYPE_LIST", "UNSUPPORTED_BANK", "UNSUPPORTED_FEATURE",
		"WEB_FORM_ABORTED", "WEB_FORM_REQUIRED":
		return ClassUser, true
	case "BAD_REQUEST", "COLLECTIVE_MONEY_TRANSFER_NOT_SUPPORTED", "FORBIDDEN", "IBAN_ONLY_DIRECT_DEBIT_NOT_SUPPORTED",
		"IBAN_ONLY_MONEY_TRANSFER_NOT_SUPPORTED", "ILLEGAL_ENTITY_STATE", "ILLEGAL_FIELD_VALUE", "ILLEGAL_PAGE_SIZE",
		"INVALID_ACCOUNT_TYPES", "INVALID_FILTER_OPTIONS", "INVALID_REDIRECT_URL", "INVALID_TOKEN",
		"INVALID_TWO_STEP_PROCEDURE", "LOGIN_FIELDS_MISMATCH", "MANDATOR_MISCONFIGURATION", "METHOD_NOT_ALLOWED",
		"MISSING_CREDENTIALS", "MISSING_FIELD", "MISSING_TWO_STEP_PROCEDURE", "NOT_ALLOWED", "NOT_FOUND",
		"NOT_SUPPORTED", "NO_CERTIFICATE", "NO_EXISTING_CHALLENGE", "NO_PSU_METADATA", "NO_TPP_CLIENT_CREDENTIALS",
		"PAYMENT_NOT_SUPPORTED", "TOO_MANY_IDS", "UNAUTHORIZED", "UNAUTHORIZED_ACCESS", "UNKNOWN_ENTITY",
		"UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_ORDER", "USER_ALREADY_VERIFIED", "USER_NOT_VERIFIED":
		return ClassPermanent, true
	}
	return "", false
}

// health reads from a status how the provider is doing, and whether there was
// too much for it to do.
func health(status int) (s sign, strain bool) {
	switch status {
	case http.StatusTooManyRequests:
		return healthy, true
	case http.StatusBadGateway:
		return down, false
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return down, true
	case http.StatusNotImplemented, http.StatusNotExtended:
		return healthy, false
	}
	if status >= 500 || status < 400 { // an error answer below 400 is a redirect or worse
		return failing, false
	}
	return healthy, false
}
