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
		"access":               {accessError("UNKNOWN_ENTITY"), failure{known: true, codes: []string{"UNKNOWN_ENTITY"}}},
		"access, several":      {`{"errors":[{"code":"A_B","type":"BUSINESS"},{"code":"C","type":"TECHNICAL"}]}`, failure{known: true, codes: []string{"A_B", "C"}}},
		"access, message null": {`{"errors":[{"code":"LOCKED","message":null}],"bank":null}`, failure{known: true, codes: []string{"LOCKED"}}},
		"authentication":       {authError("invalid_token"), failure{known: true, codes: []string{"invalid_token"}}},
		"web form":             {formError("NOT_FOUND"), failure{known: true, codes: []string{"NOT_FOUND"}}},
		"web form, 400":        {formInvalid, failure{known: true, fields: []string{"callbacks.finalised", "another field"}}},
		"code like an IBAN":    {formError("DE77533700080111111100"), failure{known: true, codes: []string{CodeUnknownErrorAnswer}}},
		"code with a line":     {formError("A\nB"), failure{known: true, codes: []string{CodeUnknownErrorAnswer}}},
		"code too long":        {formError(strings.Repeat("A", 65)), failure{known: true, codes: []string{CodeUnknownErrorAnswer}}},
		"garbled message":      {"{\"errors\":[{\"code\":\"LOCKED\",\"message\":\"\xff\"}]}", failure{known: true, codes: []string{"LOCKED"}}},
		"empty":                {"", failure{}},
		"empty object":         {"{}", failure{}},
		"empty list":           {`{"errors":[]}`, failure{}},
		"list of nothing":      {`{"errors":[{}]}`, failure{}},
		"null":                 {"null", failure{}},
		"array":                {"[]", failure{}},
		"text":                 {`"no"`, failure{}},
		"page of a gateway":    {"<html><body>Bad Gateway</body></html>", failure{}},
		"code is a number":     {`{"code":404}`, failure{}},
		"spring's own":         {`{"timestamp":1,"status":500,"path":"/x"}`, failure{}},
		"cut off":              {`{"errors":[{"code":"LOCKED"`, failure{}},
		"two documents":        {`{"code":"LOCKED"}{"code":"X"}`, failure{}},
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
	for name, test := range map[string]struct {
		ops    []string // empty: all
		status int
		body   string
		class  Class
		code   string
	}{
		"bad request":             {nil, 400, accessError("BAD_REQUEST"), ClassPermanent, "BAD_REQUEST"},
		"bad form":                {[]string{"create_form"}, 400, formInvalid, ClassPermanent, "BAD_REQUEST"},
		"bad request, gateway":    {nil, 400, gateway, ClassPermanent, CodeUnknownErrorAnswer},
		"product":                 {[]string{"create_user", "create_form"}, 403, formError("FORBIDDEN"), ClassUnavailable, "FORBIDDEN"},
		"role":                    {[]string{"get_form", "cancel_form", "get_connection", "list_accounts", "list_transactions"}, 403, accessError("FORBIDDEN"), ClassPermanent, "FORBIDDEN"},
		"not found":               {nil, 404, accessError("UNKNOWN_ENTITY"), ClassPermanent, "UNKNOWN_ENTITY"},
		"not found, form":         {nil, 404, formError("NOT_FOUND"), ClassPermanent, "NOT_FOUND"},
		"not found, gateway":      {nil, 404, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"method":                  {nil, 405, "", ClassPermanent, CodeUnknownErrorAnswer},
		"timeout at a gateway":    {nil, 408, "", ClassRetry, CodeUnknownErrorAnswer},
		"conflict":                {nil, 409, "", ClassPermanent, CodeUnknownErrorAnswer},
		"bank unsupported":        {[]string{"create_form"}, 422, formError("BANK_NOT_SUPPORTED"), ClassUser, "BANK_NOT_SUPPORTED"},
		"bank not unique":         {[]string{"create_form"}, 422, formError("BANK_NOT_UNIQUE"), ClassUser, "BANK_NOT_UNIQUE"},
		"contract":                {[]string{"create_form"}, 422, formError("MANDATOR_MISCONFIGURATION"), ClassPermanent, "MANDATOR_MISCONFIGURATION"},
		"redirect URL":            {[]string{"create_form"}, 422, formError("INVALID_REDIRECT_URL"), ClassPermanent, "INVALID_REDIRECT_URL"},
		"state":                   {nil, 422, accessError("ILLEGAL_ENTITY_STATE"), ClassPermanent, "ILLEGAL_ENTITY_STATE"},
		"locked by its code":      {nil, 422, accessError("LOCKED"), ClassWait, "LOCKED"},
		"unknown code":            {nil, 422, accessError("BRAND_NEW"), ClassPermanent, "BRAND_NEW"},
		"no code":                 {nil, 422, "", ClassPermanent, CodeUnknownErrorAnswer},
		"locked":                  {nil, 423, accessError("LOCKED"), ClassWait, "LOCKED"},
		"locked, no body":         {nil, 423, "", ClassWait, CodeUnknownErrorAnswer},
		"slow down":               {nil, 429, "", ClassUnavailable, CodeSlowDown},
		"old web form":            {nil, 451, "", ClassPermanent, CodeUnknownErrorAnswer},
		"server error":            {nil, 500, accessError("UNEXPECTED_ERROR"), ClassRetry, "UNEXPECTED_ERROR"},
		"server error, form":      {nil, 500, formError("INTERNAL_SERVER_ERROR"), ClassRetry, "INTERNAL_SERVER_ERROR"},
		"not implemented":         {nil, 501, "", ClassPermanent, CodeUnknownErrorAnswer},
		"not implemented, bank":   {nil, 501, accessError("UNSUPPORTED_BANK"), ClassUser, "UNSUPPORTED_BANK"},
		"bad gateway":             {nil, 502, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"not available":           {nil, 503, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"gateway timeout":         {nil, 504, "", ClassRetry, CodeUnknownErrorAnswer},
		"another login step":      {nil, 510, accessError("ADDITIONAL_AUTHENTICATION_REQUIRED"), ClassPermanent, "ADDITIONAL_AUTHENTICATION_REQUIRED"},
		"unheard of":              {nil, 599, "", ClassRetry, CodeUnknownErrorAnswer},
		"moved":                   {nil, 301, "", ClassRetry, CodeUnknownErrorAnswer},
		"elsewhere for a moment":  {nil, 307, gateway, ClassRetry, CodeUnknownErrorAnswer},
		"login page":              {nil, 200, gateway, ClassRetry, CodeMalformed},
		"empty object":            {nil, 200, "{}", ClassRetry, CodeMalformed},
		"error in a good answer":  {nil, 200, accessError("LOCKED"), ClassRetry, CodeMalformed},
		"no content":              {nil, 204, "", ClassRetry, CodeMalformed},
		"null":                    {nil, 200, "null", ClassRetry, CodeMalformed},
		"array":                   {nil, 200, "[]", ClassRetry, CodeMalformed},
		"byte order mark":         {nil, 200, "\xef\xbb\xbf{}", ClassRetry, CodeMalformed},
		"two documents":           {nil, 200, "{}{}", ClassRetry, CodeMalformed},
		"nested without end":      {nil, 200, strings.Repeat(`{"id":`, 20_000), ClassRetry, CodeMalformed},
		"the same member twice":   {nil, 200, `{"id":1,"id":2}`, ClassRetry, CodeMalformed},
		"not UTF-8":               {nil, 200, "{\"id\":\"\xff\"}", ClassRetry, CodeMalformed},
		"refused for all we know": {nil, 418, formError("TEAPOT"), ClassPermanent, "TEAPOT"},
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
