package simulator_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

const profile = "00000000-0000-4000-8000-000000000001"

func TestCreateForm(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Profiles: []string{profile}, Banks: []simulator.Bank{{ID: 300001, Name: "Volksbank Musterbach", BIC: "DEMODEB0300", City: "Musterbach"}}})
	token := a.user("u")
	for name, body := range map[string]string{
		"nothing":            `{}`,
		"bank":               testBank,
		"BLZ":                `{"bank":{"search":"DEMO0001"}}`,
		"BIC":                `{"bank":{"search":"demodeb0300"}}`,
		"name":               `{"bank":{"search":"finAPI Test Bank"}}`,
		"nulls":              `{"bank":null,"bankConnectionName":null,"skipBalancesDownload":null,"accountTypes":null,"callbacks":{"finalised":null},"redirectUrl":null}`,
		"nulls in bank":      `{"bank":{"id":null,"search":null}}`,
		"no search":          `{"bank":{"search":""}}`,
		"shortest name":      `{"bankConnectionName":"x"}`,
		"longest name":       `{"bankConnectionName":"` + strings.Repeat("ö", 64) + `"}`,
		"no positions":       `{"skipPositionsDownload":true}`,
		"no balances either": `{"skipPositionsDownload":true,"skipBalancesDownload":true}`,
		"balances":           `{"skipPositionsDownload":false,"skipBalancesDownload":false}`,
		"all days":           `{"maxDaysForDownload":0}`,
		"fewest days":        `{"maxDaysForDownload":14}`,
		"most days":          `{"maxDaysForDownload":3650}`,
		"all types":          `{"accountTypes":["BAUSPAREN","CHECKING","CREDIT_CARD","LOAN","MEMBERSHIP","SAVINGS","SECURITY"]}`,
		"no types":           `{"accountTypes":[]}`,
		"all interfaces":     `{"allowedInterfaces":["XS2A","FINTS_SERVER","WEB_SCRAPER"]}`,
		"no callback":        `{"callbacks":{"finalised":""}}`,
		"callback":           `{"callbacks":{"finalised":"https://bridge.example.org:8443/a-b/%20?state=x&y=(1)#z~+@_."}}`,
		"longest callback":   `{"callbacks":{"finalised":"https://bridge.example/` + long(2048-23) + `"}}`,
		"profile":            `{"profileId":"` + profile + `"}`,
		"flags":              `{"loadOwnerData":true,"skipDuplicateDetection":true,"allowTestBank":true}`,
		"no test banks":      `{"allowTestBank":false,"bank":{"id":300001}}`,
		"FinTS at this bank": `{"allowedInterfaces":["FINTS_SERVER"],"bank":{"id":280001}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := a.post("/api/webForms/bankConnectionImport", token, body).want(201)
			id := decoded[webForm](got).ID
			if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(id) {
				t.Errorf("id %q, want a UUID", id)
			}
			want := `{"id":"` + id + `","url":"https://simulator.example/wf/` + id + `","createdAt":"2026-03-04T10:00:00.000+0000","expiresAt":"2026-03-04T10:20:00.000+0000",` +
				`"type":"BANK_CONNECTION_IMPORT","status":"NOT_YET_OPENED","payload":{"bankConnectionId":null,"paymentId":null,"standingOrderId":null,"errorCode":null,"errorMessage":null}}`
			sameJSON(t, got.body, want)
			sameJSON(t, a.get("/api/webForms/"+id, token).want(200).body, want)
		})
	}
}

func TestCreateFormRefusals(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Profiles: []string{profile}, Banks: []simulator.Bank{{ID: 300001, City: "Musterbach"}}})
	token := a.user("u")
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string // or the fields that are wrong
	}{
		"empty":                       {``, 400, "request"},
		"no object":                   {`[]`, 400, "request"},
		"null":                        {`null`, 400, "request"},
		"field twice":                 {`{"bank":{},"bank":{}}`, 400, "request"},
		"two objects":                 {`{} {}`, 400, "request"},
		"too large":                   {`{"bank":{"search":"` + long(1<<20) + `"}}`, 400, "request"},
		"unknown field":               {`{"language":"de"}`, 400, "language"},
		"unknown field with null":     {`{"language":null}`, 400, "language"},
		"unknown field in bank":       {`{"bank":{"blz":"1"}}`, 400, "bank.blz"},
		"unknown field in callbacks":  {`{"callbacks":{"url":"x"}}`, 400, "callbacks.url"},
		"field in another case":       {`{"Bank":{"id":280001}}`, 400, "Bank"},
		"long unknown field":          {`{"` + long(100) + `":1}`, 400, long(40) + "…"},
		"bank a number":               {`{"bank":280001}`, 400, "bank"},
		"bank id a text":              {`{"bank":{"id":"280001"}}`, 400, "bank.id"},
		"bank id 0":                   {`{"bank":{"id":0}}`, 400, "bank.id"},
		"bank id a fraction":          {`{"bank":{"id":280001.5}}`, 400, "bank.id"},
		"bank id and search":          {`{"bank":{"id":280001,"search":"x"}}`, 400, "bank.id"},
		"empty name":                  {`{"bankConnectionName":""}`, 400, "bankConnectionName"},
		"name too long":               {`{"bankConnectionName":"` + strings.Repeat("ö", 65) + `"}`, 400, "bankConnectionName"},
		"balances need positions":     {`{"skipBalancesDownload":true}`, 400, "skipBalancesDownload"},
		"balances without positions":  {`{"skipBalancesDownload":true,"skipPositionsDownload":false}`, 400, "skipBalancesDownload"},
		"flag a text":                 {`{"loadOwnerData":"true"}`, 400, "loadOwnerData"},
		"flag a number":               {`{"allowTestBank":1}`, 400, "allowTestBank"},
		"negative days":               {`{"maxDaysForDownload":-1}`, 400, "maxDaysForDownload"},
		"too few days":                {`{"maxDaysForDownload":13}`, 400, "maxDaysForDownload"},
		"too many days":               {`{"maxDaysForDownload":3651}`, 400, "maxDaysForDownload"},
		"unknown type":                {`{"accountTypes":["Checking"]}`, 400, "accountTypes"},
		"type twice":                  {`{"accountTypes":["LOAN","LOAN"]}`, 400, "accountTypes"},
		"type no text":                {`{"accountTypes":[1]}`, 400, "accountTypes"},
		"types no list":               {`{"accountTypes":"LOAN"}`, 400, "accountTypes"},
		"unknown interface":           {`{"allowedInterfaces":["FINTS"]}`, 400, "allowedInterfaces"},
		"interface twice":             {`{"allowedInterfaces":["XS2A","XS2A"]}`, 400, "allowedInterfaces"},
		"profile too short":           {`{"profileId":"` + long(35) + `"}`, 400, "profileId"},
		"profile too long":            {`{"profileId":"` + long(37) + `"}`, 400, "profileId"},
		"callback http":               {`{"callbacks":{"finalised":"http://bridge.example/x"}}`, 400, "callbacks.finalised"},
		"callback in capitals":        {`{"callbacks":{"finalised":"HTTPS://bridge.example/x"}}`, 400, "callbacks.finalised"},
		"callback without a dot":      {`{"callbacks":{"finalised":"https://localhost/x"}}`, 400, "callbacks.finalised"},
		"callback with dot in path":   {`{"callbacks":{"finalised":"https://localhost/x.y"}}`, 400, "callbacks.finalised"},
		"callback with braces":        {`{"callbacks":{"finalised":"https://bridge.example/{x}"}}`, 400, "callbacks.finalised"},
		"callback with a comma":       {`{"callbacks":{"finalised":"https://bridge.example/x,y"}}`, 400, "callbacks.finalised"},
		"callback with a space":       {`{"callbacks":{"finalised":"https://bridge.example/x y"}}`, 400, "callbacks.finalised"},
		"callback with a line end":    {`{"callbacks":{"finalised":"https://bridge.example/x\n"}}`, 400, "callbacks.finalised"},
		"callback after other text":   {`{"callbacks":{"finalised":"x https://bridge.example/x"}}`, 400, "callbacks.finalised"},
		"callback too long":           {`{"callbacks":{"finalised":"https://bridge.example/` + long(2048-22) + `"}}`, 400, "callbacks.finalised"},
		"callbacks a text":            {`{"callbacks":"https://bridge.example/x"}`, 400, "callbacks"},
		"empty redirect":              {`{"redirectUrl":""}`, 400, "redirectUrl"},
		"redirect http":               {`{"redirectUrl":"http://app.example/"}`, 400, "redirectUrl"},
		"everything is told at once":  {`{"bankConnectionName":"","profileId":"","x":1,"bank":{"y":1}}`, 400, "bankConnectionName profileId x bank.y"},
		"unknown profile":             {`{"profileId":"` + long(36) + `"}`, 404, "NOT_FOUND"},
		"redirect without licence":    {`{"redirectUrl":"https://app.example/"}`, 422, "INVALID_REDIRECT_URL"},
		"unknown bank":                {`{"bank":{"id":1}}`, 422, "BANK_NOT_SUPPORTED"},
		"no bank found":               {`{"bank":{"search":"no such bank"}}`, 422, "BANK_NOT_SUPPORTED"},
		"several banks found":         {`{"bank":{"search":"musterbach"}}`, 422, "BANK_NOT_UNIQUE"},
		"test bank hidden":            {`{"bank":{"id":280001},"allowTestBank":false}`, 422, "BANK_NOT_SUPPORTED"},
		"test bank hidden in search":  {`{"bank":{"search":"DEMO0001"},"allowTestBank":false}`, 422, "BANK_NOT_SUPPORTED"},
		"bank without that interface": {`{"bank":{"id":280002},"allowedInterfaces":["FINTS_SERVER"]}`, 422, "BANK_NOT_SUPPORTED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := a.post("/api/webForms/bankConnectionImport", token, tt.body).refused(tt.status, tt.code)
			if !strings.Contains(got.body, `"endpoint":"POST /api/webForms/bankConnectionImport"`) || !strings.Contains(got.body, `"timestamp":"2026-03-04T10:00:00.000+0000"`) {
				t.Errorf("got %s, want endpoint and timestamp", got.body)
			}
		})
	}
	if n := len(a.Journal().Forms); n != 0 {
		t.Errorf("%d forms were made, want none", n)
	}
	a.send(request{method: "POST", path: "/api/webForms/bankConnectionImport", token: token, body: `{}`, header: map[string]string{"Content-Type": "text/plain"}}).refused(415, "NOT_SUPPORTED")
}

// The client's licence decides whether a redirect URL must or must not be there.
func TestRedirectURLByLicence(t *testing.T) {
	t.Parallel()
	for licence, required := range map[simulator.License]bool{
		"": false, simulator.Unlicensed: false, simulator.PISP: false, simulator.AISP: true, simulator.FullyLicensed: true,
	} {
		t.Run(string(licence), func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, simulator.Config{License: licence})
			token := a.user("u")
			right, wrong := `{}`, `{"redirectUrl":"https://app.example/done"}`
			if required {
				right, wrong = wrong, right
			}
			a.form(token, right)
			a.post("/api/webForms/bankConnectionImport", token, wrong).refused(422, "INVALID_REDIRECT_URL")
		})
	}
}

func TestFormsBelongToTheirUser(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token, other := a.user("u"), a.user("other")
	id := a.form(token, `{}`).ID
	for _, id := range []string{id, "00000000-0000-0000-0000-000000000000", "x"} {
		a.get("/api/webForms/"+id, other).refused(404, "NOT_FOUND")
		a.post("/api/webForms/"+id+"/cancel", other, "").refused(404, "NOT_FOUND")
		a.delete("/api/webForms/"+id, other).refused(404, "NOT_FOUND")
	}
	if got := decoded[formPage](a.get("/api/webForms", other).want(200)); len(got.Items) != 0 {
		t.Errorf("the other user has %d forms, want none", len(got.Items))
	}
	a.get("/api/webForms/"+id, token).want(200)
}

type formPage struct {
	Items  []webForm
	Paging paging
}

type paging struct{ Page, PerPage, PageCount, TotalCount int }

func TestListForms(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	var all []string // oldest first
	for range 25 {
		all = append(all, a.form(token, `{}`).ID)
		a.clock.Advance(time.Second)
	}
	newest := slices.Clone(all)
	slices.Reverse(newest)
	for query, tt := range map[string]struct {
		want   []string
		paging paging
	}{
		"":                                   {all[:20], paging{1, 20, 2, 25}},
		"?page=2":                            {all[20:], paging{2, 20, 2, 25}},
		"?perPage=500":                       {all, paging{1, 500, 1, 25}},
		"?perPage=10&page=3":                 {all[20:], paging{3, 10, 3, 25}},
		"?perPage=10&page=4":                 {nil, paging{4, 10, 3, 25}},
		"?order=createdAt,asc&perPage=1":     {all[:1], paging{1, 1, 25, 25}},
		"?order=createdAt,desc":              {newest[:20], paging{1, 20, 2, 25}},
		"?order=createdAt,desc&page=2":       {newest[20:], paging{2, 20, 2, 25}},
		"?status=COMPLETED&bank=1&perPage=2": {all[:2], paging{1, 2, 13, 25}}, // there are no filters
		"?page=2147483647&perPage=500":       {nil, paging{2147483647, 500, 1, 25}},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := decoded[formPage](a.get("/api/webForms"+query, token).want(200))
			var ids []string
			for _, f := range got.Items {
				ids = append(ids, f.ID)
			}
			if !slices.Equal(ids, tt.want) || got.Paging != tt.paging {
				t.Errorf("got %v, %+v\nwant %v, %+v", ids, got.Paging, tt.want, tt.paging)
			}
		})
	}
	for query, field := range map[string]string{
		"page=0": "page", "page=x": "page", "page=1.5": "page", "perPage=0": "perPage", "perPage=501": "perPage",
		"order=id,asc": "order", "order=createdAt": "order",
	} {
		a.get("/api/webForms?"+query, token).refused(400, field)
	}
}

func TestDeleteForm(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	open, done, kept := a.form(token, `{}`), a.form(token, testBank), a.form(token, `{}`)
	a.open(done).connects()
	for _, f := range []webForm{open, done} {
		if got := a.delete("/api/webForms/"+f.ID, token).want(200); got.body != "" {
			t.Errorf("body %q, want none", got.body)
		}
		a.get("/api/webForms/"+f.ID, token).refused(404, "NOT_FOUND")
		a.delete("/api/webForms/"+f.ID, token).refused(404, "NOT_FOUND")
		a.get("/wf/"+f.ID, "").want(404)
	}
	if j := a.Journal(); len(j.Forms) != 1 || j.Forms[0].ID != kept.ID || len(j.Connections) != 1 {
		t.Errorf("journal %+v, want the third form and the connection", j)
	}
}

// The update call of 2022 is gone, and no form has its name.
func TestUpdateCallIsGone(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	for _, method := range []string{"POST", "PUT", "GET", "DELETE"} {
		a.send(request{method: method, path: "/api/webForms/bankConnectionUpdate", token: a.clientToken(), body: `{}`}).refused(405, "NOT_ALLOWED")
	}
}

// Every way through a form, as the client sees it.
func TestFormStates(t *testing.T) {
	t.Parallel()
	const life = 20 * time.Minute
	for name, tt := range map[string]struct {
		request string
		act     func(a *apis, token string, f webForm)
		status  string
		code    string
		// connects: a connection was made; names: one is named, made before
		connects, names bool
	}{
		"not opened yet": {testBank, func(*apis, string, webForm) {}, "NOT_YET_OPENED", "", false, false},
		"a moment before its end": {testBank, func(a *apis, _ string, _ webForm) {
			a.clock.Advance(life - 1)
		}, "NOT_YET_OPENED", "", false, false},
		"looked at without opening": {testBank, func(a *apis, _ string, f webForm) {
			a.send(request{method: "HEAD", path: "/wf/" + f.ID}).want(200)
		}, "NOT_YET_OPENED", "", false, false},
		"opened": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f)
		}, "IN_PROGRESS", "", false, false},
		"opened, and at the accounts": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f).logsIn()
		}, "IN_PROGRESS", "", false, false},
		"completed": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f).connects()
		}, "COMPLETED", "", true, false},
		"completed long ago": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f).connects()
			a.clock.Advance(2 * life)
		}, "COMPLETED", "", true, false},
		"expired without being opened": {testBank, func(a *apis, _ string, _ webForm) {
			a.clock.Advance(life)
		}, "EXPIRED", "", false, false},
		"expired on the way": {testBank, func(a *apis, _ string, f webForm) {
			p := a.open(f).logsIn()
			a.clock.Advance(life)
			p.says("accounts", "account=0")
		}, "EXPIRED", "", false, false},
		"aborted": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f).aborts()
		}, "ABORTED", "", false, false},
		"cancelled before it was opened": {testBank, func(a *apis, token string, f webForm) {
			a.post("/api/webForms/"+f.ID+"/cancel", token, "").want(200)
		}, "CANCELLED", "", false, false},
		"cancelled on the way": {testBank, func(a *apis, token string, f webForm) {
			p := a.open(f)
			a.post("/api/webForms/"+f.ID+"/cancel", token, "").want(200)
			p.connects()
		}, "CANCELLED", "", false, false},
		"refused by the bank": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f).says("login", "login=x&password=x").says("login", "login=x&password=x").says("login", "login=x&password=x")
		}, "COMPLETED_WITH_ERROR", "BANK_SERVER_REJECTION", false, false},
		"wrong TAN": {testBank, func(a *apis, _ string, f webForm) {
			a.open(f).says("login", "login=demo&password=demo").says("tan", "tan=1").says("tan", "tan=2").says("tan", "tan=3")
		}, "COMPLETED_WITH_ERROR", "BANK_SERVER_REJECTION", false, false},
		"no accounts of these types": {`{"bank":{"id":280001},"accountTypes":["LOAN","SECURITY"]}`, func(a *apis, _ string, f webForm) {
			a.open(f).logsIn()
		}, "COMPLETED_WITH_ERROR", "NO_ACCOUNTS_FOR_TYPE_LIST", false, false},
		"the bank is there already": {testBank, func(a *apis, token string, f webForm) {
			a.connect(token, testBank)
			a.open(f).logsIn()
		}, "COMPLETED_WITH_ERROR", "ENTITY_EXISTS", false, true},
		"another form was faster": {testBank, func(a *apis, token string, f webForm) {
			p := a.open(f).logsIn()
			a.connect(token, testBank)
			p.says("accounts", "account=0")
		}, "COMPLETED_WITH_ERROR", "ENTITY_EXISTS", false, true},
		"twice on purpose": {`{"bank":{"id":280001},"skipDuplicateDetection":true}`, func(a *apis, token string, f webForm) {
			a.connect(token, testBank)
			a.open(f).connects()
		}, "COMPLETED", "", true, false},
		"its token has expired": {testBank, func(a *apis, _ string, f webForm) {
			p := a.open(f).logsIn()
			a.clock.Advance(6 * time.Minute)
			a.password("u") // a new token does not help
			p.says("accounts", "account=0")
		}, "COMPLETED_WITH_ERROR", "INVALID_TOKEN", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, simulator.Config{TokenLife: 25 * time.Minute})
			a.user("u")
			a.clock.Advance(20 * time.Minute) // of the token's life; 5 min are left
			token := a.password("u").Access
			f := a.form(token, tt.request)
			tt.act(a, token, f)
			token = a.password("u").Access
			got := a.formNow(token, f.ID)
			if got.Status != tt.status || got.code() != tt.code {
				t.Errorf("status %s %s, want %s %s", got.Status, got.code(), tt.status, tt.code)
			}
			if (got.Payload.ErrorMessage != nil) != (tt.code != "") {
				t.Errorf("message %v, want one exactly with a code", got.Payload.ErrorMessage)
			}
			j := a.Journal()
			if connection := got.connection(); (connection != 0) != (tt.connects || tt.names) {
				t.Errorf("connection %d, want one: %t", connection, tt.connects || tt.names)
			} else if connection != 0 {
				want := j.Connections[0].ID // the first
				if tt.connects {
					want = j.Connections[len(j.Connections)-1].ID
				}
				if connection != want {
					t.Errorf("connection %d, want %d", connection, want)
				}
			}
			final := tt.status != "NOT_YET_OPENED" && tt.status != "IN_PROGRESS"
			for _, r := range j.Forms {
				if r.ID == f.ID && (r.Status != tt.status || r.ErrorCode != tt.code || r.Ended.IsZero() == final || r.User != "u") {
					t.Errorf("journal %+v, want what the API says", r)
				}
			}
			if final {
				a.post("/api/webForms/"+f.ID+"/cancel", token, "").refused(422, "NOT_ALLOWED")
				if again := a.formNow(token, f.ID); again.Status != tt.status {
					t.Errorf("after a late cancel: %s, want %s", again.Status, tt.status)
				}
			}
		})
	}
}

// The answer to a cancel is the form as it ended.
func TestCancelAnswersWithTheForm(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	f := a.form(token, testBank)
	got := a.post("/api/webForms/"+f.ID+"/cancel", token, "").want(200)
	if d := decoded[webForm](got); d.ID != f.ID || d.Status != "CANCELLED" {
		t.Errorf("got %+v, want form %s as cancelled", d, f.ID)
	}
	sameJSON(t, a.get("/api/webForms/"+f.ID, token).want(200).body, got.body)
}

// A form that expires while nobody looks ends at that time, wherever one looks next.
func TestFormsExpireByTheClock(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(a *apis, token string, f webForm){
		"get":     func(a *apis, token string, f webForm) { a.formNow(token, f.ID) },
		"list":    func(a *apis, token string, _ webForm) { a.get("/api/webForms", token).want(200) },
		"journal": func(a *apis, _ string, _ webForm) { a.Journal() },
		"link":    func(a *apis, _ string, f webForm) { a.get("/wf/"+f.ID, "").want(410) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, simulator.Config{FormLife: 90 * time.Second})
			token := a.user("u")
			f := a.form(token, testBank)
			if f.ExpiresAt != "2026-03-04T10:01:30.000+0000" {
				t.Errorf("expires at %s, want 90 s after its creation", f.ExpiresAt)
			}
			a.clock.Advance(90*time.Second - 1)
			if got := a.formNow(token, f.ID).Status; got != "NOT_YET_OPENED" {
				t.Errorf("%s before its time", got)
			}
			a.clock.Advance(time.Minute)
			look(a, token, f)
			r := a.Journal().Forms[0]
			if want := time.Date(2026, 3, 4, 10, 1, 30, 0, time.UTC); r.Status != "EXPIRED" || !r.Ended.Equal(want) || !r.Expires.Equal(want) {
				t.Errorf("%s at %s, want EXPIRED at %s", r.Status, r.Ended, want)
			}
		})
	}
}

// Open forms are bounded by refusing, finished ones by forgetting the oldest.
func TestMaxForms(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{MaxForms: 3})
	token := a.user("u")
	var ids []string
	for range 3 {
		ids = append(ids, a.form(token, `{}`).ID)
	}
	a.post("/api/webForms/bankConnectionImport", token, `{}`).refused(500, "INTERNAL_SERVER_ERROR")
	for i := range 4 {
		a.post(fmt.Sprintf("/api/webForms/%s/cancel", ids[i]), token, "").want(200)
		ids = append(ids, a.form(token, `{}`).ID)
	}
	a.get("/api/webForms/"+ids[0], token).refused(404, "NOT_FOUND")
	for _, id := range ids[1:] {
		a.get("/api/webForms/"+id, token).want(200)
	}
	a.delete("/api/webForms/"+ids[6], token).want(200) // an open one makes room too
	a.form(token, `{}`)
	a.post("/api/webForms/bankConnectionImport", token, `{}`).refused(500, "INTERNAL_SERVER_ERROR")
}
