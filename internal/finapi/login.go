package finapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const maxToken = 8192 // characters the provider allows itself

// login calls the token endpoint. It decides what its refusals mean: 400 is
// about the user, 401 about our client, 423 says that the user is locked. Any
// other error answer is none, but a gateway's.
func (c *Client) login(ctx context.Context, g grant) (token, error) {
	form := url.Values{
		"client_id":     {c.credentials.clientID},
		"client_secret": {c.credentials.clientSecret().Reveal()},
	}
	switch g.op {
	case opClientToken:
		form.Set("grant_type", string(api.GrantTypeClientCredentials))
	case opUserToken:
		form.Set("grant_type", string(api.GrantTypePassword))
		form.Set("username", g.user.ID)
		form.Set("password", c.password(g.user).Reveal())
	case opRefreshToken:
		form.Set("grant_type", string(api.GrantTypeRefreshToken))
		form.Set("refresh_token", g.refresh.Reveal())
	}
	var answer api.AccessToken
	sent := time.Now()
	err := c.exchange(ctx, request{
		op: g.op, method: http.MethodPost, path: "/api/v2/oauth/token", form: form, user: g.user.ID,
		answer: &answer, check: func() problem { return checkToken(answer) },
	})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			refusedLogin(g.op, e)
		}
		return token{}, err
	}
	return token{
		access:  Secret(answer.AccessToken),
		refresh: Secret(answer.RefreshToken),
		got:     sent,
		life:    time.Duration(*answer.ExpiresIn) * time.Second,
	}, nil
}

// refusedLogin rewrites the error of a login that was refused. Others, such as a
// gateway's, it leaves alone.
func refusedLogin(op operation, e *Error) {
	if e.Class != ClassPermanent || e.Status < 400 {
		return
	}
	// The status decides, unless the body says plainly whose fault it is.
	ours := op == opClientToken || e.Status == http.StatusUnauthorized
	switch e.Code {
	case "invalid_client", "unauthorized_client":
		ours = true
	case "invalid_grant":
		ours = op == opClientToken
	}
	said := e.Code
	e.unread = said == CodeUnknownErrorAnswer
	if ours {
		e.Code, e.Class, e.RetryAfter = CodeClientRefused, ClassUnavailable, refusedClientPause
		e.detail = "check BANKIMPORT_FINAPI_CLIENT_ID, BANKIMPORT_FINAPI_CLIENT_SECRET and BANKIMPORT_FINAPI_ACCESS_URL"
	} else {
		e.Code, e.Class, e.RetryAfter = CodeUserRefused, ClassPermanent, 0
		e.detail = "check BANKIMPORT_USER_KEY: it must be the key with which this user was created; or the user was deleted"
		if e.Status == http.StatusLocked {
			e.detail = "the provider has locked this user; " + e.detail
		}
	}
	if !e.unread {
		e.detail += "; the provider says " + said
	}
}

func checkToken(t api.AccessToken) problem {
	switch {
	case t.AccessToken == "":
		return "access_token is missing"
	case !printable(t.AccessToken) || !printable(t.RefreshToken):
		return "access_token or refresh_token is too long or no token"
	case !strings.EqualFold(t.TokenType, "bearer"):
		return "token_type is not bearer"
	case t.ExpiresIn == nil:
		return "expires_in is missing"
	case *t.ExpiresIn < 0 || *t.ExpiresIn > int64(100*365*24*time.Hour/time.Second):
		return "expires_in is out of range"
	}
	return ""
}

// printable reports whether s fits into a header.
func printable(s string) bool {
	if len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
