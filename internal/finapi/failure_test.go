package finapi

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadFailure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want failure
	}{
		"C33 access":               {accessError("UNKNOWN_ENTITY"), failure{known: true, codes: []string{"UNKNOWN_ENTITY"}}},
		"access, several":          {`{"errors":[{"code":"A_B","type":"BUSINESS"},{"code":"C","type":"TECHNICAL"}]}`, failure{known: true, codes: []string{"A_B", "C"}}},
		"access, message null":     {`{"errors":[{"code":"LOCKED","message":null}],"bank":null}`, failure{known: true, codes: []string{"LOCKED"}}},
		"C33 authentication":       {authError("invalid_token"), failure{known: true, codes: []string{"invalid_token"}}},
		"C33 web form":             {formError("NOT_FOUND"), failure{known: true, codes: []string{"NOT_FOUND"}}},
		"C33 web form, 400":        {formInvalid, failure{known: true, fields: []string{"callbacks.finalised", "another field"}}},
		"code like an IBAN":        {formError("DE77533700080111111100"), failure{known: true, codes: []string{CodeUnknownErrorAnswer}}},
		"code with a line":         {formError("A\nB"), failure{known: true, codes: []string{CodeUnknownErrorAnswer}}},
		"code too long":            {formError(strings.Repeat("A", 65)), failure{known: true, codes: []string{CodeUnknownErrorAnswer}}},
		"garbled message":          {"{\"errors\":[{\"code\":\"LOCKED\",\"message\":\"\xff\"}]}", failure{known: true, codes: []string{"LOCKED"}}},
		"empty":                    {"", failure{}},
		"empty object":             {"{}", failure{}},
		"empty list":               {`{"errors":[]}`, failure{}},
		"list of nothing":          {`{"errors":[{}]}`, failure{}},
		"null":                     {"null", failure{}},
		"array":                    {"[]", failure{}},
		"text":                     {`"no"`, failure{}},
		"page of a gateway":        {"<html><body>Bad Gateway</body></html>", failure{}},
		"code is a number":         {`{"code":404}`, failure{}},
		"C33 spring's own":         {`{"timestamp":1,"status":500,"path":"/x"}`, failure{}},
		"C33 spring's, with error": {springError(403, "Forbidden"), failure{}},
		"spring's, two words":      {springError(404, "Not Found"), failure{}},
		"cut off":                  {`{"errors":[{"code":"LOCKED"`, failure{}},
		"two documents":            {`{"code":"LOCKED"}{"code":"X"}`, failure{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, readFailure([]byte(test.body)), cmp.AllowUnexported(failure{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// callNames lists the operations that need a token.
func callNames() []string {
	return []string{"create_user", "create_form", "get_form", "cancel_form", "get_connection", "list_accounts", "list_transactions"}
}

// calls has one call for each of them, by name.
func calls(c *Client, user User) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"create_user":       func(ctx context.Context) error { return c.EnsureUser(ctx, user) },
		"create_form":       func(ctx context.Context) error { _, err := c.CreateForm(ctx, user, FormRequest{}); return err },
		"get_form":          func(ctx context.Context) error { _, err := c.Form(ctx, user, testFormID); return err },
		"cancel_form":       func(ctx context.Context) error { _, err := c.CancelForm(ctx, user, testFormID); return err },
		"get_connection":    func(ctx context.Context) error { _, err := c.Connection(ctx, user, 7); return err },
		"list_accounts":     func(ctx context.Context) error { _, err := c.Accounts(ctx, user, 7); return err },
		"list_transactions": func(ctx context.Context) error { _, err := c.Transactions(ctx, user, 11, 1); return err },
	}
}

func TestClasses(t *testing.T) {
	t.Parallel()
	const gateway = "<html>canary</html>"
	reads := []string{"get_form", "get_connection", "list_accounts", "list_transactions"}
	writes := []string{"create_user", "create_form", "cancel_form"}
	repeatable := append([]string{"create_user", "cancel_form"}, reads...)
	for name, test := range map[string]struct {
		ops    []string // empty: all
		status int
		body   string
		class  Class
		code   string
	}{
		"C1 bad request":              {nil, 400, accessError("BAD_REQUEST"), ClassPermanent, "BAD_REQUEST"},
		"bad form":                    {[]string{"create_form"}, 400, formInvalid, ClassPermanent, "BAD_REQUEST"},
		"bad request, gateway":        {reads, 400, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 bad request, no body":     {writes, 400, "", ClassPermanent, CodeUnknownErrorAnswer},
		"contract, write":             {[]string{"create_user", "create_form"}, 403, formError("FORBIDDEN"), ClassUnavailable, "FORBIDDEN"},
		"C1 contract, read":           {reads, 403, accessError("FORBIDDEN"), ClassUnavailable, "FORBIDDEN"},
		"form has ended":              {[]string{"cancel_form"}, 403, formError("FORBIDDEN"), ClassPermanent, "FORBIDDEN"},
		"C1 forbidden, gateway":       {nil, 403, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 forbidden, no body":       {nil, 403, "", ClassRetry, CodeUnknownErrorAnswer},
		"forbidden, spring":           {nil, 403, springError(403, "Forbidden"), ClassRetry, CodeUnknownErrorAnswer},
		"C1 not found":                {nil, 404, accessError("UNKNOWN_ENTITY"), ClassPermanent, "UNKNOWN_ENTITY"},
		"not found, form":             {nil, 404, formError("NOT_FOUND"), ClassPermanent, "NOT_FOUND"},
		"C1 not found, gateway":       {nil, 404, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 not found, no body":       {nil, 404, "", ClassRetry, CodeUnknownErrorAnswer},
		"not found, spring":           {nil, 404, springError(404, "Not Found"), ClassRetry, CodeUnknownErrorAnswer},
		"not found, another code":     {nil, 404, formError("NOT_SUPPORTED"), ClassRetry, "NOT_SUPPORTED"},
		"C1 method":                   {writes, 405, "", ClassPermanent, CodeUnknownErrorAnswer},
		"C1 method, read":             {reads, 405, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 method, its own words":    {nil, 405, accessError("METHOD_NOT_ALLOWED"), ClassPermanent, "METHOD_NOT_ALLOWED"},
		"timeout at a gateway":        {nil, 408, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 conflict":                 {writes, 409, "", ClassPermanent, CodeUnknownErrorAnswer},
		"C1 conflict, its own words":  {nil, 409, accessError("ILLEGAL_ENTITY_STATE"), ClassPermanent, "ILLEGAL_ENTITY_STATE"},
		"C1 conflict, read":           {reads, 409, "", ClassRetry, CodeUnknownErrorAnswer},
		"too large, read":             {reads, 413, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"bank unsupported":            {[]string{"create_form"}, 422, formError("BANK_NOT_SUPPORTED"), ClassUser, "BANK_NOT_SUPPORTED"},
		"bank not unique":             {[]string{"create_form"}, 422, formError("BANK_NOT_UNIQUE"), ClassUser, "BANK_NOT_UNIQUE"},
		"contract":                    {[]string{"create_form"}, 422, formError("MANDATOR_MISCONFIGURATION"), ClassPermanent, "MANDATOR_MISCONFIGURATION"},
		"redirect URL":                {[]string{"create_form"}, 422, formError("INVALID_REDIRECT_URL"), ClassPermanent, "INVALID_REDIRECT_URL"},
		"state":                       {nil, 422, accessError("ILLEGAL_ENTITY_STATE"), ClassPermanent, "ILLEGAL_ENTITY_STATE"},
		"locked by its code":          {nil, 422, accessError("LOCKED"), ClassWait, "LOCKED"},
		"C1 unknown code":             {nil, 422, accessError("BRAND_NEW"), ClassPermanent, "BRAND_NEW"},
		"C1 no code":                  {writes, 422, "", ClassPermanent, CodeUnknownErrorAnswer},
		"C1 no code, read":            {reads, 422, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 locked":                   {nil, 423, accessError("LOCKED"), ClassWait, "LOCKED"},
		"C1 locked, no body":          {nil, 423, "", ClassWait, CodeUnknownErrorAnswer},
		"C1 slow down":                {nil, 429, "", ClassUnavailable, CodeSlowDown},
		"C1 slow down, gateway":       {nil, 429, gateway, ClassUnavailable, CodeSlowDown},
		"C1 slow down, its own words": {nil, 429, accessError("TOO_MANY_REQUESTS"), ClassUnavailable, "TOO_MANY_REQUESTS"},
		"old web form":                {writes, 451, "", ClassPermanent, CodeUnknownErrorAnswer},
		"old web form, read":          {reads, 451, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 server error":             {nil, 500, accessError("UNEXPECTED_ERROR"), ClassRetry, "UNEXPECTED_ERROR"},
		"C1 server error, no body":    {nil, 500, "", ClassRetry, CodeUnknownErrorAnswer},
		"server error, form":          {nil, 500, formError("INTERNAL_SERVER_ERROR"), ClassRetry, "INTERNAL_SERVER_ERROR"},
		"not implemented":             {nil, 501, "", ClassPermanent, CodeUnknownErrorAnswer},
		"not implemented, bank":       {nil, 501, accessError("UNSUPPORTED_BANK"), ClassUser, "UNSUPPORTED_BANK"},
		"C1 bad gateway":              {nil, 502, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 bad gateway, no body":     {nil, 502, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 not available":            {nil, 503, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 not available, no body":   {nil, 503, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 gateway timeout":          {nil, 504, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 gateway timeout, body":    {nil, 504, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 another login step":       {nil, 510, accessError("ADDITIONAL_AUTHENTICATION_REQUIRED"), ClassPermanent, "ADDITIONAL_AUTHENTICATION_REQUIRED"},
		"C1 another step, no body":    {nil, 510, "", ClassPermanent, CodeUnknownErrorAnswer},
		"C1 unheard of":               {nil, 599, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 unheard of, body":         {nil, 599, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 moved":                    {nil, 301, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 elsewhere for a moment":   {nil, 307, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 moved, body":              {nil, 301, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 found":                    {nil, 302, "", ClassRetry, CodeUnknownErrorAnswer},
		"C1 found, body":              {nil, 302, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"C1 elsewhere, no body":       {nil, 307, "", ClassRetry, CodeUnknownErrorAnswer},
		"C2 login page":               {nil, 200, gateway, ClassRetry, CodeMalformed},
		"C3 empty object":             {repeatable, 200, "{}", ClassRetry, CodeMalformed},
		"C4 error in a good answer":   {repeatable, 200, accessError("LOCKED"), ClassRetry, CodeMalformed},
		"C1 no content":               {nil, 204, "", ClassRetry, CodeMalformed},
		"C1 good, no body":            {nil, 200, "", ClassRetry, CodeMalformed},
		"C1 created, no body":         {repeatable, 201, "", ClassRetry, CodeMalformed},
		"C1 created, empty":           {repeatable, 201, "{}", ClassRetry, CodeMalformed},
		"null":                        {repeatable, 200, "null", ClassRetry, CodeMalformed},
		"array":                       {repeatable, 200, "[]", ClassRetry, CodeMalformed},
		"C3 a form, but unreadable":   {[]string{"create_form"}, 200, "{}", ClassPermanent, CodeMalformed},
		"C1 a form, other types":      {[]string{"create_form"}, 201, "[]", ClassPermanent, CodeMalformed},
		"C2 a form, no JSON":          {[]string{"create_form"}, 201, gateway, ClassPermanent, CodeMalformed},
		"C1 a form, no body":          {[]string{"create_form"}, 201, "", ClassPermanent, CodeMalformed},
		"byte order mark":             {nil, 200, "\xef\xbb\xbf{}", ClassRetry, CodeMalformed},
		"two documents":               {nil, 200, "{}{}", ClassRetry, CodeMalformed},
		"nested without end":          {nil, 200, strings.Repeat(`{"id":`, 20_000), ClassRetry, CodeMalformed},
		"the same member twice":       {repeatable, 200, `{"id":1,"id":2}`, ClassRetry, CodeMalformed},
		"not UTF-8":                   {nil, 200, "{\"id\":\"\xff\"}", ClassRetry, CodeMalformed},
		"refused for all we know":     {nil, 418, formError("TEAPOT"), ClassPermanent, "TEAPOT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			ops := test.ops
			if ops == nil {
				ops = callNames()
			}
			for _, op := range ops {
				p.on(op, answer(test.status, test.body))
				c := p.client(t) // each its own breaker
				err := calls(c, c.User("u"))[op](t.Context())
				e := wantError(t, err, test.class, test.code)
				if e.Operation != op || e.Status != test.status || e.RequestID == "" {
					t.Errorf("%s: got operation %q, status %d and request id %q", op, e.Operation, e.Status, e.RequestID)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("%s: the error quotes the answer: %q", op, err)
				}
				if !strings.Contains(err.Error(), e.RequestID) {
					t.Errorf("%s: got %q, want it to name the request id", op, err)
				}
				if got, want := NotFound(err), test.status == 404 && test.class == ClassPermanent; got != want {
					t.Errorf("%s: got NotFound %v, want %v", op, got, want)
				}
			}
		})
	}
}

func TestNotFoundOfOtherErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, context.Canceled, &Error{Status: http.StatusOK}, &Error{Status: http.StatusNotFound, Class: ClassRetry}} {
		if NotFound(err) {
			t.Errorf("got NotFound for %v, want not", err)
		}
	}
}
