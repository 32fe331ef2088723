package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// contract is an OpenAPI document that calls are held against.
type contract struct {
	name    string
	router  routers.Router
	options *openapi3filter.Options
	// lax says that the document has lost which optional fields can be null.
	lax bool
}

// readContract loads a document for calls to any host. amend puts in what the
// document does not know.
func readContract(file string, times string, amend func(*openapi3.T)) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	if amend != nil {
		amend(doc)
	}
	for _, scheme := range doc.Components.SecuritySchemes {
		if scheme.Value.Type == "oauth2" { // an official document says too much here
			scheme.Value.Name, scheme.Value.In = "", ""
		}
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation(), openapi3.AllowExtraSiblingFields("description")); err != nil {
		return nil, err
	}
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
	}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.AllowExtraSiblingFields("description"))
	if err != nil {
		return nil, err
	}
	return &contract{name: file, router: router, options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.WithStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator(times)),
		},
	}}, nil
}

// How the two APIs write times.
const (
	accessTimes = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$`
	formTimes   = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$`
)

// specsVariable names the folder with the provider's documents. They are not ours
// to copy, so a fresh clone has none. A relative path begins beside go.mod.
const specsVariable = "BANKIMPORT_TEST_SPECS"

// readContracts gives the document that client and simulator share and, where the
// variable is set, the provider's. They are read once: all tests of this package
// use them.
var readContracts = sync.OnceValues(func() ([]*contract, error) {
	shared, err := readContract("../finapi/api/finapi.yaml", accessTimes, nil)
	if err != nil {
		return nil, err
	}
	all := []*contract{shared}
	folder := os.Getenv(specsVariable)
	if folder == "" {
		return all, nil
	}
	if !filepath.IsAbs(folder) {
		folder = filepath.Join("..", "..", folder)
	}
	for _, file := range []struct {
		name, times string
		amend       func(*openapi3.T)
	}{
		{"access-v2-derived-openapi.json", accessTimes, nil},
		{"webform-2.709.0-derived-openapi.json", formTimes, newerForms},
		{"webform-openapi.yaml", formTimes, newerForms},
	} {
		c, err := readContract(filepath.Join(folder, file.name), file.times, file.amend)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.name, err)
		}
		c.lax = true
		all = append(all, c)
	}
	return all, nil
})

func contracts(t *testing.T) []*contract {
	t.Helper()
	all, err := readContracts()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// newerForms adds what Web Form has had since these documents: the cancel call and
// the status that it leads to. The call's answers are those of reading a form.
func newerForms(doc *openapi3.T) {
	status := doc.Components.Schemas["WebFormStatus"].Value
	status.Enum = append(status.Enum, "CANCELLED")
	read, create := doc.Paths.Value("/api/webForms/{id}"), doc.Paths.Value("/api/webForms/bankConnectionImport")
	cancel := *read.Get
	cancel.OperationID = "cancel"
	cancel.Responses = openapi3.NewResponses()
	for code, response := range read.Get.Responses.Map() {
		cancel.Responses.Set(code, response)
	}
	cancel.Responses.Set("422", create.Post.Responses.Value("422"))
	doc.Paths.Set("/api/webForms/{id}/cancel", &openapi3.PathItem{Post: &cancel, Parameters: read.Parameters})
}

// holdsAnswer checks an answer, if the contract knows the call.
func (c *contract) holdsAnswer(t *testing.T, r *http.Request, a answer) {
	t.Helper()
	switch a.status {
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType: // in no contract
		return
	case http.StatusNotImplemented: // the simulator's own limits
		return
	}
	if err := c.problem(t, r, a); err != nil {
		t.Errorf("%s: answer to %s, status %d: %s", c.name, a.call, a.status, short(err))
	}
}

// problem is what is wrong with an answer.
func (c *contract) problem(t *testing.T, r *http.Request, a answer) error {
	t.Helper()
	input, known := c.input(t, r)
	if !known {
		return nil
	}
	body := []byte(a.body)
	if c.lax {
		body = withoutNulls(body)
	}
	return openapi3filter.ValidateResponse(r.Context(), (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.header, Options: c.options,
	}).SetBodyBytes(body))
}

// holdsRequest checks a request, whose body must be unread and is read.
func (c *contract) holdsRequest(t *testing.T, r *http.Request) bool {
	t.Helper()
	input, known := c.input(t, r)
	if !known {
		return false
	}
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		t.Errorf("%s: %s %s: %s", c.name, r.Method, r.URL.Path, short(err))
	}
	return true
}

func (c *contract) input(t *testing.T, r *http.Request) (*openapi3filter.RequestValidationInput, bool) {
	t.Helper()
	route, params, err := c.router.FindRoute(r)
	if e, ok := errors.AsType[*routers.RouteError](err); ok && (e.Reason == routers.ErrPathNotFound.Error() || e.Reason == routers.ErrMethodNotAllowed.Error()) {
		return nil, false
	}
	if err != nil {
		t.Fatalf("%s: %s %s: %v", c.name, r.Method, r.URL.Path, err)
	}
	for _, value := range params {
		if value == "" { // this router takes nothing for an id
			return nil, false
		}
	}
	return &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: c.options}, true
}

func short(err error) string {
	text := err.Error()
	if len(text) > 1500 {
		text = text[:1500] + " …"
	}
	return text
}

// withoutNulls leaves out members that are null. One that is required is missed
// then. What is no JSON stays as it is.
func withoutNulls(body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return body
	}
	stripNulls(v)
	b, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return b
}

func stripNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if inner == nil {
				delete(v, name)
				continue
			}
			stripNulls(inner)
		}
	case []any:
		for _, inner := range v {
			stripNulls(inner)
		}
	}
}

// TestContractNotices shows that the check can fail.
func TestContractNotices(t *testing.T) {
	t.Parallel()
	good := `{"id":"` + strings.Repeat("a", 36) + `","url":"https://x","createdAt":"2026-03-04T10:00:00.000+0000","expiresAt":"2026-03-04T10:20:00.000+0000",` +
		`"type":"BANK_CONNECTION_IMPORT","status":"EXPIRED","payload":{"bankConnectionId":1,"errorCode":null}}`
	for name, tt := range map[string]struct {
		status int
		body   string
		fails  bool
	}{
		"a good answer":        {200, good, false},
		"a required field":     {200, strings.Replace(good, `"type"`, `"kind"`, 1), true},
		"a value of an enum":   {200, strings.Replace(good, "EXPIRED", "ERROR", 1), true},
		"null where it is not": {200, strings.Replace(good, `"EXPIRED"`, "null", 1), true},
		"another type":         {200, strings.Replace(good, `:1,`, `:"1",`, 1), true},
		"a length":             {200, strings.Replace(good, "aa", "a", 1), true},
		"a status":             {409, good, true},
		"another shape":        {404, good, true},
		"no JSON":              {200, "<html>", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/api/webForms/x", nil)
			for _, c := range contracts(t) {
				if _, known := c.input(t, r); !known {
					continue
				}
				err := c.problem(t, r, answer{status: tt.status, body: tt.body, header: http.Header{"Content-Type": {"application/json"}}})
				if (err != nil) != tt.fails {
					t.Errorf("%s: got %v, want an error: %t", c.name, err, tt.fails)
				}
			}
		})
	}
}
