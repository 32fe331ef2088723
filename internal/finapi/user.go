package finapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// What ids and passwords are derived for. Changing one of them, or a length
// below, would lose every user at the provider.
const (
	userIDPurpose   = "bankimport/provider-user/v1\x00"
	passwordPurpose = "bankimport/provider-password/v1\x00"

	userIDPrefix    = "bi-"
	userIDBytes     = 20 // 32 characters of base32: with the prefix 35 of the 36 allowed
	passwordBytes   = 27 // 36 characters of base64: older clients saw a limit of 36
	maxUserIDLength = 36
)

// User is a user at the provider, derived from upstream's user id by
// [Client.User]. The zero value is no user. The password is derived when it is
// needed, so a User holds no secret.
type User struct {
	// ID is the provider's user id: at most 36 lower-case characters, and the
	// same for the same upstream user for ever.
	ID string
}

// User derives the provider user of an upstream user. Upstream ids that differ
// only in case are different users; the provider's ids, which ignore case, are a
// hash in lower case. The hash has no key: with a wrong UserKey the same user
// is found and the login refused, instead of a second user made in silence.
func (c *Client) User(upstreamUserID string) User {
	sum := sha256.Sum256([]byte(userIDPurpose + upstreamUserID))
	return User{ID: userIDPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:userIDBytes]))}
}

// password derives the user's password from the master key.
func (c *Client) password(u User) Secret {
	mac := hmac.New(sha256.New, []byte(c.credentials.userKey().Reveal()))
	mac.Write([]byte(passwordPurpose + u.ID))
	return Secret(base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:passwordBytes]))
}

// EnsureUser creates the user at the provider. That the user exists already is
// success, and is remembered. It may be called any number of times.
func (c *Client) EnsureUser(ctx context.Context, user User) error {
	if !user.valid() {
		return invalid(opCreateUser, "no user")
	}
	s := c.tokens.of(user)
	if err := s.take(ctx); err != nil {
		return abandoned(opCreateUser, err)
	}
	defer s.release()
	if c.tokens.exists(s) {
		return nil
	}
	var answer api.User
	err := c.call(ctx, c.tokens.client, request{
		op: opCreateUser, method: http.MethodPost, path: "/api/v2/users",
		body:   api.UserCreateParams{ID: user.ID, Password: c.password(user).Reveal()},
		answer: &answer, check: func() problem {
			if !strings.EqualFold(answer.ID, user.ID) {
				return "id is not the one asked for"
			}
			return ""
		},
	})
	if err != nil && !exists(err) {
		return err
	}
	c.tokens.found(s, err == nil)
	return nil
}

// exists reports whether err says that what was to be created is there already.
func exists(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusUnprocessableEntity && e.Code == "ENTITY_EXISTS"
}

func (u User) valid() bool { return u.ID != "" && len(u.ID) <= maxUserIDLength }
