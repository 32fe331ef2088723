//go:build specs

package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestProvidersDocuments makes sure that the provider's own documents were used:
// then every test of this package holds all answers against them, and the tests
// of the client also what it sends.
func TestProvidersDocuments(t *testing.T) {
	t.Parallel()
	if os.Getenv(specsVariable) == "" {
		t.Fatalf("set %s to the folder with the provider's OpenAPI documents", specsVariable)
	}
	for path, want := range map[string]int{ // how many documents know it, besides ours
		"POST /api/v2/oauth/token": 1, "POST /api/v2/users": 1, "DELETE /api/v2/users": 1, "GET /api/v2/banks": 1, "GET /api/v2/banks/1": 1,
		"GET /api/v2/bankConnections": 1, "GET /api/v2/bankConnections/1": 1, "DELETE /api/v2/bankConnections/1": 1,
		"GET /api/v2/accounts": 1, "GET /api/v2/transactions": 1,
		"POST /api/webForms/bankConnectionImport": 2, "GET /api/webForms": 2, "GET /api/webForms/x": 2, "DELETE /api/webForms/x": 2, "POST /api/webForms/x/cancel": 2,
		"POST /api/tasks/backgroundUpdate": 2, "GET /api/tasks": 2, "GET /api/tasks/x": 2,
	} {
		method, target, _ := strings.Cut(path, " ")
		n := 0
		for _, c := range contracts(t)[1:] {
			if _, known := c.input(t, httptest.NewRequest(method, target, nil)); known {
				n++
			}
		}
		if n != want {
			t.Errorf("%s is in %d of the provider's documents, want %d", path, n, want)
		}
	}
	// They know how times are written, which finapi.yaml does not say.
	for _, spelling := range []string{"2026-03-04T10:00:00.000Z", "2026-03-04T10:00:00+0000", "2026-03-04 10:00:00.000+0000"} {
		r := httptest.NewRequest(http.MethodGet, "/api/webForms/x", nil)
		for _, c := range contracts(t)[2:] {
			if err := c.problem(t, r, answer{status: 404, header: http.Header{"Content-Type": {"application/json"}},
				body: `{"code":"NOT_FOUND","description":"x","timestamp":"` + spelling + `","endpoint":"x"}`}); err == nil {
				t.Errorf("%s takes the time %s", c.name, spelling)
			}
		}
	}
}
