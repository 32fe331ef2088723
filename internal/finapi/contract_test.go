package finapi

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// document loads an OpenAPI document for requests to any host.
func document(t *testing.T, path string) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// TestContract holds every request of the client against finapi.yaml.
func TestContract(t *testing.T) {
	t.Parallel()
	router := document(t, "api/finapi.yaml")
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	p := newProvider()
	checked := 0
	transport := transportFunc(func(r *http.Request) (*http.Response, error) {
		body := []byte{}
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		route, params, err := router.FindRoute(r)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			return p.RoundTrip(r)
		}
		input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		checked++
		return p.RoundTrip(r)
	})
	config := testConfig()
	config.Transport = transport
	config.RedirectURL = "https://app.example.test/done"
	c := newClient(t, config)
	user := c.User("u")
	for _, name := range callNames() {
		if err := calls(c, user)[name](t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.CreateForm(t.Context(), user, FormRequest{
		BankID: 280001, ConnectionName: "x", AccountTypes: []string{"checking"}, MaxDays: 90,
		ProfileID: testFormID, CallbackURL: "https://bridge.example.test/callbacks/finapi/x",
	}); err != nil {
		t.Error(err)
	}
	for _, h := range []*host{c.accessHost, c.webFormHost} {
		if !c.ping(t.Context(), h) {
			t.Errorf("%s: got it down, want healthy", h.name)
		}
	}
	if want := len(callNames()) + 5; checked != want {
		t.Errorf("got %d requests checked, want %d", checked, want)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
