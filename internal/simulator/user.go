package simulator

import (
	"crypto/subtle"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// user is somebody whom the client created.
type user struct {
	id, password string
	email, phone string
	autoUpdate   bool
	verified     bool
	badLogins    int // in a row
	locked       bool

	access, refresh *token
	live            []*token // access tokens that may not have expired, oldest first

	connections []*connection // by id; a new list for each removal and update, so a reader may keep it
	forms       []*form       // oldest first
	tasks       []*task       // oldest first
}

// login checks the password. A locked user stays locked: only the provider's
// support can help.
func (u *user) login(password string, attempts int) *refusal {
	if u.locked {
		return lockedLogin()
	}
	if subtle.ConstantTimeCompare([]byte(password), []byte(u.password)) != 1 {
		u.badLogins++
		u.locked = attempts > 0 && u.badLogins >= attempts
		return badLogin()
	}
	u.badLogins = 0
	if !u.verified {
		return refuse(http.StatusForbidden, "USER_NOT_VERIFIED", "Der Benutzer ist nicht verifiziert.", "The user is not verified.")
	}
	return nil
}

// createUser is POST /api/v2/users.
func (s *Simulator) createUser(c *call) (int, any, *refusal) {
	body, no := c.body("application/json")
	if no != nil {
		return 0, nil, no
	}
	in, err := parseObject(body)
	if err != nil {
		return 0, nil, badRequest("Die Anfrage ist kein gültiges JSON-Objekt.", "The request is no valid JSON object: "+err.Error()+".")
	}
	id := in.text("id", 1, 36)
	if !regexp.MustCompile(`^[0-9A-Za-z_.+@-]*$`).MatchString(id) {
		in.complain("id", "may have letters, digits and - _ . + @ only")
	}
	u := &user{
		id: id, password: in.text("password", 6, 128), email: in.text("email", 1, 320), phone: in.text("phone", 1, 50),
		autoUpdate: in.flag("isAutoUpdateEnabled"), verified: !s.config.UnverifiedUsers,
	}
	if problem := in.finish(); len(problem) > 0 {
		text := problem[0].Field + " " + problem[0].Message
		return 0, nil, badRequest("Ungültig: "+text+".", "Invalid: "+text+".")
	}
	if u.id == "" {
		u.id = uuid.NewString()
	}
	if u.password == "" {
		u.password = uuid.NewString()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(u.id)
	if s.users[key] != nil {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "ENTITY_EXISTS", "Diese Benutzer-ID gibt es schon.", "A user with this id exists already.")
	}
	if len(s.users) >= s.config.MaxUsers {
		return 0, nil, full("MaxUsers")
	}
	s.users[key] = u
	return http.StatusCreated, api.User{ID: u.id, Password: api.UnreadText(u.password), Email: api.UnreadText(u.email), Phone: api.UnreadText(u.phone), IsAutoUpdateEnabled: api.UnreadFlag(u.autoUpdate)}, nil
}

// deleteUser is DELETE /api/v2/users: the user goes and takes everything along.
func (s *Simulator) deleteUser(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := c.user()
	for _, conn := range u.connections {
		if conn.busy(c.now) || s.taskRuns(conn) {
			return 0, nil, locked()
		}
	}
	s.forgetUser(u)
	return http.StatusOK, nil, nil
}

// forgetUser takes a user out, with everything. The caller holds the mutex.
func (s *Simulator) forgetUser(u *user) {
	for _, conn := range u.connections {
		s.forgetConnection(conn)
	}
	for _, f := range slices.Clone(u.forms) {
		s.forgetForm(f)
	}
	for _, t := range slices.Clone(u.tasks) {
		s.forgetTask(t)
	}
	for _, t := range append(u.live, u.refresh) {
		s.forgetToken(t)
	}
	delete(s.users, strings.ToLower(u.id))
	s.changed()
}

// userByID finds a user, nil if there is none. The caller holds the mutex.
func (s *Simulator) userByID(id string) *user { return s.users[strings.ToLower(id)] }
