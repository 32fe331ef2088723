package finapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// fuzzCanary stands in the answers of the seeds wherever a person's data could.
// Only a code is ever repeated, and a code has neither '-' nor digits.
const fuzzCanary = "canary-77"

// fuzzed is a client that gets the answer which was made up last.
type fuzzed struct {
	*Client
	user User

	loggingIn  bool // the call to look at is a login; else logins go well
	status     int
	retryAfter string
	body       []byte
}

func newFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	z := &fuzzed{}
	config := testConfig()
	config.WebFormURL = "https://webform-live.finapi.io"
	config.Transport = z
	c, err := New(config)
	if err != nil {
		f.Fatal(err)
	}
	z.Client, z.user = c, c.User("u")
	return z
}

// gets says what the next call is answered. Nothing remains of calls
// before, and the user is logged in.
func (z *fuzzed) gets(status int, retryAfter string, body []byte) {
	z.status, z.retryAfter, z.body = status, retryAfter, body
	z.gate = newGate(defaultMaxConcurrent, z.log)
	z.contract = newContract(z.metrics.contractRefused)
	z.accessHost, z.webFormHost = newHosts(z.log)
	z.tokens = newTokens(defaultMaxUsers, z.login, z.metrics, z.log)
	for _, s := range []*slot{z.tokens.client, z.tokens.of(z.user)} {
		s.token = token{access: "token", got: time.Now(), life: time.Hour}
	}
}

// RoundTrip makes it its own transport.
func (z *fuzzed) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: z.status, Header: http.Header{"Retry-After": {z.retryAfter}}, Request: r}
	body := z.body
	switch op := operation(operationOf(r)); {
	case op == opPingAccess || op == opPingWebForm:
		resp.StatusCode, body = http.StatusUnauthorized, []byte(authError("unauthorized"))
	case op.isLogin() && !z.loggingIn:
		resp.StatusCode, body = http.StatusOK, []byte(tokenJSON("token", 3599, ""))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

var twoDigits = regexp.MustCompile(`[0-9]{2}`)

// checkRefused wants an *Error that everybody can rely on and that holds nothing
// of the answer: no canary, and nothing that could be of an id, an amount or an
// account number.
func checkRefused(t *testing.T, err error, op string, status int) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Operation != op || e.Status != status || e.RequestID == "" {
		t.Errorf("got operation %q, status %d and request id %q, want %q and %d", e.Operation, e.Status, e.RequestID, op, status)
	}
	classes := []Class{ClassRetry, ClassWait, ClassUser, ClassPermanent, ClassUnavailable}
	if !slices.Contains(classes, e.Class) || e.Code == "" || safeCode(e.Code) != e.Code {
		t.Errorf("got class %q and code %q", e.Class, e.Code)
	}
	if e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter {
		t.Errorf("got the advice to wait for %s, want at most %s", e.RetryAfter, maxRetryAfter)
	}
	text := strings.NewReplacer(e.RequestID, "", "(status "+strconv.Itoa(status)+")", "").Replace(e.Error())
	if strings.Contains(text, fuzzCanary) || twoDigits.MatchString(text) {
		t.Errorf("the error quotes the answer: %q", text)
	}
	if len(text) > 512 || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		t.Errorf("got a text that does not fit into a line: %q", text)
	}
	return e
}

// object is an answer as another decoder reads it.
type object map[string]any

// readAgain reads an answer that the client took.
func readAgain(t *testing.T, body []byte) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil || o == nil {
		t.Fatalf("what was taken is no JSON object: %v", err)
	}
	return o
}

// text is a text, or a number as it is written; "" for null and what is absent.
func (o object) text(name string) string {
	switch v := o[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func (o object) flag(name string) bool {
	is, _ := o[name].(bool)
	return is
}

func (o object) object(name string) object {
	inner, _ := o[name].(map[string]any)
	return inner
}

func (o object) list(name string) []any {
	l, _ := o[name].([]any)
	return l
}

// value is what the client made of a field, and the field's name.
type value struct{ got, name string }

func checkTexts(t *testing.T, o object, values ...value) {
	t.Helper()
	for _, v := range values {
		if want := o.text(v.name); v.got != want {
			t.Errorf("%s: got %q, want %q", v.name, v.got, want)
		}
	}
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func checkIDs(t *testing.T, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		if id <= 0 {
			t.Errorf("got the id %d", id)
		}
	}
}

var decimalText = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// checkAmounts wants every amount as it is written, and only one in scientific
// notation written out, with the same value.
func checkAmounts(t *testing.T, o object, values ...value) {
	t.Helper()
	for _, v := range values {
		checkAmount(t, v.name, v.got, o.text(v.name))
	}
}

func checkAmount(t *testing.T, name, got, written string) {
	t.Helper()
	if written == "" || !strings.ContainsAny(written, "eE") {
		if got != written {
			t.Errorf("%s: got %q, want %q", name, got, written)
		}
		return
	}
	a, _ := new(big.Rat).SetString(got)
	b, _ := new(big.Rat).SetString(written)
	if len(got) > maxDigits || !decimalText.MatchString(got) || a == nil || b == nil || a.Cmp(b) != 0 {
		t.Errorf("%s: got %q, want the decimal number %s", name, got, written)
	}
}

var currencyCode = regexp.MustCompile(`^([A-Z]{3})?$`)

func checkCurrencies(t *testing.T, o object, values ...value) {
	t.Helper()
	for _, v := range values {
		if !currencyCode.MatchString(v.got) || !strings.EqualFold(v.got, o.text(v.name)) {
			t.Errorf("%s: got %q, want the code %q in capitals", v.name, v.got, o.text(v.name))
		}
	}
}

// Every error answer to every call, and what comes in place of a good one,
// becomes an error that tells nothing of the answer, or a good answer.
func FuzzErrors(f *testing.F) {
	ops := append(callNames(), "client_token", "user_token", "refresh_token")
	add := func(op string, status int, retryAfter, body string) {
		f.Add(uint8(slices.Index(ops, op)), uint16(status), retryAfter, []byte(strings.ReplaceAll(body, `"canary"`, `"`+fuzzCanary+`"`)))
	}
	add("get_connection", 404, "", accessError("UNKNOWN_ENTITY"))
	add("get_form", 404, "", springError(404, "Not Found"))
	add("get_form", 401, "", authError("invalid_token"))
	add("cancel_form", 403, "", formError("FORBIDDEN"))
	add("create_form", 400, "", formInvalid)
	add("create_form", 422, "", formError("BANK_NOT_SUPPORTED"))
	add("create_user", 422, "", accessError("ENTITY_EXISTS"))
	add("create_user", 201, "", `{"id":"`+fuzzCanary+`","password":"`+fuzzCanary+`"}`)
	add("user_token", 400, "", authError("invalid_grant"))
	add("client_token", 401, "", authError("invalid_client"))
	add("refresh_token", 423, "", accessError("LOCKED"))
	add("list_accounts", 429, "7", "")
	add("list_accounts", 503, "Mon, 02 Mar 2026 13:51:08 GMT", "<html>"+fuzzCanary+"</html>")
	add("list_accounts", 500, "-1", `{"errors":[{"code":"DE77533700080111111100"},{"field":"`+fuzzCanary+`"},{"code":"LOCKED"}]}`)
	add("list_transactions", 302, "", `{"code":{"`+fuzzCanary+`":1}}`)
	add("list_transactions", 200, "", accessError("LOCKED"))
	c := newFuzzed(f)
	f.Fuzz(func(t *testing.T, which uint8, code uint16, retryAfter string, body []byte) {
		op, status := ops[int(which)%len(ops)], 100+int(code)%500
		if 100 <= code && code < 600 {
			status = int(code)
		}
		c.loggingIn = operation(op).isLogin()
		c.gets(status, retryAfter, body)
		good := 200 <= status && status < 300
		var err error
		if call := calls(c.Client, c.user)[op]; call != nil {
			err = call(t.Context())
		} else {
			_, err = c.login(t.Context(), grant{op: operation(op), user: c.user, refresh: "refresh"})
		}
		if err == nil {
			existed := op == "create_user" && status == http.StatusUnprocessableEntity
			if !good && !existed {
				t.Errorf("%s went well with status %d", op, status)
			}
			if op == "create_user" && good && !strings.EqualFold(readAgain(t, body).text("id"), c.user.ID) {
				t.Errorf("%s: got the user of another id", op)
			}
			return
		}
		e := checkRefused(t, err, op, status)
		ends := e.Class == ClassUser || e.Class == ClassPermanent
		if operation(op).isRead() && 400 <= status && status < 500 && ends && !json.Valid(body) {
			t.Errorf("what ends an import must be in the provider's own words: %v", e)
		}
		if NotFound(e) && (status != 404 || !json.Valid(body)) {
			t.Errorf("nobody has said that it does not exist: %v", e)
		}
		if good && e.Class != ClassRetry && op != "create_form" {
			t.Errorf("an answer that cannot be read: got class %q, want %q", e.Class, ClassRetry)
		}
	})
}

var visible = regexp.MustCompile(`^[!-~]*$`)

// A token fits into a header and lives as long as the answer says.
func FuzzLogin(f *testing.F) {
	for _, seed := range []string{
		tokenJSON("access", 3599, "refresh"), tokenJSON("access", 0, ""), tokenJSON(fuzzCanary+"\r\nX: y", 1, ""),
		`{"access_token":"` + fuzzCanary + `","token_type":"mac","expires_in":1}`,
		`{"access_token":"` + fuzzCanary + `","token_type":"bearer","expires_in":-1}`,
		`{"access_token":"` + fuzzCanary + `","token_type":"bearer","expires_in":9223372036854775807}`,
		`{"access_token":"` + fuzzCanary + `","token_type":"bearer","expires_in":"` + fuzzCanary + `"}`,
		`{"access_token":null,"token_type":"bearer","expires_in":3e3,"scope":{"` + fuzzCanary + `":[]}}`,
	} {
		f.Add([]byte(seed))
	}
	c := newFuzzed(f)
	c.loggingIn = true
	f.Fuzz(func(t *testing.T, body []byte) {
		c.gets(http.StatusOK, "", body)
		got, err := c.login(t.Context(), grant{op: opUserToken, user: c.user})
		if err != nil {
			checkRefused(t, err, "user_token", http.StatusOK)
			return
		}
		o := readAgain(t, body)
		checkTexts(t, o, value{got.access.Reveal(), "access_token"}, value{got.refresh.Reveal(), "refresh_token"}, value{id(int64(got.life / time.Second)), "expires_in"})
		both := got.access.Reveal() + got.refresh.Reveal()
		if got.access == "" || got.life < 0 || len(both) > 2*maxToken || !visible.MatchString(both) {
			t.Errorf("got a token of %d characters for %s", len(got.access), got.life)
		}
	})
}

// formURL is how a browser must read a form's URL: nothing before the host's
// end that it could take for something else.
var formURL = regexp.MustCompile("(?i)^https://[-.0-9a-z_~!$&'()*+,;=<>\"]*\\.finapi\\.io(:443)?([/?#]|$)")

// fuzzFormID is the same in every process, as seeds must be.
const fuzzFormID = "5f0c1b7e-2a64-4c0d-9d3b-7e8f6a5b4c3d"

// A form is the one that was asked for, and its URL leads to the provider.
func FuzzForm(f *testing.F) {
	form := func(status, payload string) string {
		return strings.ReplaceAll(formJSON(fuzzFormID, status, payload), "form.example.test", "webform.finapi.io")
	}
	sample := form("COMPLETED", `{"bankConnectionId":7,"errorCode":"BANK_SERVER_REJECTION","errorMessage":"`+fuzzCanary+`"}`)
	for i, seed := range []string{
		sample, form("NOT_YET_OPENED", "null"), form("IN_PROGRESS", `{"bankConnectionId":-7}`), form(fuzzCanary, `{"errorCode":"`+fuzzCanary+`"}`),
		strings.Replace(sample, "webform.finapi.io", "webform.finapi.io.evil.test", 1),
		strings.Replace(sample, "webform.finapi.io", "evil.test#.finapi.io", 1),
		strings.Replace(sample, "webform.finapi.io", "evil.test%EF%BC%8F.finapi.io", 1),
		strings.Replace(sample, "webform.finapi.io", "webform.f\u0130napi.io", 1),
		strings.Replace(sample, "webform.finapi.io", `evil.test\\.finapi.io`, 1),
		strings.Replace(sample, "https://webform", "https://"+fuzzCanary+"@webform", 1),
		strings.Replace(sample, `"`+fuzzFormID, `"`+fuzzCanary, 1),
		strings.Replace(sample, "2026-03-02T13:51:08.973+0000", fuzzCanary, 1),
	} {
		f.Add(uint8(i), []byte(seed))
	}
	c := newFuzzed(f)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		c.gets(http.StatusOK, "", body)
		var got Form
		var err error
		op := []string{"create_form", "get_form", "cancel_form"}[which%3]
		switch op {
		case "create_form":
			got, err = c.CreateForm(t.Context(), c.user, FormRequest{})
		case "get_form":
			got, err = c.Form(t.Context(), c.user, fuzzFormID)
		default:
			got, err = c.CancelForm(t.Context(), c.user, fuzzFormID)
		}
		if err != nil {
			checkRefused(t, err, op, http.StatusOK)
			return
		}
		o := readAgain(t, body)
		payload := o.object("payload")
		checkTexts(t, o, value{got.ID, "id"}, value{got.URL, "url"}, value{string(got.Status), "status"})
		if op != "create_form" && !strings.EqualFold(got.ID, fuzzFormID) {
			t.Errorf("got form %q, want %q", got.ID, fuzzFormID)
		}
		if url.PathEscape(got.ID) != got.ID || got.ID == "" || got.Status == "" || got.CreatedAt.IsZero() || got.ExpiresAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		if !formURL.MatchString(got.URL) {
			t.Errorf("a user would be sent to %q", got.URL)
		}
		if said := payload.text("errorCode"); safeCode(got.ErrorCode) != got.ErrorCode || (got.ErrorCode == "") != (said == "") {
			t.Errorf("got error code %q of %q", got.ErrorCode, said)
		}
		if said := payload.text("bankConnectionId"); said != "" || got.ConnectionID != 0 {
			checkIDs(t, got.ConnectionID)
			checkTexts(t, payload, value{id(got.ConnectionID), "bankConnectionId"})
		}
	})
}

// A connection is the one that was asked for, with ids that are some.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{
		connectionJSON,
		strings.Replace(connectionJSON, `"id":7`, `"id":8`, 1),
		strings.Replace(connectionJSON, `[11,12]`, `[11,-12]`, 1),
		strings.Replace(connectionJSON, `[11,12]`, `["`+fuzzCanary+`"]`, 1),
		strings.Replace(connectionJSON, `"READY"`, `"`+fuzzCanary+`"`, 1),
		strings.Replace(connectionJSON, `"userActionRequired":false`, `"userActionRequired":true},{"userActionRequired":false`, 1),
	} {
		f.Add([]byte(seed))
	}
	c := newFuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c.gets(http.StatusOK, "", body)
		got, err := c.Connection(t.Context(), c.user, 7)
		if err != nil {
			checkRefused(t, err, "get_connection", http.StatusOK)
			return
		}
		o := readAgain(t, body)
		bank := o.object("bank")
		checkTexts(t, o, value{id(got.ID), "id"}, value{got.UpdateStatus, "updateStatus"}, value{got.CategorizationStatus, "categorizationStatus"})
		checkTexts(t, bank, value{id(got.Bank.ID), "id"}, value{got.Bank.Name, "name"}, value{got.Bank.BIC, "bic"})
		checkIDs(t, got.Bank.ID)
		checkIDs(t, got.AccountIDs...)
		if got.ID != 7 || got.UpdateStatus == "" || got.CategorizationStatus == "" || len(got.AccountIDs) != len(o.list("accountIds")) {
			t.Errorf("got %+v", got)
		}
		action := slices.ContainsFunc(o.list("interfaces"), func(i any) bool {
			one, _ := i.(map[string]any)
			return object(one).flag("userActionRequired")
		})
		if got.UserActionRequired != action {
			t.Errorf("got user action required: %t, want %t", got.UserActionRequired, action)
		}
	})
}

var accountType = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// Accounts are of the connection, each there once, their texts and amounts as
// they are written.
func FuzzAccounts(f *testing.F) {
	list := func(accounts ...string) string { return `{"accounts":[` + strings.Join(accounts, ",") + `]}` }
	with := func(old, new string) string { return list(strings.Replace(accountJSON, old, new, 1)) }
	for _, seed := range []string{
		list(), list(accountJSON), list(accountJSON, strings.Replace(accountJSON, `"id":11`, `"id":12`, 1)), list(accountJSON, accountJSON),
		with(`"iban":null`, `"iban":"`+fuzzCanary+`","accountName":"`+fuzzCanary+`","accountHolderName":"\ud83d\ude00","subAccountNumber":"00","accountCurrency":"eur"`),
		with(`"iban":null`, `"iban":7753370008011111`), with(`CreditCard`, `URLAccount2`), with(`CreditCard`, fuzzCanary),
		with(`16978.51`, `1.697851E+4`), with(`16978.51`, `-0`), with(`16978.51`, `5e-40`), with(`16978.51`, `1e999999999`), with(`16978.51`, `"`+fuzzCanary+`"`),
		with(`16978.51`, `100000000000000000000000000000000000000000.01`), with(`"bankConnectionId":7`, `"bankConnectionId":8`),
		with(`.011+02:00`, `.011999999999+0200`), with(`2026-08-13`, fuzzCanary),
	} {
		f.Add([]byte(seed))
	}
	c := newFuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c.gets(http.StatusOK, "", body)
		got, err := c.Accounts(t.Context(), c.user, 7)
		if err != nil {
			checkRefused(t, err, "list_accounts", http.StatusOK)
			return
		}
		all := readAgain(t, body).list("accounts")
		if len(got) != len(all) {
			t.Fatalf("got %d accounts, want %d", len(got), len(all))
		}
		seen := map[int64]bool{}
		for i, a := range got {
			one, _ := all[i].(map[string]any)
			o := object(one)
			checkIDs(t, a.ID)
			checkTexts(t, o, value{id(a.ID), "id"}, value{id(a.ConnectionID), "bankConnectionId"}, value{a.Name, "accountName"}, value{a.Holder, "accountHolderName"},
				value{a.IBAN, "iban"}, value{a.Number, "accountNumber"}, value{a.SubNumber, "subAccountNumber"})
			checkAmounts(t, o, value{a.Balance, "balance"}, value{a.OverdraftLimit, "overdraftLimit"}, value{a.AvailableFunds, "availableFunds"})
			checkCurrencies(t, o, value{a.Currency, "accountCurrency"})
			if said := o.text("accountType"); !accountType.MatchString(a.Type) || strings.ReplaceAll(a.Type, "_", "") != strings.ToLower(said) {
				t.Errorf("got type %q of %q", a.Type, said)
			}
			if a.ConnectionID != 7 || a.Number == "" || seen[a.ID] || len(a.Interfaces) != len(o.list("interfaces")) {
				t.Errorf("got %+v", a)
			}
			seen[a.ID] = true
			for _, i := range a.Interfaces {
				if i.Status == "" {
					t.Errorf("account %d: got an interface without a status", a.ID)
				}
			}
		}
	})
}

// A page holds rows of the account that was asked for, their texts, dates and
// amounts as they are written, and says truly how many there are.
func FuzzTransactions(f *testing.F) {
	with := func(old, new string) string { return pageJSON(1, 1, 1, strings.Replace(rowJSON, old, new, 1)) }
	for _, seed := range []string{
		pageJSON(1, 0, 0, ""), pageJSON(1, 1, 1, rowJSON), pageJSON(1, 3, 1001, rowJSON+","+rowJSON), pageJSON(2, 3, 1001, rowJSON),
		pageJSON(1, 1, 0, rowJSON), pageJSON(1, 9223372036854775807, 9223372036854775807, rowJSON), pageJSON(-1, -1, -1, ""),
		strings.Replace(pageJSON(1, 1, 1, rowJSON), `"balance":-135.80`, `"balance":-1358E-1`, 1),
		with(`-135.80`, `-1.3580e2`), with(`-135.80`, `0.00e-5`), with(`-135.80`, `"`+fuzzCanary+`"`), with(`"2026-01-02"`, `"2026-02-30"`),
		with(`"2026-01-02"`, `"`+fuzzCanary+`"`), with(`"currency":null`, `"currency":"usd","originalAmount":1,"originalCurrency":"EUR","feeAmount":0.10,"feeCurrency":"JPY","compensationAmount":-0.0`),
		with(`"currency":null`, `"currency":"`+fuzzCanary+`"`), with(`"category":null`, `"category":{"name":"Rent","parentName":null,"isCustom":true}`),
		with(`"rent"`, `"\u0000\u202e`+fuzzCanary+`"`), with(`"counterpartName"`, `"counterpartIban":"DE77533700080111111100","counterpartName"`),
		with(`"accountId":11`, `"accountId":12`), with(`2026-01-04T05:06:07Z`, `2026-01-04T05:06:07`),
	} {
		f.Add([]byte(seed))
	}
	c := newFuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c.gets(http.StatusOK, "", body)
		got, err := c.Transactions(t.Context(), c.user, 11, 1)
		if err != nil {
			checkRefused(t, err, "list_transactions", http.StatusOK)
			return
		}
		page := readAgain(t, body)
		rows, paging := page.list("transactions"), page.object("paging")
		checkAmounts(t, page, value{got.Balance, "balance"})
		checkTexts(t, paging, value{strconv.Itoa(got.Page), "page"}, value{strconv.Itoa(got.PageCount), "pageCount"}, value{strconv.Itoa(got.TotalCount), "totalCount"})
		if len(got.Transactions) != len(rows) || len(rows) > 500 || len(rows) > got.TotalCount || got.Balance == "" {
			t.Fatalf("got %d rows of %d and of %d in all, balance %q", len(got.Transactions), len(rows), got.TotalCount, got.Balance)
		}
		if got.PageCount > 0 && (got.Page != 1 || len(rows) == 0 && got.TotalCount > 0) {
			t.Errorf("got page %d of %d with %d rows of %d", got.Page, got.PageCount, len(rows), got.TotalCount)
		}
		for i, r := range got.Transactions {
			one, _ := rows[i].(map[string]any)
			checkRow(t, r, one)
		}
	})
}

func checkRow(t *testing.T, r Transaction, o object) {
	t.Helper()
	checkIDs(t, r.ID)
	checkTexts(t, o, value{id(r.ID), "id"}, value{id(r.AccountID), "accountId"}, value{r.BankBookingDate, "bankBookingDate"}, value{r.ValueDate, "valueDate"},
		value{r.FinapiBookingDate, "finapiBookingDate"}, value{r.Purpose, "purpose"}, value{r.CounterpartName, "counterpartName"},
		value{r.CounterpartIBAN, "counterpartIban"}, value{r.CounterpartAccountNumber, "counterpartAccountNumber"}, value{r.CounterpartBIC, "counterpartBic"},
		value{r.CounterpartBankName, "counterpartBankName"}, value{r.CounterpartMandateReference, "counterpartMandateReference"},
		value{r.CounterpartCreditorID, "counterpartCreditorId"}, value{r.CounterpartDebitorID, "counterpartDebitorId"},
		value{r.CounterpartCustomerReference, "counterpartCustomerReference"}, value{r.EndToEndReference, "endToEndReference"}, value{r.Type, "type"},
		value{r.TypeCodeZKA, "typeCodeZka"}, value{r.TypeCodeSWIFT, "typeCodeSwift"}, value{r.SEPAPurposeCode, "sepaPurposeCode"},
		value{r.BankTransactionCode, "bankTransactionCode"}, value{r.Primanota, "primanota"})
	checkAmounts(t, o, value{r.Amount, "amount"}, value{r.OriginalAmount, "originalAmount"}, value{r.FeeAmount, "feeAmount"}, value{r.CompensationAmount, "compensationAmount"})
	checkCurrencies(t, o, value{r.Currency, "currency"}, value{r.OriginalCurrency, "originalCurrency"}, value{r.FeeCurrency, "feeCurrency"})
	for _, day := range []string{r.BankBookingDate, r.ValueDate, r.FinapiBookingDate} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			t.Errorf("got the date %q", day)
		}
	}
	if r.AccountID != 11 || r.Amount == "" || r.ImportedAt.IsZero() ||
		r.PotentialDuplicate != o.flag("isPotentialDuplicate") || r.AdjustingEntry != o.flag("isAdjustingEntry") {
		t.Errorf("got %+v", r)
	}
	category := o.object("category")
	if (r.Category != nil) != (category.text("name") != "") {
		t.Errorf("got category %v of %v", r.Category, category)
	}
	if r.Category != nil && *r.Category != (Category{category.text("name"), category.text("parentName"), category.flag("isCustom")}) {
		t.Errorf("got category %+v of %v", *r.Category, category)
	}
}

// An amount is every number that JSON has, as it is written; only one in
// scientific notation is written out, and only an absurd one refused.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{
		"", "null", "0", "-0", "-0.0", "01", "+1", ".5", "5.", "1e", "16978.51", "1.0E+2", "-1358e-1", "5e-40", "5e-41", "1e40", "1e41", "1e99999999999999999999",
		"0.0000e5", "-0e-3", "12345678901234567890123456789012345678.90", "123456789012345678901234567890123456789.01", `"1"`, "NaN", "0x1p4", "1_0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		var n api.Number
		err := n.UnmarshalJSON([]byte(written))
		number := json.Valid([]byte(written)) && strings.Trim(written[:1]+written[len(written)-1:], "-0123456789") == ""
		if want := number || written == "null"; (err == nil) != want {
			t.Fatalf("%q: got %v, want it taken: %t", written, err, want)
		}
		if err != nil || written == "null" {
			return
		}
		got, ok := decimal(n)
		if ok {
			checkAmount(t, "amount", got, written)
			return
		}
		mantissa, _, scientific := cutExponent(written)
		if !scientific && len(mantissa) <= maxDigits {
			t.Errorf("%q is refused", written)
		}
	})
}

var (
	timeText  = regexp.MustCompile(`^"(\d{4}-\d\d-\d\dT)(\d\d?)(:\d\d:\d\d)(?:[.,](\d+))?(Z|([+-]\d\d):?(\d\d))"$`)
	timeError = regexp.MustCompile(`^not a (time like 2026-01-31T12:00:00\.000\+0000|text)$`)
)

// A time means the same whether Access or Web Form writes it, and after it was
// written again. One without an offset is none, and one that was taken fits into
// an event.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		"null", `""`, `"2026-08-13T18:12:22.011+02:00"`, `"2021-03-02T13:51:08.973+0000"`, `"2026-03-02T14:11:08Z"`, `"2026-03-02T14:11:08.1234567891-1130"`,
		`"0001-01-01T00:00:00Z"`, `"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999-23:59"`, `"9999-12-31T23:59:59.999+00:00"`, `"2026-02-30T00:00:00Z"`, `"2026-03-02T24:00:00Z"`,
		`"2026-03-02T23:59:60Z"`, `"2026-03-02T4:11:08,5+01"`, `"2026-03-02T14:11:08"`, `"2026-03-02 14:11:08Z"`, `1772460668`, `"` + fuzzCanary + `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var access api.Time
		var form api.FormInstant
		err, formErr := access.UnmarshalJSON([]byte(text)), form.UnmarshalJSON([]byte(text))
		if (err == nil) != (formErr == nil) || !access.Equal(form.Time) {
			t.Fatalf("%q: Access reads %v, %v; Web Form %v, %v", text, access, err, form, formErr)
		}
		if err != nil {
			if !access.IsZero() || !timeError.MatchString(err.Error()) {
				t.Errorf("%q: got %v and the error %q", text, access, err)
			}
			return
		}
		if text == "null" || text == `""` {
			if !access.IsZero() {
				t.Errorf("%s: got %v, want none", text, access)
			}
			return
		}
		if y := access.UTC().Year(); y < 1 || y > 9999 {
			t.Errorf("%q: got %v, which events cannot carry", text, access)
		}
		part := timeText.FindStringSubmatch(text)
		if part == nil {
			t.Fatalf("%q was read as %v", text, access)
		}
		offset := "Z"
		if part[6] != "" {
			offset = part[6] + ":" + part[7]
		}
		hour := ("0" + part[2])[len(part[2])-1:]
		want, err := time.Parse(time.RFC3339, part[1]+hour+part[3]+"."+part[4]+"0"+offset)
		if err != nil || !access.Equal(want) {
			t.Errorf("%q: got %v, want %v, %v", text, access, want, err)
		}
		for _, written := range []func() ([]byte, error){access.MarshalJSON, form.MarshalJSON} {
			b, err := written()
			var again api.Time
			if err != nil || again.UnmarshalJSON(b) != nil || !again.Equal(access.Truncate(time.Millisecond)) {
				t.Errorf("%q: written again it is %s, %v, and read %v", text, b, err, again)
			}
		}
	})
}

// Seconds and dates are advice, never for longer than any advice is followed;
// everything else is none.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "7", " 7 ", "\v7", "-7", "+7", "7.5", "9223372036854775807", "9223372036854775808", "-9223372037", "999999999999999999999", "Mon, 02 Mar 2026 13:51:08 GMT",
		"Monday, 02-Mar-26 13:51:08 GMT", "Mon Mar  2 13:51:08 2026", "Mon, 02 Mar 9999 13:51:08 GMT", "0x7", "1e3", "\x00", "P1D",
	} {
		f.Add(seed, int64(1772459460))
	}
	digits := regexp.MustCompile(`^[\s\v\x85\pZ]*\+?([0-9]+)[\s\v\x85\pZ]*$`)
	f.Fuzz(func(t *testing.T, header string, seconds int64) {
		now := time.Unix(seconds%(1<<38), 0)
		got := retryAfter(header, now)
		var want time.Duration
		if part := digits.FindStringSubmatch(header); part != nil {
			if n, err := strconv.ParseInt(part[1], 10, 64); err == nil {
				want = maxRetryAfter
				if n < int64(maxRetryAfter/time.Second) {
					want = time.Duration(n) * time.Second
				}
			}
		} else if at, err := http.ParseTime(header); err == nil && at.After(now) {
			want = maxRetryAfter
			if end := now.Add(maxRetryAfter); at.Before(end) {
				want = at.Sub(now)
			}
		}
		if got != want {
			t.Errorf("%q at %s: got %s, want %s", header, now.UTC(), got, want)
		}
	})
}
