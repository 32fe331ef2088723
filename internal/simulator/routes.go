package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// methods are the operations on one path.
type methods map[string]operation

// routes is everything that the simulator serves. Paths of the two APIs do not
// clash, so one base URL serves both.
func (s *Simulator) routes() http.Handler {
	access, webForm := accessDialect{}, formDialect{}
	apis := map[string]methods{
		"/api/v2/oauth/token":          {http.MethodPost: {"token", access, noToken, s.issueToken}},
		"/api/v2/users":                {http.MethodPost: {"create user", access, clientToken, s.createUser}, http.MethodDelete: {"delete user", access, userToken, s.deleteUser}},
		"/api/v2/banks":                {http.MethodGet: {"list banks", access, anyToken, s.listBanks}},
		"/api/v2/banks/{id}":           {http.MethodGet: {"get bank", access, anyToken, s.getBank}},
		"/api/v2/bankConnections":      {http.MethodGet: {"list connections", access, userToken, s.listConnections}},
		"/api/v2/bankConnections/{id}": {http.MethodGet: {"get connection", access, userToken, s.getConnection}, http.MethodDelete: {"delete connection", access, userToken, s.deleteConnection}},
		"/api/v2/accounts":             {http.MethodGet: {"list accounts", access, userToken, s.listAccounts}},
		"/api/v2/transactions":         {http.MethodGet: {"list transactions", access, userToken, s.listTransactions}},
		"/api/v2/pendingTransactions":  {http.MethodGet: {"list pending", access, userToken, s.listPending}},

		"/api/webForms":                      {http.MethodGet: {"list forms", webForm, userToken, s.listForms}},
		"/api/webForms/bankConnectionImport": {http.MethodPost: {"create form", webForm, userToken, s.createForm}},
		// The update call of 2022 is gone; without this line its name would be taken for an id.
		"/api/webForms/bankConnectionUpdate": {},
		"/api/webForms/{id}":                 {http.MethodGet: {"get form", webForm, userToken, s.getForm}, http.MethodDelete: {"delete form", webForm, userToken, s.deleteForm}},
		"/api/webForms/{id}/cancel":          {http.MethodPost: {"cancel form", webForm, userToken, s.cancelForm}},

		"/api/tasks":                  {http.MethodGet: {"list tasks", webForm, userToken, s.listTasks}},
		"/api/tasks/backgroundUpdate": {http.MethodPost: {"create task", webForm, userToken, s.createTask}},
		"/api/tasks/{id}":             {http.MethodGet: {"get task", webForm, userToken, s.getTask}},
	}
	mux := http.NewServeMux()
	for path, m := range apis {
		mux.Handle(path, s.byMethod(m, dialectOf(path)))
	}
	for _, path := range []string{"/api/v2/", "/api/"} {
		mux.Handle(path, s.serve(operation{"unknown path", dialectOf(path), noToken, func(*call) (int, any, *refusal) {
			return 0, nil, unknownEntity()
		}}))
	}
	s.pageRoutes(mux)
	return mux
}

func dialectOf(path string) dialect {
	if strings.HasPrefix(path, "/api/v2/") {
		return accessDialect{}
	}
	return formDialect{}
}

// byMethod picks the operation. Any other method is answered in the API's own
// words instead of Go's.
func (s *Simulator) byMethod(m methods, d dialect) http.Handler {
	handlers := make(map[string]http.Handler, len(m)) // by method
	var allowed []string
	for method, o := range m {
		handlers[method] = s.serve(o)
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	other := s.serve(operation{"wrong method", d, noToken, func(*call) (int, any, *refusal) {
		return 0, nil, refuse(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Diese Methode gibt es hier nicht.", "This method is not allowed here.")
	}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := handlers[r.Method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		other.ServeHTTP(w, r)
	})
}
