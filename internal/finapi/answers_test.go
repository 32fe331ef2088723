package finapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// change replaces old by new in text, which must hold it.
func change(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the sample", old)
	}
	return strings.Replace(text, old, new, 1)
}

func TestFormAnswers(t *testing.T) {
	t.Parallel()
	sample := formJSON(testFormID, "IN_PROGRESS", "null")
	for name, test := range map[string]struct {
		old, new string
		wrong    string // part of the error; empty: it goes well
		check    func(Form) bool
	}{
		"C27 payload null":        {"", "", "", func(f Form) bool { return f.ConnectionID == 0 && f.ErrorCode == "" }},
		"payload empty":           {`"payload":null`, `"payload":{}`, "", func(f Form) bool { return f.ConnectionID == 0 }},
		"C27 payload absent":      {`,"payload":null`, ``, "", func(f Form) bool { return f.ConnectionID == 0 }},
		"payload of nulls":        {`"payload":null`, `"payload":{"bankConnectionId":null,"errorCode":null}`, "", func(f Form) bool { return f.ConnectionID == 0 && f.ErrorCode == "" }},
		"C13 C27 connection":      {`"payload":null`, `"payload":{"bankConnectionId":9223372036854775807}`, "", func(f Form) bool { return f.ConnectionID == 9223372036854775807 }},
		"C27 completed, nothing":  {`"IN_PROGRESS"`, `"COMPLETED"`, "", func(f Form) bool { return f.Status.Final() && f.ConnectionID == 0 }},
		"C27 aborted, connection": {`"IN_PROGRESS","payload":null`, `"ABORTED","payload":{"bankConnectionId":7}`, "", func(f Form) bool { return f.Status.Final() && f.ConnectionID == 7 }},
		"error code":              {`"payload":null`, `"payload":{"errorCode":"BANK_SERVER_REJECTION","errorMessage":"canary"}`, "", func(f Form) bool { return f.ErrorCode == "BANK_SERVER_REJECTION" }},
		"C17 new error code":      {`"payload":null`, `"payload":{"errorCode":"BRAND_NEW"}`, "", func(f Form) bool { return f.ErrorCode == "BRAND_NEW" }},
		"odd error code":          {`"payload":null`, `"payload":{"errorCode":"DE77533700080111111100"}`, "", func(f Form) bool { return f.ErrorCode == CodeUnknownErrorAnswer }},
		"C17 new status":          {`IN_PROGRESS`, `ERROR`, "", func(f Form) bool { return f.Status == "ERROR" && !f.Status.Final() }},
		"C18 unknown field":       {`"payload":null`, `"payload":null,"new":{"a":[1]}`, "", nil},
		"C14 time with colon":     {`14:11:08.973+0000`, `16:11:08+02:00`, "", func(f Form) bool { return f.ExpiresAt.Equal(time.Date(2026, 3, 2, 14, 11, 8, 0, time.UTC)) }},
		"C14 time in Z":           {`14:11:08.973+0000`, `14:11:08.000Z`, "", func(f Form) bool { return f.ExpiresAt.Equal(time.Date(2026, 3, 2, 14, 11, 8, 0, time.UTC)) }},
		"C28 expired long ago":    {`2026-03-02T14`, `2016-03-02T14`, "", nil},
		"C28 expires in a year":   {`2026-03-02T14`, `2027-03-02T14`, "", func(f Form) bool { return f.ExpiresAt.Sub(f.CreatedAt) > 365*24*time.Hour }},
		"C14 time without zone":   {`14:11:08.973+0000`, `14:11:08.973`, "JSON", nil},
		"C14 time as number":      {`"2026-03-02T14:11:08.973+0000"`, `1772460668`, "JSON", nil},
		"C14 30 February":         {`2026-03-02T14`, `2026-02-30T14`, "JSON", nil},
		"C14 year 10000":          {`2026-03-02T14`, `10000-03-02T14`, "JSON", nil},
		"C14 year 10000 in UTC":   {`2026-03-02T14:11:08.973+0000`, `9999-12-31T23:30:00.000-0100`, "JSON", nil},
		"C14 year 0":              {`2026-03-02T14`, `0000-03-02T14`, "JSON", nil},
		"C14 year 0 in UTC":       {`2026-03-02T14:11:08.973+0000`, `0001-01-01T00:30:00.000+0100`, "JSON", nil},
		"C14 year 9999":           {`2026-03-02T14`, `9999-03-02T14`, "", func(f Form) bool { return f.ExpiresAt.Year() == 9999 }},
		"C15 time null":           {`"2026-03-02T14:11:08.973+0000"`, `null`, "expiresAt", nil},
		"C16 id missing":          {`"id":"` + testFormID + `",`, ``, "id", nil},
		"id of another form":      {`"id":"` + testFormID, `"id":"11111111-1111-4111-8111-111111111111`, "another form", nil},
		"C13 id a number":         {`"id":"` + testFormID + `"`, `"id":7`, "JSON", nil},
		"id a path":               {`"id":"` + testFormID, `"id":"../x`, "id", nil},
		"C16 status missing":      {`"status":"IN_PROGRESS",`, ``, "status", nil},
		"C15 status null":         {`"IN_PROGRESS"`, `null`, "status", nil},
		"connection zero":         {`"payload":null`, `"payload":{"bankConnectionId":0}`, "bankConnectionId", nil},
		"C13 connection minus":    {`"payload":null`, `"payload":{"bankConnectionId":-5}`, "bankConnectionId", nil},
		"C13 connection as text":  {`"payload":null`, `"payload":{"bankConnectionId":"5"}`, "JSON", nil},
		"connection 1e2":          {`"payload":null`, `"payload":{"bankConnectionId":1e2}`, "JSON", nil},
		"C13 connection 2^63":     {`"payload":null`, `"payload":{"bankConnectionId":9223372036854775808}`, "JSON", nil},
		"C16 url missing":         {`"url":"https://form.example.test/wf/` + testFormID + `",`, ``, "url", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			c := p.client(t)
			p.on("get_form", answer(200, change(t, sample, test.old, test.new)))
			form, err := c.Form(t.Context(), c.User("u"), testFormID)
			wantAnswer(t, err, test.wrong)
			if test.check != nil && !test.check(form) {
				t.Errorf("got %+v", form)
			}
		})
	}
}

// wantAnswer fails unless err is nil, or says what is wrong with the answer.
func wantAnswer(t *testing.T, err error, wrong string) {
	t.Helper()
	if wrong == "" {
		if err != nil {
			t.Fatalf("got %v, want success", err)
		}
		return
	}
	e := wantError(t, err, ClassRetry, CodeMalformed)
	if !strings.Contains(e.Error(), wrong) {
		t.Errorf("got %q, want it to name %q", e, wrong)
	}
}

// TestUnusedFieldsBreakNothing: whatever is where nobody looks, the rest is read.
func TestUnusedFieldsBreakNothing(t *testing.T) {
	t.Parallel()
	garbage := []string{`null`, `true`, `-1.5e99`, `99999999999999999999`, `"x"`, `[]`, `[1,"x",{}]`, `{}`, `{"code":[1],"name":{}}`}
	for op, samples := range map[string]struct {
		sample string
		fields map[string][]string // by what they are put behind
	}{
		"user_token": {tokenJSON("t", 3599, ""), map[string][]string{`{`: {"scope"}}},
		"create_form": {formJSON(testFormID, "NOT_YET_OPENED", `{"bankConnectionId":null}`), map[string][]string{
			`{`: {"type"}, `"payload":{`: {"errorMessage"},
		}},
		"get_connection": {connectionJSON, map[string][]string{
			`{`:               {"name"},
			`"interfaces":[{`: {"bankingInterface", "loginCredentials", "twoStepProcedures", "lastManualUpdate", "lastAutoUpdate", "maxDaysForDownload"},
			`"bank":{`:        {"blz", "city", "isTestBank", "popularity", "interfaces", "isBeta"},
		}},
		"list_accounts": {`{"accounts":[` + accountJSON + `]}`, map[string][]string{
			`"accounts":[{`:   {"accountHolderId", "overdraft", "isNew", "isSeized"},
			`"interfaces":[{`: {"bankingInterface", "capabilities", "paymentCapabilities", "lastUpdateAttempt"},
		}},
		"list_transactions": {pageJSON(1, 1, 1, rowJSON), map[string][]string{
			`{`:                 {"income", "spending"},
			`"paging":{`:        {"perPage"},
			`"transactions":[{`: {"parentId", "counterpartBlz", "bankTransactionCodeDescription", "labels", "isNew", "children", "differentDebitor", "differentCreditor"},
			`"category":{`:      {"id", "parentId"},
		}},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			c := p.client(t)
			for behind, fields := range samples.fields {
				for _, field := range fields {
					sample := strings.ReplaceAll(samples.sample, `"category":null`, `"category":{"name":"c","isCustom":false}`)
					if field != "id" { // which the row has, too
						there := `"` + field + `":("[^"]*"|true|false|null|\[\]|-?[0-9.]+)`
						sample = regexp.MustCompile(there+`,|,`+there).ReplaceAllString(sample, "")
					}
					for _, value := range garbage {
						p.on(op, answer(200, change(t, sample, behind, behind+`"`+field+`":`+value+`,`)))
						call := calls(c, c.User("u"))[op]
						if op == "user_token" {
							call = func(ctx context.Context) error { return readForm(ctx, c, c.User(field+value)) }
						}
						if err := call(t.Context()); err != nil {
							t.Errorf("%s: %s: %v", field, value, err)
						}
					}
				}
			}
		})
	}
}

func TestFormStatuses(t *testing.T) {
	t.Parallel()
	final := map[FormStatus]bool{
		FormNotYetOpened: false, FormInProgress: false, FormCompleted: true, FormCompletedWithError: true,
		FormExpired: true, FormAborted: true, FormCancelled: true, "ERROR": false, "": false,
	}
	for status, want := range final {
		if got := status.Final(); got != want {
			t.Errorf("%q: got final %v, want %v", status, got, want)
		}
	}
	for _, status := range []api.WebFormStatus{
		api.WebFormStatusNotYetOpened, api.WebFormStatusInProgress, api.WebFormStatusCompleted, api.WebFormStatusCompletedWithError,
		api.WebFormStatusExpired, api.WebFormStatusAborted, api.WebFormStatusCancelled,
	} {
		if _, ok := final[FormStatus(status)]; !ok {
			t.Errorf("%q of the contract is not ours", status)
		}
	}
}

func TestFormURLs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base, url string
		want      bool
	}{
		{"https://webform-sandbox.finapi.io", "https://webform-sandbox.finapi.io/wf/x", true},
		{"https://webform-live.finapi.io", "https://webform.finapi.io/wf/x", true},
		{"https://webform-live.finapi.io", "https://webform.finapi.io.evil.test/wf/x", false},
		{"https://webform-live.finapi.io", "https://evilfinapi.io/wf/x", false},
		{"https://webform-live.finapi.io", "https://evil.test/.finapi.io", false},
		{"https://webform-live.finapi.io", "https://webform-live.finapi.io@evil.test/wf/x", false},
		{"https://webform-live.finapi.io", "http://webform-live.finapi.io/wf/x", false},
		{"https://webform-live.finapi.io", "javascript:alert(1)", false},
		{"https://webform-live.finapi.io", "//webform-live.finapi.io/wf/x", false},
		{"https://webform-live.finapi.io", "/wf/x", false},
		{"https://webform-live.finapi.io", "https://extra.example.test/wf/x", true},
		{"https://webform-live.finapi.io", "https://127.0.0.1/wf/x", false},
		{"https://form.example.test", "https://form.example.test/wf/x", true},
		{"https://form.example.test", "https://form.example.test:444/wf/x", false},
		{"https://form.example.test:443", "https://form.example.test/wf/x", true},
		{"https://form.example.test", "https://form.example.test:443/wf/x", true},
		{"https://FORM.example.test:443", "https://form.example.TEST/wf/x", true},
		{"https://form.example.test:444", "https://form.example.test/wf/x", false},
		{"https://webform-live.finapi.io:443", "https://webform.finapi.io/wf/x", true},
		{"https://webform-live.finapi.io", "https://webform.finapi.io:443/wf/x", true},
		{"https://webform-live.finapi.io", "https://webform.finapi.io:444/wf/x", false},
		{"https://webform-live.finapi.io", "https://other.example.test/wf/x", true},
		{"https://form.example.test", "https://webform.finapi.io/wf/x", false},
		{"https://form.example.test", "http://127.0.0.1/wf/x", false},
		{"http://127.0.0.1:8081", "http://localhost:8081/wf/x", true},
		{"http://127.0.0.1:8081", "http://[::1]:8081/wf/x", true},
		{"http://127.0.0.1:8081", "ftp://127.0.0.1:8081/wf/x", false},
		{"http://127.0.0.1:8081", "http://evil.test/wf/x", false},
		{"https://form.example.test", "https://form.example.test/" + strings.Repeat("x", maxURLLength), false},
		{"https://form.example.test", "https://form.example.test/\x7f", false},
	} {
		p := newProvider()
		c := p.client(t, func(config *Config) {
			config.WebFormURL = test.base
			config.FormHosts = []string{"extra.example.test", "OTHER.example.test:443"}
		})
		quoted, err := json.Marshal(test.url)
		if err != nil {
			t.Fatal(err)
		}
		body := change(t, formJSON(testFormID, "NOT_YET_OPENED", "null"), `"https://form.example.test/wf/`+testFormID+`"`, string(quoted))
		p.on("create_form", answer(201, body))
		form, err := c.CreateForm(t.Context(), c.User("u"), FormRequest{})
		if test.want {
			if err != nil || form.URL != test.url {
				t.Errorf("%s: %s: got %v, want it allowed", test.base, test.url, err)
			}
			continue
		}
		wantError(t, err, ClassPermanent, CodeForeignFormURL)
		if got := p.count("create_form"); got != 1 {
			t.Errorf("%s: %d forms created, want 1", test.url, got)
		}
	}
}

func TestFormRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request  FormRequest
		redirect string
		want     string
	}{
		"the user chooses": {FormRequest{}, "", `{}`},
		"all": {
			FormRequest{
				BankID: 1 << 40, ConnectionName: "Main", MaxDays: 90, ProfileID: "11111111-1111-4111-8111-111111111111",
				CallbackURL:  "https://bridge.example.test/callbacks/finapi/x",
				AccountTypes: []string{"bausparen", "checking", "credit_card", "loan", "membership", "savings", "security", "checking"},
			},
			"https://app.example.test/done",
			`{"bank":{"id":1099511627776},"bankConnectionName":"Main","maxDaysForDownload":90,"profileId":"11111111-1111-4111-8111-111111111111",
			"callbacks":{"finalised":"https://bridge.example.test/callbacks/finapi/x"},"redirectUrl":"https://app.example.test/done",
			"accountTypes":["BAUSPAREN","CHECKING","CREDIT_CARD","LOAN","MEMBERSHIP","SAVINGS","SECURITY"]}`,
		},
		"a search": {FormRequest{BankSearch: "DEMO0001"}, "", `{"bank":{"search":"DEMO0001"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			var sent []byte
			p.on("create_form", func(w http.ResponseWriter, r *http.Request) {
				sent, _ = io.ReadAll(r.Body)
				p.usual(w, r, "create_form")
			})
			c := p.client(t, func(config *Config) { config.RedirectURL = test.redirect })
			if _, err := c.CreateForm(t.Context(), c.User("u"), test.request); err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(sent, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectionAnswers(t *testing.T) {
	t.Parallel()
	var unknown strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&unknown, `"new%d":{"a":[%d]},`, i, i)
	}
	for name, test := range map[string]struct {
		old, new string
		wrong    string
		check    func(Connection) bool
	}{
		"good":                      {"", "", "", nil},
		"user action":               {`"userActionRequired":false`, `"userActionRequired":true`, "", func(c Connection) bool { return c.UserActionRequired }},
		"one of two interfaces":     {`"userActionRequired":false}`, `"userActionRequired":true},{"userActionRequired":false}`, "", func(c Connection) bool { return c.UserActionRequired }},
		"no interface":              {`{"bankingInterface":"XS2A","userActionRequired":false}`, ``, "", func(c Connection) bool { return !c.UserActionRequired }},
		"C17 new status":            {`"READY"`, `"SLEEPING"`, "", func(c Connection) bool { return c.UpdateStatus == "SLEEPING" }},
		"C18 10,000 unknown fields": {`{"id":7`, `{` + unknown.String() + `"id":7`, "", func(c Connection) bool { return c.UpdateStatus == StatusReady }},
		"no account yet":            {`[11,12]`, `[]`, "", func(c Connection) bool { return len(c.AccountIDs) == 0 }},
		"bank's BIC":                {`"blz"`, `"bic":"TESTDE","blz"`, "", func(c Connection) bool { return c.Bank.BIC == "TESTDE" }},
		"bank without name":         {`"finAPI Test Bank"`, `null`, "", func(c Connection) bool { return c.Bank.Name == "" }},
		"C22 another connection":    {`"id":7`, `"id":8`, "another connection", nil},
		"C16 no id":                 {`"id":7,`, ``, "id", nil},
		"C13 id as text":            {`"id":7`, `"id":"7"`, "JSON", nil},
		"no update status":          {`"updateStatus":"READY",`, ``, "updateStatus", nil},
		"C15 no categorization":     {`"categorizationStatus":"PENDING"`, `"categorizationStatus":null`, "categorizationStatus", nil},
		"no bank":                   {`"bank":{"id":280001`, `"bunk":{"id":280001`, "bank.id", nil},
		"C16 no accounts":           {`"accountIds":[11,12],`, ``, "accountIds", nil},
		"C15 accounts null":         {`[11,12]`, `null`, "accountIds", nil},
		"account id zero":           {`[11,12]`, `[11,0]`, "accountIds", nil},
		"no interfaces":             {`"interfaces"`, `"interludes"`, "interfaces", nil},
		"interface without flag":    {`,"userActionRequired":false`, ``, "userActionRequired", nil},
		"C15 flag null":             {`"userActionRequired":false`, `"userActionRequired":null`, "userActionRequired", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			c := p.client(t)
			p.on("get_connection", answer(200, change(t, connectionJSON, test.old, test.new)))
			connection, err := c.Connection(t.Context(), c.User("u"), 7)
			wantAnswer(t, err, test.wrong)
			if test.check != nil && !test.check(connection) {
				t.Errorf("got %+v", connection)
			}
		})
	}
}

func TestAccountAnswers(t *testing.T) {
	t.Parallel()
	good := `{"accounts":[` + accountJSON + `]}`
	for name, test := range map[string]struct {
		old, new string
		wrong    string
		check    func([]Account) bool
	}{
		"good":                          {"", "", "", nil},
		"none":                          {`[` + accountJSON + `]`, `[]`, "", func(a []Account) bool { return a != nil && len(a) == 0 }},
		"C12 not padded":                {`16978.51`, `4111.3`, "", func(a []Account) bool { return a[0].Balance == "4111.3" }},
		"C12 minus zero":                {`16978.51`, `-0.0`, "", func(a []Account) bool { return a[0].Balance == "-0.0" }},
		"C12 14 digits":                 {`16978.51`, `123456789012.34`, "", func(a []Account) bool { return a[0].Balance == "123456789012.34" }},
		"C12 20 digits":                 {`16978.51`, `12345678901234567890.12`, "", func(a []Account) bool { return a[0].Balance == "12345678901234567890.12" }},
		"C12 zero":                      {`16978.51`, `0.0`, "", func(a []Account) bool { return a[0].Balance == "0.0" }},
		"C12 Java's notation":           {`16978.51`, `1.23456789E7`, "", func(a []Account) bool { return a[0].Balance == "12345678.9" }},
		"C15 balance null":              {`16978.51`, `null`, "", func(a []Account) bool { return a[0].Balance == "" }},
		"balance absent":                {`"balance":16978.51,`, ``, "", func(a []Account) bool { return a[0].Balance == "" }},
		"never updated":                 {`"lastSuccessfulUpdate":"2026-08-13T18:12:22.011+02:00"`, `"lastSuccessfulUpdate":null`, "", func(a []Account) bool { return a[0].Interfaces[0].LastSuccessfulUpdate.IsZero() }},
		"C14 updated in the year 0":     {`2026-08-13T18`, `0000-08-13T18`, "JSON", nil},
		"C14 updated in the year 10000": {`2026-08-13T18:12:22.011+02:00`, `9999-12-31T23:30:00-01:00`, "JSON", nil},
		"C17 new type":                  {`CreditCard`, `CryptoWallet`, "", func(a []Account) bool { return a[0].Type == "crypto_wallet" }},
		"C17 new status":                {`"UPDATED"`, `"RESTING"`, "", func(a []Account) bool { return a[0].Interfaces[0].Status == "RESTING" }},
		"no interface":                  {`{"status":"UPDATED","lastSuccessfulUpdate":"2026-08-13T18:12:22.011+02:00"}`, ``, "", func(a []Account) bool { return len(a[0].Interfaces) == 0 }},
		"C13 id above 2^31":             {`"id":11`, `"id":1860779443000`, "", func(a []Account) bool { return a[0].ID == 1860779443000 }},
		"C23 foreign currency":          {`"iban":null`, `"iban":"","accountCurrency":"CZK"`, "", func(a []Account) bool { return a[0].Currency == "CZK" && a[0].IBAN == "" }},
		"C23 currency, small":           {`"iban":null`, `"accountCurrency":"czk"`, "", func(a []Account) bool { return a[0].Currency == "CZK" }},
		"C23 currency, unknown":         {`"iban":null`, `"accountCurrency":"ZZZ"`, "", func(a []Account) bool { return a[0].Currency == "ZZZ" }},
		"C23 currency null":             {`"iban":null`, `"accountCurrency":null`, "", func(a []Account) bool { return a[0].Currency == "" }},
		"C23 currency, a sign":          {`"iban":null`, `"accountCurrency":"€"`, "accountCurrency", nil},
		"C22 another connection":        {`"bankConnectionId":7`, `"bankConnectionId":8`, "bankConnectionId", nil},
		"C16 no connection":             {`"bankConnectionId":7,`, ``, "bankConnectionId", nil},
		"C19 twice":                     {accountJSON, accountJSON + "," + accountJSON, "twice", nil},
		"no list":                       {`"accounts"`, `"konten"`, "accounts", nil},
		"C15 list null":                 {`[` + accountJSON + `]`, `null`, "accounts", nil},
		"C16 no id":                     {`"id":11,`, ``, "id", nil},
		"C13 id negative":               {`"id":11`, `"id":-11`, "id", nil},
		"C13 id as text":                {`"id":11`, `"id":"11"`, "JSON", nil},
		"no number":                     {`"accountNumber":"111111100",`, ``, "accountNumber", nil},
		"no type":                       {`"accountType":"CreditCard",`, ``, "accountType", nil},
		"type is no word":               {`CreditCard`, `Credit Card`, "accountType", nil},
		"no interfaces":                 {`"interfaces"`, `"interludes"`, "interfaces", nil},
		"interface no status":           {`"status":"UPDATED",`, ``, "status", nil},
		"C12 amount as text":            {`16978.51`, `"12.30"`, "JSON", nil},
		"C12 amount NaN":                {`16978.51`, `NaN`, "JSON", nil},
		"C12 amount 1e400":              {`16978.51`, `1e400`, "amount", nil},
		"C12 amount of 41 digits":       {`16978.51`, strings.Repeat("1", 41), "amount", nil},
		"zero led":                      {`16978.51`, `016978.51`, "JSON", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			c := p.client(t)
			p.on("list_accounts", answer(200, change(t, good, test.old, test.new)))
			accounts, err := c.Accounts(t.Context(), c.User("u"), 7)
			wantAnswer(t, err, test.wrong)
			if test.check != nil && !test.check(accounts) {
				t.Errorf("got %+v", accounts)
			}
		})
	}
}

func TestTransactionAnswers(t *testing.T) {
	t.Parallel()
	good := pageJSON(2, 3, 1001, rowJSON)
	for name, test := range map[string]struct {
		old, new string
		wrong    string
		check    func(TransactionPage) bool
	}{
		"good":           {"", "", "", func(p TransactionPage) bool { return p.Page == 2 && p.PageCount == 3 && p.TotalCount == 1001 }},
		"category":       {`"category":null`, `"category":{"id":3,"name":"Rent","parentName":"Living","isCustom":true}`, "", func(p TransactionPage) bool { return *p.Transactions[0].Category == Category{"Rent", "Living", true} }},
		"category, bare": {`"category":null`, `"category":{"id":3,"name":"Rent","isCustom":false}`, "", func(p TransactionPage) bool { return *p.Transactions[0].Category == Category{Name: "Rent"} }},
		"no category":    {`"category":null,`, ``, "", func(p TransactionPage) bool { return p.Transactions[0].Category == nil }},
		"amounts": {`"labels"`, `"originalAmount":10.00,"originalCurrency":"USD","feeAmount":0.1,"feeCurrency":"EUR","compensationAmount":-1,"labels"`, "", func(p TransactionPage) bool {
			t := p.Transactions[0]
			return t.OriginalAmount == "10.00" && t.OriginalCurrency == "USD" && t.FeeAmount == "0.1" && t.FeeCurrency == "EUR" && t.CompensationAmount == "-1"
		}},
		"C20 all totals zero":         {good, `{"transactions":[],"paging":{"page":1,"perPage":500,"pageCount":0,"totalCount":0},"income":0,"spending":0,"balance":0.0}`, "", func(p TransactionPage) bool { return p.TotalCount == 0 && p.Balance == "0.0" }},
		"C20 one empty page":          {good, pageJSON(2, 2, 0, ""), "", func(p TransactionPage) bool { return p.TotalCount == 0 && len(p.Transactions) == 0 }},
		"C20 set has shrunk":          {good, pageJSON(2, 1, 400, ""), "", func(p TransactionPage) bool { return len(p.Transactions) == 0 && p.PageCount == 1 }},
		"C24 odd texts":               {`"rent"`, `"=cmd()\u202e\u0000 🏦"`, "", func(p TransactionPage) bool { return p.Transactions[0].Purpose == "=cmd()\u202e\x00 🏦" }},
		"C24 large purpose":           {`"rent"`, `"` + strings.Repeat("x", 1<<20) + `"`, "", func(p TransactionPage) bool { return len(p.Transactions[0].Purpose) == 1<<20 }},
		"C13 id 2^63-1":               {`1860779443000`, `9223372036854775807`, "", func(p TransactionPage) bool { return p.Transactions[0].ID == 9223372036854775807 }},
		"C21 no paging":               {`"paging":{"page":2,"perPage":500,"pageCount":3,"totalCount":1001},`, ``, "paging", nil},
		"C21 paging null":             {`{"page":2,"perPage":500,"pageCount":3,"totalCount":1001}`, `null`, "paging", nil},
		"C21 paging empty":            {`{"page":2,"perPage":500,"pageCount":3,"totalCount":1001}`, `{}`, "paging", nil},
		"C21 no total":                {`,"totalCount":1001`, ``, "paging", nil},
		"C20 negative total":          {`1001`, `-1`, "paging", nil},
		"C20 total zero, rows":        {`1001`, `0`, "totalCount", nil},
		"C20 another page":            {`"page":2`, `"page":1`, "page asked for", nil},
		"C20 empty page":              {rowJSON, ``, "empty page", nil},
		"no rows":                     {`"transactions"`, `"transaktionen"`, "transactions", nil},
		"C15 rows null":               {`[` + rowJSON + `]`, `null`, "transactions", nil},
		"no balance":                  {`,"balance":-135.80`, ``, "balance", nil},
		"C22 another account":         {`"accountId":11`, `"accountId":12`, "another account", nil},
		"no account":                  {`"accountId":11,`, ``, "accountId", nil},
		"C16 no id":                   {`"id":1860779443000,`, ``, "id", nil},
		"no amount":                   {`"amount":-135.80,`, ``, "amount", nil},
		"C15 amount null":             {`-135.80,"currency"`, `null,"currency"`, "amount", nil},
		"C23 no currency code":        {`"currency":null`, `"currency":"Euro"`, "currency", nil},
		"C23 currency, small":         {`"currency":null`, `"currency":"usd"`, "", func(p TransactionPage) bool { return p.Transactions[0].Currency == "USD" }},
		"C23 currency, unknown":       {`"currency":null`, `"currency":"ZZZ"`, "", func(p TransactionPage) bool { return p.Transactions[0].Currency == "ZZZ" }},
		"no value date":               {`"valueDate":"2026-01-02",`, ``, "date", nil},
		"C15 booking date null":       {`"bankBookingDate":"2026-01-03"`, `"bankBookingDate":null`, "date", nil},
		"C14 30 February":             {`2026-01-02`, `2026-02-30`, "JSON", nil},
		"date with time":              {`2026-01-02`, `2026-01-02 00:00:00.000`, "JSON", nil},
		"no duplicate flag":           {`"isPotentialDuplicate":false,`, ``, "flag", nil},
		"adjusting null":              {`"isAdjustingEntry":true`, `"isAdjustingEntry":null`, "flag", nil},
		"no import date":              {`"importDate":"2026-01-04T05:06:07Z",`, ``, "importDate", nil},
		"C14 import date, local":      {`05:06:07Z`, `05:06:07`, "JSON", nil},
		"C14 import date, year 0":     {`2026-01-04T`, `0000-01-04T`, "JSON", nil},
		"C14 import date, year 10000": {`2026-01-04T05:06:07Z`, `9999-12-31T23:30:00-01:00`, "JSON", nil},
		"C14 value date, year 0":      {`2026-01-02`, `0000-01-02`, "JSON", nil},
		"C14 value date, year 10000":  {`2026-01-02`, `10000-01-02`, "JSON", nil},
		"C19 a row twice":             {rowJSON, rowJSON + "," + rowJSON, "", func(p TransactionPage) bool { return len(p.Transactions) == 2 }}, // the stage tells them apart
		"one row is no row":           {rowJSON, `7`, "JSON", nil},
		"a lone surrogate":            {`"rent"`, `"\ud800"`, "JSON", nil},
		"the same name twice":         {`"currency":null`, `"currency":"EUR","currency":"USD"`, "JSON", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			c := p.client(t)
			p.on("list_transactions", answer(200, change(t, good, test.old, test.new)))
			asked := 2
			if name == "C20 all totals zero" {
				asked = 1
			}
			page, err := c.Transactions(t.Context(), c.User("u"), 11, asked)
			wantAnswer(t, err, test.wrong)
			if test.check != nil && !test.check(page) {
				t.Errorf("got %+v", page)
			}
		})
	}
}

func TestTransactionsAreAskedForInOrder(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.on("list_transactions", answer(200, pageJSON(4, 9, 4321, rowJSON)))
	c := p.client(t)
	if _, err := c.Transactions(t.Context(), c.User("u"), 11, 4); err != nil {
		t.Fatal(err)
	}
	query := p.seen[len(p.seen)-1].URL.Query()
	want := map[string][]string{"view": {"bankView"}, "accountIds": {"11"}, "order": {"id,asc"}, "page": {"4"}, "perPage": {"500"}}
	if diff := cmp.Diff(want, map[string][]string(query)); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestMoreRowsThanAPage(t *testing.T) {
	t.Parallel()
	p := newProvider()
	rows := strings.TrimSuffix(strings.Repeat(rowJSON+",", 501), ",")
	p.on("list_transactions", answer(200, pageJSON(1, 2, 501, rows)))
	c := p.client(t)
	_, err := c.Transactions(t.Context(), c.User("u"), 11, 1)
	wantAnswer(t, err, "more rows")
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   api.Number
		want string
		ok   bool
	}{
		{"", "", true},
		{"0", "0", true},
		{"-0", "-0", true},
		{"12.30", "12.30", true},
		{"-135.8900", "-135.8900", true},
		{"1e2", "100", true},
		{"1E+2", "100", true},
		{"1.5e1", "15", true},
		{"1.5e0", "1.5", true},
		{"-1.234E2", "-123.4", true},
		{"1.50E1", "15.0", true},
		{"5e-3", "0.005", true},
		{"-12.5e-1", "-1.25", true},
		{"0e5", "0", true},
		{"0.001e2", "0.1", true},
		{"1e39", "1" + strings.Repeat("0", 39), true},
		{"1e40", "", false},
		{"1e-40", "", false},
		{"1e400", "", false},
		{"1e99999999999999999999", "", false},
		{api.Number(strings.Repeat("9", 40)), strings.Repeat("9", 40), true},
		{api.Number(strings.Repeat("9", 41)), "", false},
	} {
		got, ok := decimal(test.in)
		if ok != test.ok || (ok && got != test.want) {
			t.Errorf("%q: got %q, %v, want %q, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}

func TestAccountWords(t *testing.T) {
	t.Parallel()
	// Both spellings of the contract meet in our words.
	for access, form := range map[api.AccountType]api.FormAccountType{
		api.AccountTypeBausparen:  api.FormAccountTypeBausparen,
		api.AccountTypeChecking:   api.FormAccountTypeChecking,
		api.AccountTypeCreditCard: api.FormAccountTypeCreditCard,
		api.AccountTypeLoan:       api.FormAccountTypeLoan,
		api.AccountTypeMembership: api.FormAccountTypeMembership,
		api.AccountTypeSavings:    api.FormAccountTypeSavings,
		api.AccountTypeSecurity:   api.FormAccountTypeSecurity,
	} {
		if got, ok := formAccountType(accountWord(access)); !ok || got != form {
			t.Errorf("%s is %s to us and %s in a form, want %s", access, accountWord(access), got, form)
		}
	}
	for in, want := range map[api.AccountType]string{"": "", "A1B": "a1_b", "A B": "", "Konto–X": "", api.AccountType(strings.Repeat("x", 65)): ""} {
		if got := accountWord(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func ExampleClient() {
	client, err := New(Config{
		AccessURL:    "https://sandbox.finapi.io",
		WebFormURL:   "https://webform-sandbox.finapi.io",
		ClientID:     "client-id",
		ClientSecret: "client-secret",
		UserKey:      "the-key-from-which-all-passwords-are-derived",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	user := client.User("upstream-user-1")
	fmt.Println(user.ID)
	// Then: EnsureUser once, CreateForm, Form until it is final, Connection
	// until it is ready, Accounts, and Transactions page by page.

	// Output: bi-wyelwg6at362bhgulpdorudmrjuk7yos
}
