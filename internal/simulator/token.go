package simulator

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// tokenKind is whose token a call needs.
type tokenKind int

const (
	noToken tokenKind = iota
	clientToken
	userToken
	anyToken
)

// maxUserTokens bounds what refreshing again and again can pile up. The oldest
// one dies early then.
const maxUserTokens = 64

// token is an access token or a refresh token.
type token struct {
	text    string
	user    *user // nil: the client's
	expires time.Time
	refresh bool
}

func (t *token) alive(now time.Time) bool { return t != nil && now.Before(t.expires) }

// authenticate finds out whose call it is.
func (s *Simulator) authenticate(c *call, needs tokenKind) *refusal {
	if needs == noToken {
		return nil
	}
	scheme, text, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[strings.TrimSpace(text)]
	if !strings.EqualFold(scheme, "Bearer") || !t.alive(c.now) || t.refresh {
		return unauthorized()
	}
	c.token = t
	if (needs == clientToken && t.user != nil) || (needs == userToken && t.user == nil) {
		return wrongToken()
	}
	return nil
}

// badClient refuses the client's credentials. That is the one refusal here in the
// shape that OAuth has for it; the provider's document gives the others the
// general one.
func badClient() *refusal {
	return &refusal{status: http.StatusUnauthorized, code: "UNAUTHORIZED", auth: "invalid_client", en: "Bad client credentials."}
}

// issueToken is POST /api/v2/oauth/token.
func (s *Simulator) issueToken(c *call) (int, any, *refusal) {
	body, no := c.body("application/x-www-form-urlencoded")
	if no != nil {
		return 0, nil, no
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return 0, nil, badRequest("Der Inhalt ist nicht als Formular kodiert.", "The body is not form-encoded.")
	}
	if form.Get("client_id") != s.config.ClientID || form.Get("client_secret") != s.config.ClientSecret {
		return 0, nil, badClient()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var granted api.AccessToken
	switch api.GrantType(form.Get("grant_type")) {
	case api.GrantTypeClientCredentials:
		granted = s.grantClient(c.now)
	case api.GrantTypePassword:
		granted, no = s.grantPassword(c.now, form.Get("username"), form.Get("password"))
	case api.GrantTypeRefreshToken:
		granted, no = s.grantRefresh(c.now, form.Get("refresh_token"))
	default:
		no = badRequest("grant_type ist keines von client_credentials, password und refresh_token.", "The grant_type is none of client_credentials, password and refresh_token.")
	}
	return http.StatusOK, granted, no
}

func (s *Simulator) grantClient(now time.Time) api.AccessToken {
	if !s.client.alive(now) {
		s.forgetToken(s.client)
		s.client = s.newToken(nil, now.Add(s.config.TokenLife))
	}
	return s.client.answer(now)
}

// grantPassword repeats the user's token until it has expired.
func (s *Simulator) grantPassword(now time.Time, name, password string) (api.AccessToken, *refusal) {
	u := s.users[strings.ToLower(name)]
	if u == nil {
		return api.AccessToken{}, badLogin()
	}
	if no := u.login(password, s.config.MaxUserLogins); no != nil {
		return api.AccessToken{}, no
	}
	if !u.access.alive(now) {
		s.renew(u, now)
	}
	if !u.refresh.alive(now) {
		s.forgetToken(u.refresh)
		u.refresh = s.newToken(u, now.Add(s.config.RefreshLife))
		u.refresh.refresh = true
	}
	a := u.access.answer(now)
	a.RefreshToken = u.refresh.text
	return a, nil
}

// grantRefresh gives a new token with its full life. The provider's documents do
// not say whether it would; the old token stays alive until it expires.
func (s *Simulator) grantRefresh(now time.Time, text string) (api.AccessToken, *refusal) {
	t := s.tokens[text]
	if !t.alive(now) || !t.refresh {
		return api.AccessToken{}, badRequest("Das Refresh-Token ist unbekannt oder abgelaufen.", "The refresh token is unknown or expired.")
	}
	if t.user.locked {
		return api.AccessToken{}, lockedLogin()
	}
	s.renew(t.user, now)
	return t.user.access.answer(now), nil
}

func badLogin() *refusal {
	return badRequest("Die Zugangsdaten des Benutzers sind falsch.", "Bad user credentials.")
}

func lockedLogin() *refusal {
	return refuse(http.StatusLocked, "LOCKED", "Der Benutzer ist nach zu vielen falschen Anmeldungen gesperrt.", "The user is locked after too many bad logins.")
}

// renew gives a user another access token. The caller holds the mutex.
func (s *Simulator) renew(u *user, now time.Time) {
	kept := u.live[:0]
	for i, t := range u.live {
		if t.alive(now) && len(u.live)-i < maxUserTokens {
			kept = append(kept, t)
		} else {
			s.forgetToken(t)
		}
	}
	clear(u.live[len(kept):])
	u.access = s.newToken(u, now.Add(s.config.TokenLife))
	u.live = append(kept, u.access)
}

// newToken makes a token. The caller holds the mutex.
func (s *Simulator) newToken(u *user, expires time.Time) *token {
	t := &token{text: rand.Text(), user: u, expires: expires}
	s.tokens[t.text] = t
	return t
}

func (s *Simulator) forgetToken(t *token) {
	if t != nil {
		delete(s.tokens, t.text)
	}
}

// answer tells the whole seconds that are left, of an hour 3599 at first.
func (t *token) answer(now time.Time) api.AccessToken {
	left := max(int64((t.expires.Sub(now)-1)/time.Second), 1) // 0 would mean for ever
	return api.AccessToken{AccessToken: t.text, TokenType: "bearer", ExpiresIn: &left, Scope: "all"}
}
