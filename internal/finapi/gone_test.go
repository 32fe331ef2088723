package finapi

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestUserGone: a login that is refused although it went well before is a user who
// was deleted, and one that never went well may be a wrong key.
func TestUserGone(t *testing.T) {
	t.Parallel()
	refuse := answer(400, authError("invalid_grant"))
	for name, test := range map[string]struct {
		before bool // it went well before
		status int
		body   string
		code   string
		alarms float64
	}{
		"deleted":             {true, 400, authError("invalid_grant"), CodeUserGone, 0},
		"never seen":          {false, 400, authError("invalid_grant"), CodeUserRefused, 1},
		"locked":              {true, 423, accessError("LOCKED"), CodeUserRefused, 1},
		"not verified":        {true, 403, accessError("USER_NOT_VERIFIED"), CodeUserRefused, 1},
		"maybe a gateway's":   {true, 400, "<html>canary</html>", CodeUserRefused, 1},
		"without a body":      {true, 400, "", CodeUserRefused, 1},
		"the client is wrong": {true, 401, authError("invalid_client"), CodeClientRefused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				c := p.client(t)
				user := c.User("u")
				if test.before {
					if err := readForm(t.Context(), c, user); err != nil {
						t.Fatal(err)
					}
				}
				p.on("user_token", answer(test.status, test.body))
				p.on("get_form", answer(401, authError("invalid_token")))
				time.Sleep(time.Minute)
				for range 2 { // the second one is told from memory
					err := readForm(t.Context(), c, user)
					wantError(t, err, map[string]Class{CodeClientRefused: ClassUnavailable, CodeUserGone: ClassPermanent, CodeUserRefused: ClassPermanent}[test.code], test.code)
					if UserGone(err) != (test.code == CodeUserGone) {
						t.Errorf("UserGone(%v) is %t", err, UserGone(err))
					}
				}
				if got := testutil.ToFloat64(c.metrics.userRefused); got != test.alarms {
					t.Errorf("got %v refused logins counted, want %v: a deleted user is nothing to look after", got, test.alarms)
				}
			})
		})
	}

	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		c := p.client(t)
		user := c.User("u")
		create := func() {
			t.Helper()
			if err := c.EnsureUser(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		}
		create()
		if err := readForm(t.Context(), c, user); err != nil {
			t.Fatal(err)
		}
		p.on("get_form", answer(401, authError("invalid_token")))
		p.on("user_token", refuse)
		time.Sleep(time.Minute)
		wantError(t, readForm(t.Context(), c, user), ClassPermanent, CodeUserGone)
		p.on("create_user", answer(422, accessError("ENTITY_EXISTS")))
		create()
		wantError(t, readForm(t.Context(), c, user), ClassPermanent, CodeUserRefused) // it is there, with another password
		p.on("create_user", nil)
		p.on("user_token", nil)
		p.on("get_form", nil)
		create()
		if err := readForm(t.Context(), c, user); err != nil {
			t.Errorf("created anew: %v", err)
		}
	})
}
