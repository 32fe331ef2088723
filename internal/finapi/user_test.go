package finapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDerivedUserNeverChanges(t *testing.T) {
	t.Parallel()
	c := newProvider().client(t)
	// Another value here means that every user of every installation is lost.
	user := c.User("upstream-user-1")
	if want := "bi-wyelwg6at362bhgulpdorudmrjuk7yos"; user.ID != want {
		t.Errorf("got id %q, want %q", user.ID, want)
	}
	if got, want := c.password(user).Reveal(), "SjEzy-X9vsVvxUW6fSDVNAJYsHgBNngnUALp"; got != want {
		t.Errorf("got password %q, want %q", got, want)
	}
}

func TestDerivedUsers(t *testing.T) {
	t.Parallel()
	c := newProvider().client(t)
	other := newProvider().client(t, func(config *Config) { config.UserKey += "x" })
	seen := map[string]string{} // by id and password: upstream id
	for _, upstream := range []string{"a", "A", "b", "", " ", "ä", "user@example.test", strings.Repeat("x", 128), "a\x00"} {
		u := c.User(upstream)
		password := c.password(u).Reveal()
		if len(u.ID) > 36 || u.ID != strings.ToLower(u.ID) || strings.Trim(u.ID, "abcdefghijklmnopqrstuvwxyz234567-") != "" {
			t.Errorf("%q: got id %q, want at most 36 lower-case characters that the provider takes", upstream, u.ID)
		}
		if len(password) != 36 {
			t.Errorf("%q: got a password of %d characters, want 36", upstream, len(password))
		}
		for _, key := range []string{u.ID, password} {
			if twin, ok := seen[key]; ok {
				t.Errorf("%q and %q share an id or a password", upstream, twin)
			}
			seen[key] = upstream
		}
		if other.User(upstream) != u {
			t.Errorf("%q: the id depends on the key", upstream)
		}
		if other.password(u).Reveal() == password {
			t.Errorf("%q: the password does not depend on the key", upstream)
		}
	}
}

func TestEnsureUser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		class  Class // empty: it goes well
		code   string
	}{
		"exists":                {422, accessError("ENTITY_EXISTS"), "", ""},
		"exists, other case":    {201, "", "", ""},
		"refused":               {422, accessError("ILLEGAL_ENTITY_STATE"), ClassPermanent, "ILLEGAL_ENTITY_STATE"},
		"conflict is not a 422": {409, accessError("ENTITY_EXISTS"), ClassUser, "ENTITY_EXISTS"},
		"another user":          {201, `{"id":"somebody","password":"canary","isAutoUpdateEnabled":false}`, ClassRetry, CodeMalformed},
		"no user":               {201, `{"password":"canary"}`, ClassRetry, CodeMalformed},
		"our token refused":     {401, authError("invalid_token"), ClassUnavailable, CodeTokenRefused},
		"wrong client":          {403, accessError("FORBIDDEN"), ClassUnavailable, "FORBIDDEN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				c := p.client(t)
				user := c.User("u")
				body := test.body
				if body == "" {
					body = `{"id":"` + strings.ToUpper(user.ID) + `","password":"p","isAutoUpdateEnabled":false}`
				}
				p.on("create_user", answer(test.status, body))
				err := c.EnsureUser(t.Context(), user)
				if test.class != "" {
					wantError(t, err, test.class, test.code)
				} else if err != nil {
					t.Fatal(err)
				}
				if p.on("create_user", answer(500, "")); test.class == "" {
					if err := c.EnsureUser(t.Context(), user); err != nil {
						t.Errorf("it is not remembered: %v", err)
					}
				}
			})
		})
	}
}

func TestUserIsCreatedOnceForMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		var sent struct {
			ID, Password        string
			IsAutoUpdateEnabled *bool
		}
		p.on("create_user", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
				t.Error(err)
			}
			reply(w, 201, `{"id":"`+sent.ID+`","password":"p","isAutoUpdateEnabled":false}`)
		})
		c := p.client(t)
		user := c.User("u")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := c.EnsureUser(t.Context(), user); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := p.count("create_user"); got != 1 {
			t.Errorf("got %d creations for 100 callers, want 1", got)
		}
		if sent.ID != user.ID || sent.Password != c.password(user).Reveal() || sent.IsAutoUpdateEnabled != nil {
			t.Errorf("got %+v, want the derived id and password and nothing else", sent)
		}
	})
}
