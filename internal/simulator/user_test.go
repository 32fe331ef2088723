package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// newUser is a user as the answer to its creation shows it.
type newUser struct {
	ID, Password        string
	Email, Phone        string
	IsAutoUpdateEnabled bool
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	client := a.clientToken()
	for name, tt := range map[string]struct {
		request string
		want    newUser // without id or password: they are made up
	}{
		"nothing given": {`{}`, newUser{}},
		"nulls":         {`{"id":null,"password":null,"email":null,"phone":null,"isAutoUpdateEnabled":null}`, newUser{}},
		"everything": {
			`{"id":"Ab.1-_+@","password":"123456","email":"a","phone":"1","isAutoUpdateEnabled":true}`,
			newUser{"Ab.1-_+@", "123456", "a", "1", true},
		},
		"longest": {
			fmt.Sprintf(`{"id":%q,"password":%q,"email":%q,"phone":%q}`, long(36), long(128), long(320), long(50)),
			newUser{long(36), long(128), long(320), long(50), false},
		},
		"password of characters, not bytes": {`{"id":"u","password":"öäüßéà"}`, newUser{ID: "u", Password: "öäüßéà"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := decoded[newUser](a.post("/api/v2/users", client, tt.request).want(201))
			if tt.want.ID == "" && len(got.ID) == 36 && len(got.Password) == 36 {
				tt.want.ID, tt.want.Password = got.ID, got.Password
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestCreateUserRefusals(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	client := a.clientToken()
	for name, body := range map[string]string{
		"empty id":            `{"id":""}`,
		"id too long":         `{"id":"` + long(37) + `"}`,
		"id with a space":     `{"id":"a b"}`,
		"id with an umlaut":   `{"id":"ä"}`,
		"id with a line end":  `{"id":"a\n"}`,
		"id a number":         `{"id":1}`,
		"password too short":  `{"password":"12345"}`,
		"password too long":   `{"password":"` + long(129) + `"}`,
		"empty email":         `{"email":""}`,
		"email too long":      `{"email":"` + long(321) + `"}`,
		"phone too long":      `{"phone":"` + long(51) + `"}`,
		"flag a text":         `{"isAutoUpdateEnabled":"true"}`,
		"unknown field":       `{"id":"x","name":"x"}`,
		"field twice":         `{"id":"x","id":"y"}`,
		"other case of field": `{"ID":"x"}`,
		"a list":              `[]`,
		"null":                `null`,
		"nothing":             ``,
		"two objects":         `{}{}`,
		"broken UTF-8":        "{\"email\":\"\xff\"}",
		"too large":           `{"email":"` + long(1<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			a.post("/api/v2/users", client, body).refused(400, "BAD_REQUEST")
		})
	}
}

func TestUserIDsIgnoreCase(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("Robin")
	for _, id := range []string{"Robin", "robin", "ROBIN"} {
		a.post("/api/v2/users", a.clientToken(), `{"id":"`+id+`"}`).refused(422, "ENTITY_EXISTS")
	}
	if got := a.password("rObIn").Access; got != token {
		t.Error("the same user in another case has another token")
	}
	if f := a.form(token, `{}`); a.Journal().Forms[0].User != "Robin" {
		t.Errorf("form %s is that of %q, want the id as it was given", f.ID, a.Journal().Forms[0].User)
	}
}

func TestMaxUsers(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{MaxUsers: 2})
	a.user("a")
	token := a.user("b")
	got := a.post("/api/v2/users", a.clientToken(), `{}`).refused(500, "UNEXPECTED_ERROR")
	if !strings.Contains(got.body, `"TECHNICAL"`) || !strings.Contains(got.body, "MaxUsers") {
		t.Errorf("got %s, want a technical error that names the setting", got.body)
	}
	a.post("/api/v2/users", a.clientToken(), `{"id":"A"}`).refused(422, "ENTITY_EXISTS")
	a.delete("/api/v2/users", token).want(200)
	a.user("c")
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token, other := a.user("u"), a.user("other")
	refresh := a.password("u").Refresh
	connection := a.connect(token, testBank)
	kept := a.connect(other, testBank)
	open := a.form(token, `{"callbacks":{"finalised":"https://bridge.example/x"}}`)
	a.delete("/api/v2/users", token).refused(423, "LOCKED")
	a.clock.Advance(5*time.Second - 1) // until the rows are categorized
	a.delete("/api/v2/users", token).refused(423, "LOCKED")
	a.get(fmt.Sprint("/api/v2/bankConnections/", connection), token).want(200)
	a.clock.Advance(1)
	if got := a.delete("/api/v2/users", token).want(200); got.body != "" {
		t.Errorf("body %q, want none", got.body)
	}

	a.get("/api/v2/accounts", token).refused(401, "invalid_token")
	a.login("grant_type=password&username=u&password=password").refused(400, "BAD_REQUEST")
	a.login("grant_type=refresh_token&refresh_token="+refresh).refused(400, "BAD_REQUEST")
	a.get("/wf/"+open.ID, "").want(404)
	j := a.Journal()
	if len(j.Connections) != 1 || j.Connections[0].ID != kept {
		t.Errorf("connections %+v, want that of the other user alone", j.Connections)
	}
	if len(j.Forms) != 1 || j.Forms[0].User != "other" {
		t.Errorf("forms %+v, want that of the other user alone", j.Forms)
	}

	again := a.user("u")
	a.get(fmt.Sprint("/api/v2/bankConnections/", connection), again).refused(404, "UNKNOWN_ENTITY")
	if id := a.connect(again, testBank); id <= connection {
		t.Errorf("the bank connected anew has the id %d, want one above %d", id, connection)
	}
}

func long(n int) string { return strings.Repeat("a", n) }
