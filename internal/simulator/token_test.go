package simulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

func TestTokenGrants(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	a.user("Robin+1")
	refresh := a.password("Robin+1").Refresh
	for name, tt := range map[string]struct {
		fields  string
		refresh bool // an answer has a refresh token
	}{
		"client":                 {"grant_type=client_credentials", false},
		"user":                   {"grant_type=password&username=Robin%2B1&password=password", true},
		"user, in another case":  {"grant_type=password&username=rOBIN%2b1&password=password", true},
		"refresh":                {"grant_type=refresh_token&refresh_token=" + refresh, false},
		"with a field too many":  {"grant_type=client_credentials&scope=all", false},
		"client names a user in": {"grant_type=client_credentials&username=nobody", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := a.grant(tt.fields)
			if len(got.Access) < 16 || got.Type != "bearer" || got.Scope != "all" || got.Expires != 3599 || (got.Refresh != "") != tt.refresh {
				t.Errorf("got %+v, want a bearer token for all, of 3599 s, with refresh token: %t", got, tt.refresh)
			}
		})
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{MaxUserLogins: -1})
	access := a.user("u")
	const credentials = "&client_id=client&client_secret=secret"
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"wrong client id":             {"grant_type=client_credentials&client_id=x&client_secret=secret", 401, "invalid_client"},
		"wrong client secret":         {"grant_type=client_credentials&client_id=client&client_secret=x", 401, "invalid_client"},
		"no client":                   {"grant_type=client_credentials", 401, "invalid_client"},
		"wrong client, right user":    {"grant_type=password&username=u&password=password&client_id=client&client_secret=x", 401, "invalid_client"},
		"wrong password":              {"grant_type=password&username=u&password=Password" + credentials, 400, "BAD_REQUEST"},
		"no password":                 {"grant_type=password&username=u" + credentials, 400, "BAD_REQUEST"},
		"unknown user":                {"grant_type=password&username=x&password=password" + credentials, 400, "BAD_REQUEST"},
		"unknown refresh token":       {"grant_type=refresh_token&refresh_token=x" + credentials, 400, "BAD_REQUEST"},
		"no refresh token":            {"grant_type=refresh_token" + credentials, 400, "BAD_REQUEST"},
		"access token as refresh one": {"grant_type=refresh_token&refresh_token=" + access + credentials, 400, "BAD_REQUEST"},
		"unknown grant":               {"grant_type=authorization_code" + credentials, 400, "BAD_REQUEST"},
		"no grant":                    {credentials, 400, "BAD_REQUEST"},
		"no form":                     {"grant_type=%zz", 400, "BAD_REQUEST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := a.send(request{
				method: http.MethodPost, path: "/api/v2/oauth/token", body: tt.body,
				header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			}).refused(tt.status, tt.code)
			if tt.status != http.StatusUnauthorized {
				return // the general shape, which the contracts check
			}
			body := decoded[map[string]string](got)
			if len(body) != 2 || body["error"] == "" || body["error_description"] == "" {
				t.Errorf("got %s, want error and error_description alone", got.body)
			}
		})
	}
	a.post("/api/v2/oauth/token", "", `{"grant_type":"client_credentials"}`).refused(415, "UNSUPPORTED_MEDIA_TYPE")
	a.login("grant_type="+strings.Repeat("x", 1<<20)).refused(400, "BAD_REQUEST")
}

// The endpoint repeats a token until it has expired, and says how little is left.
func TestTokenIsRepeatedUntilItExpires(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]string{
		"client": "grant_type=client_credentials",
		"user":   "grant_type=password&username=u&password=password",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, simulator.Config{})
			a.post("/api/v2/users", a.clientToken(), `{"id":"u","password":"password"}`).want(201)
			first := a.grant(fields)
			for _, step := range []struct {
				advance time.Duration
				left    int64
			}{{0, 3599}, {time.Millisecond, 3599}, {10*time.Second - time.Millisecond, 3589}, {50*time.Minute - 10*time.Second, 599}, {599 * time.Second, 1}, {999 * time.Millisecond, 1}} {
				a.clock.Advance(step.advance)
				if got := a.grant(fields); got.Access != first.Access || got.Refresh != first.Refresh || got.Expires != step.left {
					t.Errorf("%s later: %+v, want the same tokens with %d s left", step.advance, got, step.left)
				}
			}
			a.clock.Advance(time.Millisecond)
			if got := a.grant(fields); got.Access == first.Access || got.Refresh != first.Refresh || got.Expires != 3599 {
				t.Errorf("after an hour: %+v, want a new access token and the same refresh token as in %+v", got, first)
			}
		})
	}
}

func TestTokenLifeCanBeSet(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{TokenLife: time.Minute, RefreshLife: 2 * time.Minute})
	token := a.user("u")
	if got := a.password("u"); got.Expires != 59 {
		t.Errorf("%d s, want 59", got.Expires)
	}
	a.clock.Advance(time.Minute - 1)
	a.get("/api/v2/accounts", token).want(200)
	a.clock.Advance(1)
	a.get("/api/v2/accounts", token).refused(401, "invalid_token")
}

func TestRefreshGivesANewToken(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	a.user("u")
	first := a.password("u")
	a.clock.Advance(30 * time.Minute)
	second := a.grant("grant_type=refresh_token&refresh_token=" + first.Refresh)
	if second.Access == first.Access || second.Expires != 3599 {
		t.Errorf("got %+v, want another token than %s with 3599 s", second, first.Access)
	}
	if got := a.password("u"); got.Access != second.Access {
		t.Errorf("a login gives %s, want the newest token %s", got.Access, second.Access)
	}
	a.get("/api/v2/accounts", first.Access).want(200) // lives on until its own end
	a.clock.Advance(30 * time.Minute)
	a.get("/api/v2/accounts", first.Access).want(401)
	a.get("/api/v2/accounts", second.Access).want(200)

	a.clock.Advance(23*time.Hour - 1)
	a.grant("grant_type=refresh_token&refresh_token=" + first.Refresh)
	a.clock.Advance(1)
	a.login("grant_type=refresh_token&refresh_token="+first.Refresh).refused(400, "BAD_REQUEST")
	if got := a.password("u"); got.Refresh == first.Refresh {
		t.Error("a login repeats a refresh token that has expired")
	}
}

// What refreshing again and again piles up is bounded.
func TestOldestTokensOfAUserDie(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	a.user("u")
	first := a.password("u")
	last := first
	for range 64 {
		a.get("/api/v2/accounts", first.Access).want(200)
		last = a.grant("grant_type=refresh_token&refresh_token=" + first.Refresh)
	}
	a.get("/api/v2/accounts", first.Access).refused(401, "invalid_token")
	a.get("/api/v2/accounts", last.Access).want(200)
}

func TestWrongPasswordsLockTheUser(t *testing.T) {
	t.Parallel()
	const wrong, right = "grant_type=password&username=u&password=wrong", "grant_type=password&username=U&password=password"
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	refresh := a.password("u").Refresh
	for range 4 {
		a.login(wrong).refused(400, "BAD_REQUEST")
	}
	a.login(right).want(200) // and the count begins again
	for range 5 {
		a.login(wrong).refused(400, "BAD_REQUEST")
	}
	for _, fields := range []string{right, wrong, "grant_type=refresh_token&refresh_token=" + refresh} {
		a.login(fields).refused(423, "LOCKED")
	}
	a.clock.Advance(30 * time.Minute)
	a.login(right).refused(423, "LOCKED")
	a.get("/api/v2/accounts", token).want(200)
	a.user("other")

	for name, tt := range map[string]struct{ attempts, locked int }{"three": {3, 3}, "any number": {-1, 100}} {
		a := newAPIs(t, simulator.Config{MaxUserLogins: tt.attempts})
		a.user("u")
		for range tt.locked {
			a.login(wrong).refused(400, "BAD_REQUEST")
		}
		if got, locked := a.login(right).status, tt.attempts > 0; (got == 423) != locked {
			t.Errorf("%s: status %d, want locked: %t", name, got, locked)
		}
	}
}

func TestUnverifiedUser(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{UnverifiedUsers: true})
	a.post("/api/v2/users", a.clientToken(), `{"id":"u","password":"password"}`).want(201)
	a.login("grant_type=password&username=u&password=password").refused(403, "USER_NOT_VERIFIED")
	a.login("grant_type=password&username=u&password=wrong").refused(400, "BAD_REQUEST")
}

// Each call takes one kind of token and refuses the others in the words of its API.
func TestWhoseTokenACallNeeds(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{TokenLife: time.Minute})
	client := a.clientToken()
	user := a.user("u")
	refresh := a.password("u").Refresh
	form := a.form(user, testBank).ID
	missing := "/api/webForms/00000000-0000-0000-0000-000000000000"
	for _, tt := range []struct {
		method, path, body string
		client, user       int // status
	}{
		{"POST", "/api/v2/users", `{"id":1}`, 400, 403},
		{"GET", "/api/v2/banks", "", 200, 200},
		{"GET", "/api/v2/banks/280001", "", 200, 200},
		{"GET", "/api/v2/bankConnections", "", 403, 200},
		{"GET", "/api/v2/bankConnections/1", "", 403, 404},
		{"DELETE", "/api/v2/bankConnections/1", "", 403, 404},
		{"GET", "/api/v2/accounts", "", 403, 200},
		{"GET", "/api/v2/transactions?view=bankView", "", 403, 200},
		{"DELETE", "/api/v2/users", "", 403, 0},
		{"GET", "/api/webForms", "", 403, 200},
		{"POST", "/api/webForms/bankConnectionImport", testBank, 403, 201},
		{"GET", "/api/webForms/" + form, "", 403, 200},
		{"POST", missing + "/cancel", "", 403, 404},
		{"DELETE", missing, "", 403, 404},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			a := a.in(t)
			call := func(authorization string) answer {
				return a.send(request{method: tt.method, path: tt.path, body: tt.body, header: map[string]string{"Authorization": authorization}})
			}
			unknown := "invalid_token"
			if strings.HasPrefix(tt.path, "/api/webForms") {
				unknown = "UNAUTHORIZED"
			}
			for _, authorization := range []string{"", "Bearer", "Bearer x", "Basic " + user, user, "Bearer " + refresh} {
				call(authorization).refused(401, unknown)
			}
			for token, status := range map[string]int{client: tt.client, user: tt.user} {
				switch {
				case status == 403:
					call("Bearer "+token).refused(403, "FORBIDDEN")
				case status != 0:
					call("bearer " + token).want(status)
				}
			}
		})
	}
}

// A client that reads page by page finds out in the middle.
func TestTokenExpiresWhilePaging(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.loaded(token, testBank)
	a.clock.Advance(59 * time.Minute)
	pages := func(token string, page int) answer {
		return a.get(fmt.Sprintf("/api/v2/transactions?view=bankView&perPage=500&page=%d", page), token)
	}
	pages(token, 1).want(200)
	a.clock.Advance(time.Minute)
	refused := pages(token, 2).refused(401, "invalid_token")
	if body := decoded[map[string]string](refused); len(body) != 2 || body["error_description"] == "" {
		t.Errorf("got %s, want error and error_description alone", refused.body)
	}
	pages(a.password("u").Access, 2).want(200)
}
