package finapi

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// deadToken is what a refused token may have left and still be thought of as
// merely run out.
const deadToken = 5 * time.Second

// call makes a call with the token of a slot. A refused token is dropped, one
// login made and the call repeated once: that is safe even for creating a form,
// because a call with a bad token does nothing.
func (c *Client) call(ctx context.Context, s *slot, r request) error {
	get := c.tokens.get
	if r.op == opCreateForm {
		get = c.tokens.forForm
	}
	var refused Secret
	for {
		access, err := get(ctx, s)
		if err != nil {
			return tokenError(r.op, err)
		}
		r.bearer, r.user = access, s.user.ID
		err = c.exchange(ctx, r)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != http.StatusUnauthorized || e.Class == ClassRetry {
			return err
		}
		left := c.tokens.left(s)
		c.tokens.drop(s, access)
		if refused != "" {
			return c.refusedToken(s, e, access == refused || left < deadToken, left)
		}
		refused = access
	}
}

// refusedToken is the error of a call whose token was refused although it came
// from a login just now. The endpoint repeats a token until it has run out, so
// if it is the same one again, its end has to be waited for.
func (c *Client) refusedToken(s *slot, e *Error, same bool, left time.Duration) *Error {
	refusal := *e
	refusal.Code = CodeTokenRefused
	switch {
	case s == c.tokens.client:
		refusal.Class, refusal.RetryAfter = ClassUnavailable, refusedClientPause
		refusal.detail = "the token of our client's login is refused"
	case same || e.Code == CodeUnknownErrorAnswer:
		refusal.Class, refusal.RetryAfter = ClassRetry, min(max(left, askGap), maxRetryAfter)
		refusal.detail = "the login repeats a token that is refused, or the answer is not the provider's"
	default:
		refusal.Class = ClassPermanent
		refusal.detail = "a new token is refused, which means that this user may not make this call or exists no more"
	}
	return &refusal
}

// tokenError names the call in the error of a caller that went away while it
// waited for a token. An *[Error] of the login names the login.
func tokenError(op operation, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return abandoned(op, err)
}

// invalid is the error of a call that is not made.
func invalid(op operation, detail string) error {
	return &Error{Operation: string(op), Code: CodeInvalidRequest, Class: ClassPermanent, detail: detail}
}
