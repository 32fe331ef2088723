package simulator

import (
	"encoding/json"
	"slices"
)

// loginFaults are about tokens, and about whom the provider knows.
func loginFaults() []*faultKind {
	token := []string{"token"}
	withToken := tokenOperations()
	return []*faultKind{
		{name: "token-down", what: "The token endpoint alone is down: 503 from the gateway.", ops: token, call: func(x *exchange) { x.gateway(503) }},
		{name: "client-refused", what: "The token endpoint refuses the client: 401.", ops: token, call: func(x *exchange) { x.refuse(badClient()) }},
		{name: "user-refused", what: "The token endpoint refuses the user's password: 400.", ops: token, needs: aUser, call: func(x *exchange) { x.refuse(badLogin()) }},
		{name: "user-locked", what: "The token endpoint says that the user is locked: 423.", ops: token, needs: aUser, call: func(x *exchange) { x.refuse(lockedLogin()) }},
		{name: "token-forever", what: "Tokens say that they never expire; they do all the same.", ops: token, edit: func(e *edit) { e.body["expires_in"] = json.Number("0") }},
		{
			name: "token-dies", what: "The user's tokens die before this call: 401 until the next login. So forms made with them end as INVALID_TOKEN.",
			ops: withToken, needs: aUser, standard: Fault{Operation: "list-transactions", After: 1, Count: 1}, call: func(x *exchange) {
				x.s.killTokens(x.at.user, x.c)
				x.next(x.w)
			},
		},
		{name: "token-refused", what: "The user's token is refused, however fresh: 401.", ops: withToken, needs: aUser, call: func(x *exchange) { x.refuse(unauthorized()) }},
		{
			name: "user-deleted", what: "Somebody deletes the user with everything before this call: 401, and 400 at the next login.",
			ops: withToken, needs: aUser, standard: Fault{Operation: "list-transactions", After: 1, Count: 1}, call: func(x *exchange) {
				x.s.mu.Lock()
				if u := x.s.userByID(x.at.user); u != nil {
					x.s.forgetUser(u)
				}
				x.s.mu.Unlock()
				x.next(x.w)
			},
		},
	}
}

// tokenOperations are the calls that need a user's token.
func tokenOperations() []string {
	return slices.DeleteFunc(operationNames(), func(op string) bool { return op == "token" || op == "create-user" })
}

// killTokens lets all tokens of a user expire now.
func (s *Simulator) killTokens(id string, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.userByID(id); u != nil {
		for _, t := range u.live {
			t.expires = c.now
		}
	}
}
