package simulator_test

import (
	"testing"

	"github.com/bankimport/bankimport/internal/simulator"
)

const passwordOfU = "grant_type=password&username=u&password=password"

func loginFaultTests() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"token-down": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("token-down:count=2")
			for range 2 {
				a.unchecked().login("grant_type=client_credentials").want(503)
				a.get("/api/v2/accounts", token).want(200)
			}
			a.login("grant_type=client_credentials").want(200)
		},
		"client-refused": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			a.user("u")
			a.on("client-refused")
			a.login("grant_type=client_credentials").refused(401, "invalid_client")
			a.login(passwordOfU).refused(401, "invalid_client")
		},
		"user-refused": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			a.user("u")
			a.on("user-refused@user=U")
			a.login(passwordOfU).refused(400, "BAD_REQUEST")
			a.login("grant_type=client_credentials").want(200)
		},
		"user-locked": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			a.user("u")
			refresh := a.password("u").Refresh
			a.on("user-locked@user=u")
			a.login(passwordOfU).refused(423, "LOCKED")
			a.login("grant_type=refresh_token&refresh_token="+refresh).refused(423, "LOCKED")
			a.login("grant_type=client_credentials").want(200)
			a.user("v")
			a.ClearFaults()
			a.login(passwordOfU).want(200)
		},
		"token-forever": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			a.user("u")
			a.on("token-forever")
			if got := a.password("u"); got.Expires != 0 || got.Access == "" {
				t.Errorf("got %+v, want a token with expires_in 0", got)
			}
		},
		"token-dies": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.loaded(token, testBank)
			f := a.form(token, redirectBank)
			a.on("token-dies")
			page := "/api/v2/transactions?view=bankView&perPage=500&page="
			a.get(page+"1", token).want(200)
			a.get(page+"2", token).refused(401, "invalid_token")
			a.get(page+"2", token).refused(401, "invalid_token") // until the next login
			fresh := a.password("u").Access
			for _, n := range []string{"2", "3", "4"} {
				a.get(page+n, fresh).want(200)
			}
			a.open(f).connects()
			if got := a.formNow(fresh, f.ID); got.code() != "INVALID_TOKEN" {
				t.Errorf("the form that the dead token made ends as %s %s", got.Status, got.code())
			}
		},
		"token-refused": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.on("token-refused:op=list-accounts")
			a.get("/api/v2/accounts", token).refused(401, "invalid_token")
			a.get("/api/v2/accounts", a.password("u").Access).refused(401, "invalid_token")
			a.get("/api/v2/bankConnections", token).want(200)
		},
		"user-deleted": func(t *testing.T) {
			a := newAPIs(t, simulator.Config{})
			token, other := a.user("u"), a.user("v")
			a.connect(token, testBank) // still busy: somebody is stronger than that
			a.on("user-deleted:op=list-accounts,after=0@user=u")
			a.get("/api/v2/accounts", other).want(200)
			a.get("/api/v2/accounts", token).refused(401, "invalid_token")
			a.login(passwordOfU).refused(400, "BAD_REQUEST")
			if got := a.Journal().Connections; len(got) != 0 {
				t.Errorf("%+v is left", got)
			}
		},
	}
}
