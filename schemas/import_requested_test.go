package schemas_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/schemas"
)

const (
	testImport = "7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2"
	testUser   = "customer-4711"
)

// request wraps the rest of a request into one with valid ids.
func request(rest string) string {
	return `{"import_id":"` + testImport + `","user_id":"` + testUser + `"` + rest + `}`
}

// TestBadImportRequests is the corpus of what upstream may send by mistake or
// on purpose. Each gets an error that says which field breaks which rule, and
// where it can be told the id of the import and of the user is found.
func TestBadImportRequests(t *testing.T) {
	t.Parallel()
	const none, twice = "", "is there twice"
	for _, c := range []struct {
		name, body     string
		importID       string   // what RequestIdentity finds
		userID         string   //
		want, unwanted []string // parts of the error
	}{
		{"A1 empty value", "", none, none, []string{"the record has no value"}, nil},
		{"A5 not JSON", "import customer-4711 please", none, none, []string{"not JSON: syntax error at byte 0"}, nil},
		{"text", `"x"`, none, none, []string{"not a JSON object"}, nil},
		{"null", `null`, none, none, []string{"not a JSON object"}, nil},
		{"A6 array", `[` + request("") + `]`, none, none, []string{"not a JSON object"}, nil},
		{"A7 cut off", request("")[:60], none, none, []string{"not JSON: it ends too early"}, nil},
		{"two objects", request("") + request(""), none, none, []string{"something follows the JSON object"}, nil},
		{"garbage after it", request("") + "x", none, none, []string{"something follows the JSON object"}, nil},
		{"A12 byte order mark", "\xef\xbb\xbf" + request(""), none, none, []string{"byte order mark"}, nil},
		{"A13 invalid UTF-8", request(",\"bank_search\":\"\xff\""), none, none, []string{"not valid UTF-8"}, nil},
		{"A13 lone surrogate", request(`,"bank_search":"\ud800"`), none, none, []string{"not JSON: syntax error"}, nil},
		{"NaN", request(`,"max_days":NaN`), none, none, []string{"not JSON: syntax error"}, nil},
		{"comment", request(`,/* days */"max_days":30`), none, none, []string{"not JSON: syntax error"}, nil},
		{"trailing comma", request(`,`), none, none, []string{"not JSON: syntax error"}, nil},

		{"no import", `{"user_id":"u"}`, none, none, []string{"import_id: is missing"}, nil},
		{"no user", `{"import_id":"` + testImport + `"}`, testImport, none, []string{"user_id: is missing"}, nil},
		{"nothing", `{}`, none, none, []string{"import_id: is missing; user_id: is missing"}, nil},
		{"A14 empty ids", `{"import_id":"","user_id":""}`, none, none, []string{"import_id: must not be empty; user_id: must not be empty"}, nil},
		{"import null", `{"import_id":null,"user_id":"u"}`, none, none, []string{"import_id: must not be null; leave it out"}, nil},
		{"import number", `{"import_id":7,"user_id":"u"}`, none, none, []string{"import_id: must be a string"}, nil},
		{"A14 import upper case", `{"import_id":"7F3A0C1E-5B7D-4C55-9E0A-2F6D1F0B91C2","user_id":"u"}`, none, none, []string{"import_id: must be a lower-case UUID"}, nil},
		{"import braces", `{"import_id":"{7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91}","user_id":"u"}`, none, none, []string{"import_id: must be a lower-case UUID"}, nil},
		{"A14 import with CRLF", `{"import_id":"7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91\r\n","user_id":"u"}`, none, none, []string{"import_id: must be a lower-case UUID"}, nil},
		{"A14 import with slash", `{"import_id":"../../../../etc/passwd-------------","user_id":"u"}`, none, none, []string{"import_id: must be a lower-case UUID"}, nil},
		{"A14 import 37 long", `{"import_id":"` + testImport + `0","user_id":"u"}`, none, none, []string{"import_id: must be a lower-case UUID"}, nil},
		{"user with line feed", `{"import_id":"` + testImport + `","user_id":"a\nb"}`, testImport, none, []string{"user_id: must be 1 to 128 printable characters"}, nil},
		{"user with right-to-left mark", `{"import_id":"` + testImport + `","user_id":"a\u202eb"}`, testImport, none, []string{"user_id: must be 1 to 128 printable"}, nil},
		{"user 129 long", `{"import_id":"` + testImport + `","user_id":"` + strings.Repeat("ü", 129) + `"}`, testImport, none, []string{"user_id: must be 1 to 128 printable"}, nil},
		{"user list", `{"import_id":"` + testImport + `","user_id":["u"]}`, testImport, none, []string{"user_id: must be a string"}, nil},

		{"A11 import twice", request(`,"import_id":"11aa7c3e-9d2f-4a61-b8c4-0e5f6a7b8d03"`), none, none, []string{"import_id: " + twice}, nil},
		{"A11 import twice, equal", request(`,"import_id":"` + testImport + `"`), none, none, []string{"import_id: " + twice}, nil},
		{"A11 import twice, by case", request(`,"Import_ID":"11aa7c3e-9d2f-4a61-b8c4-0e5f6a7b8d03"`), none, none, []string{"Import_ID: " + twice}, nil},
		{"A11 user twice", request(`,"user_id":"other"`), testImport, none, []string{"user_id: " + twice}, nil},
		{"A11 bank twice", request(`,"bank_id":1,"bank_id":2`), testImport, testUser, []string{"bank_id: " + twice}, nil},
		{"A11 bank twice, by escape", request(`,"bank_id":1,"\u0062ank_id":2`), testImport, testUser, []string{"bank_id: " + twice}, nil},

		{"A16 misspelt", request(`,"account_type":["checking"]`), testImport, testUser, []string{"account_type: unknown field; did you mean account_types?"}, nil},
		{"A16 camel case", request(`,"bankConnectionId":5`), testImport, testUser, []string{"bankConnectionId: unknown field; did you mean bank_connection_id?"}, nil},
		{"A16 upper case", request(`,"MAX_DAYS":30`), testImport, testUser, []string{"MAX_DAYS: unknown field; did you mean max_days?"}, nil},
		{"A16 A31 A32 unknown", request(`,"tenant":"a"`), testImport, testUser, []string{"tenant: unknown field"}, []string{"did you mean"}},
		{"empty name", request(`,"":"a"`), testImport, testUser, []string{"(empty name): unknown field"}, nil},
		{"name that is a value", request(`,"DE77533700080111111100":1`), testImport, testUser, []string{"DE####################: unknown field"}, []string{"7753"}},
		{"name with an escape", request(`,"\u001b[31mred":1`), testImport, testUser, []string{"??##mred: unknown field"}, nil},
		{"long name", request(`,"` + strings.Repeat("n", 500) + `":1`), testImport, testUser, []string{strings.Repeat("n", 32) + "...: unknown field"}, []string{strings.Repeat("n", 33)}},

		{"bank text", request(`,"bank_id":"280001"`), testImport, testUser, []string{"bank_id: must be a number"}, []string{"280001"}},
		{"bank 0", request(`,"bank_id":0`), testImport, testUser, []string{"bank_id: must be at least 1"}, nil},
		{"A20 bank negative", request(`,"bank_id":-280001`), testImport, testUser, []string{"bank_id: must be at least 1"}, []string{"280001"}},
		{"A20 bank too large", request(`,"bank_id":9223372036854775808`), testImport, testUser, []string{"bank_id: is out of range"}, []string{"92233"}},
		{"connection 0", request(`,"bank_connection_id":0`), testImport, testUser, []string{"bank_connection_id: must be at least 1"}, nil},
		{"A20 two banks", request(`,"bank_id":1,"bank_search":"x"`), testImport, testUser, []string{"bank_search: must not be set together with bank_id"}, nil},
		{"bank and connection", request(`,"bank_id":1,"bank_connection_id":2`), testImport, testUser, []string{"bank_id: must not be set together with bank_connection_id"}, nil},
		{"form fields and connection", request(`,"bank_connection_id":2,"account_types":["loan"],"max_days":0,"connection_name":"x","profile_id":"0c9d2d8e-6f3b-4f1f-9d51-3a1c6a8e2b40"`), testImport, testUser,
			[]string{"account_types: must not be set together", "max_days: must not", "connection_name: must not", "profile_id: must not"}, nil},
		{"search empty", request(`,"bank_search":""`), testImport, testUser, []string{"bank_search: must not be empty"}, nil},
		{"search null", request(`,"bank_search":null`), testImport, testUser, []string{"bank_search: must not be null"}, nil},
		{"search too long", request(`,"bank_search":"` + strings.Repeat("x", 256) + `"`), testImport, testUser, []string{"bank_search: must be 1 to 255"}, nil},

		{"A19 unknown account type", request(`,"account_types":["checking","giro"]`), testImport, testUser,
			[]string{"account_types: unknown account type; allowed are bausparen, checking, credit_card, loan, membership, savings, security"}, []string{"giro"}},
		{"A19 account type upper case", request(`,"account_types":["CHECKING"]`), testImport, testUser, []string{"unknown account type"}, nil},
		{"account type twice", request(`,"account_types":["loan","loan"]`), testImport, testUser, []string{"account_types: an account type is there twice"}, nil},
		{"A19 no account types", request(`,"account_types":[]`), testImport, testUser, []string{"account_types: must not be empty; leave it out for all"}, nil},
		{"account types null", request(`,"account_types":null`), testImport, testUser, []string{"account_types: must not be null"}, nil},
		{"account types text", request(`,"account_types":"checking"`), testImport, testUser, []string{"account_types: must be a list of strings"}, nil},
		{"account types with null", request(`,"account_types":["loan",null]`), testImport, testUser, []string{"account_types: must be a list of strings"}, nil},
		{"A19 1,000 account types", request(`,"account_types":["loan"` + strings.Repeat(`,"loan"`, 999) + `]`), testImport, testUser, []string{"account_types: an account type is there twice"}, nil},

		{"A17 days text", request(`,"max_days":"90"`), testImport, testUser, []string{"max_days: must be a number"}, nil},
		{"A17 days with exponent", request(`,"max_days":1e2`), testImport, testUser, []string{"max_days: must be a whole number without fraction or exponent"}, nil},
		{"A17 days with fraction", request(`,"max_days":90.0`), testImport, testUser, []string{"max_days: must be a whole number"}, nil},
		{"A17 days negative", request(`,"max_days":-1`), testImport, testUser, []string{"max_days: must be 0 (all there is) or 14 to 3650"}, nil},
		{"A18 days 1", request(`,"max_days":1`), testImport, testUser, []string{"max_days: must be 0 (all there is) or 14 to 3650"}, nil},
		{"A18 days 13", request(`,"max_days":13`), testImport, testUser, []string{"max_days: must be 0 (all there is) or 14 to 3650"}, nil},
		{"A18 days 3651", request(`,"max_days":3651`), testImport, testUser, []string{"max_days: must be 0 (all there is) or 14 to 3650"}, nil},
		{"days 2^40", request(`,"max_days":1099511627776`), testImport, testUser, []string{"max_days: must be 0 (all there is) or 14 to 3650"}, nil},
		{"A17 days 2^63", request(`,"max_days":9223372036854775808`), testImport, testUser, []string{"max_days: is out of range"}, nil},

		{"name 65 long", request(`,"connection_name":"` + strings.Repeat("ß", 65) + `"`), testImport, testUser, []string{"connection_name: must be 1 to 64 characters"}, nil},
		{"name with NUL", request(`,"connection_name":"a\u0000b"`), testImport, testUser, []string{"connection_name: must be 1 to 64 characters without control"}, nil},
		{"profile short", request(`,"profile_id":"abc"`), testImport, testUser, []string{"profile_id: must be 36 letters, digits and hyphens"}, nil},
		{"profile with umlaut", request(`,"profile_id":"` + strings.Repeat("ä", 18) + `"`), testImport, testUser, []string{"profile_id: must be 36"}, nil},
		{"A37 time without zone", request(`,"requested_at":"2026-01-01T00:00:00"`), testImport, testUser, []string{"requested_at: want an RFC 3339 instant with a zone"}, nil},
		{"A37 time as number", request(`,"requested_at":1790000000`), testImport, testUser, []string{"requested_at: must be a string"}, nil},
		{"no such time", request(`,"requested_at":"2026-02-30T25:00:00Z"`), testImport, testUser, []string{"requested_at: want an RFC 3339 instant"}, nil},

		{"several at once", request(`,"bank_id":-1,"max_day":3,"profile_id":7,"connection_name":""`), testImport, testUser,
			[]string{"bank_id: must be at least 1", "max_day: unknown field; did you mean max_days?", "profile_id: must be a string", "connection_name: must not be empty"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := schemas.DecodeImportRequested([]byte(c.body))
			if err == nil {
				err = r.Validate()
			}
			checkInvalid(t, err, c.want, c.unwanted)
			importID, userID := schemas.RequestIdentity([]byte(c.body))
			if importID != c.importID || userID != c.userID {
				t.Errorf("got identity %q and %q, want %q and %q", importID, userID, c.importID, c.userID)
			}
		})
	}
}

// TestHugeImportRequests: what is too long is refused at once, and the id is
// still found where the rest is JSON.
func TestHugeImportRequests(t *testing.T) {
	t.Parallel()
	const mega = 1_000_000
	for _, c := range []struct {
		name, body, importID string
	}{
		{"garbage", strings.Repeat("\x00\xffgarbage!", mega/9), ""},
		{"A8 white space", strings.Repeat(" ", mega), ""},
		{"white space around", request("") + strings.Repeat(" ", mega), testImport},
		{"A9 long text", request(`,"bank_search":"` + strings.Repeat("x", 900_000) + `"`), testImport},
		{"many fields", `{"import_id":"` + testImport + `"` + strings.Repeat(`,"a":1`, mega/6) + `}`, testImport},
		{"A10 depth never closed", strings.Repeat(`{"a":`, mega/5), ""},
		{"arrays never closed", strings.Repeat("[", mega), ""},
		{"A10 depth closed", request(`,"a":` + strings.Repeat("[", mega/2) + strings.Repeat("]", mega/2)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := schemas.DecodeImportRequested([]byte(c.body))
			checkInvalid(t, err, []string{"import-requested: longer than 65536 bytes"}, nil)
			if got, _ := schemas.RequestIdentity([]byte(c.body)); got != c.importID {
				t.Errorf("got import %q, want %q", got, c.importID)
			}
		})
	}
	t.Run("many unknown fields", func(t *testing.T) {
		t.Parallel()
		body := request(strings.Repeat(`,"unknown_field":1`, 3000))
		_, err := schemas.DecodeImportRequested([]byte(body))
		checkInvalid(t, err, []string{"2992 more unknown or repeated fields"}, nil)
	})
	t.Run("depth bomb within the limit", func(t *testing.T) {
		t.Parallel()
		body := request(`,"a":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000))
		_, err := schemas.DecodeImportRequested([]byte(body))
		checkInvalid(t, err, []string{"not JSON: syntax error at byte"}, nil)
	})
}

// checkInvalid wants a short InvalidError with some parts and without others.
func checkInvalid(t *testing.T, err error, want, unwanted []string) {
	t.Helper()
	if _, ok := errors.AsType[*schemas.InvalidError](err); !ok {
		t.Fatalf("got error %v, want an *InvalidError", err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to say %q", err, part)
		}
	}
	for _, part := range unwanted {
		if strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it not to say %q", err, part)
		}
	}
	if len(err.Error()) > 1500 {
		t.Errorf("got an error of %d bytes, want a short one", len(err.Error()))
	}
}

func TestGoodImportRequests(t *testing.T) {
	t.Parallel()
	v := validator(t)
	for name, body := range map[string]string{
		"minimal":             request(""),
		"user of 128":         `{"import_id":"` + testImport + `","user_id":"` + strings.Repeat("ü", 128) + `"}`,
		"user with spaces":    `{"import_id":"` + testImport + `","user_id":"a b/c:d|e"}`,
		"A20 bank of 2^31":    request(`,"bank_id":2147483648`),
		"largest bank":        request(`,"bank_id":9223372036854775807`),
		"all days":            request(`,"max_days":0`),
		"A18 14 days":         request(`,"max_days":14`),
		"A18 3650 days":       request(`,"max_days":3650`),
		"all types":           request(`,"account_types":["security","savings","membership","loan","credit_card","checking","bausparen"]`),
		"name of 64":          request(`,"connection_name":"` + strings.Repeat("ß", 64) + `"`),
		"name with emoji":     request(`,"connection_name":"👩‍👧 Konto"`),
		"search by IBAN":      request(`,"bank_search":"DE77533700080111111100"`),
		"connection":          request(`,"bank_connection_id":1`),
		"time with offset":    request(`,"requested_at":"2026-01-01T00:00:00+02:00"`),
		"time to nanoseconds": request(`,"requested_at":"2026-01-01T00:00:00.123456789Z"`),
		"A37 time in 1970":    request(`,"requested_at":"1970-01-01T00:00:00Z"`),
		"A37 time in 9999":    request(`,"requested_at":"9999-12-31T23:59:59Z"`),
		"escaped names":       `{"\u0069mport_id":"` + testImport + `","user_id":"\u0075"}`,
		"white space":         "\n\t " + request("") + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := schemas.DecodeImportRequested([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Validate(); err != nil {
				t.Error(err)
			}
			if err := v.Validate(schemas.TypeImportRequested, []byte(body)); err != nil {
				t.Error(err)
			}
			if importID, userID := schemas.RequestIdentity([]byte(body)); importID != r.ImportID || userID != r.UserID {
				t.Errorf("got identity %q and %q, want %q and %q", importID, userID, r.ImportID, r.UserID)
			}
		})
	}
}

// TestValidateNeedsNoDecoder: a request made in Go is checked as well.
func TestValidateNeedsNoDecoder(t *testing.T) {
	t.Parallel()
	days := 13
	r := schemas.ImportRequested{
		ImportID: "x", UserID: "a\xff", BankID: -1, BankConnectionID: -1, AccountTypes: []string{""},
		MaxDays: &days, ConnectionName: "\x7f", ProfileID: "x", BankSearch: "\xff",
	}
	err := r.Validate()
	checkInvalid(t, err, []string{
		"import_id:", "user_id:", "bank_id:", "bank_connection_id:", "account_types:", "max_days:", "connection_name:", "profile_id:", "bank_search:",
	}, nil)
}

func TestCancelValidate(t *testing.T) {
	t.Parallel()
	if err := (schemas.ImportCancelRequested{ImportID: testImport}).Validate(); err != nil {
		t.Error(err)
	}
	checkInvalid(t, schemas.ImportCancelRequested{ImportID: "X"}.Validate(), []string{"import-cancel-requested: import_id: must be a lower-case UUID"}, nil)
}
