package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

const taskPath = "/api/tasks/backgroundUpdate"

// task is an update task as the API shows it.
type task struct {
	ID, CreatedAt, Type, Status string
	Payload                     struct {
		BankConnectionID int64
		WebForm          *webForm
		ErrorCode        *string
		ErrorMessage     *string
	}
}

func (k task) code() string {
	if k.Payload.ErrorCode == nil {
		return ""
	}
	return *k.Payload.ErrorCode
}

// update is the body of a request, with more fields if there are any.
func update(connection int64, more ...string) string {
	return fmt.Sprintf(`{"bankConnectionId":%d,"importNewAccountsMode":"SKIP"%s}`, connection, strings.Join(append([]string{""}, more...), ","))
}

func (a *apis) task(token, request string) task {
	a.t.Helper()
	return decoded[task](a.post(taskPath, token, request).want(201))
}

func (a *apis) taskNow(token, id string) task {
	a.t.Helper()
	return decoded[task](a.get("/api/tasks/"+id, token).want(200))
}

// updated is how a task ends for a connection that is loaded.
func (a *apis) updated(token string, connection int64, more ...string) task {
	a.t.Helper()
	k := a.task(token, update(connection, more...))
	a.clock.Advance(2 * time.Second)
	return a.taskNow(token, k.ID)
}

// loads is a simulator with a user and a connection that is loaded.
func loads(t *testing.T, c simulator.Config) (a *apis, token string, connection int64) {
	t.Helper()
	a = newAPIs(t, c)
	token = a.user("u")
	return a, token, a.loaded(token, testBank)
}

func TestCreateTask(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"nothing":      `"loadOwnerData":false`,
		"nulls":        `"accountTypes":null,"callbacks":null,"userMetadata":null,"manageSavedSettings":null,"redirectUrl":null,"importNewAccounts":null`,
		"old flag":     `"importNewAccounts":true`,
		"all settings": `"manageSavedSettings":["CREDENTIALS","DEFAULT_TWO_STEP_PROCEDURE"]`,
		"callbacks":    `"callbacks":{"finalised":"https://bridge.example/x","webFormRequired":"https://bridge.example/y?state=1"}`,
		"no callbacks": `"callbacks":{"finalised":"","webFormRequired":null}`,
		"profile":      `"profileId":"` + profile + `"`,
		"metadata":     `"userMetadata":{"ipAddress":"` + long(64) + `","deviceOs":"` + long(1024) + `","userAgent":""}`,
		"download":     `"skipBalancesDownload":true,"skipPositionsDownload":true,"skipDuplicateDetection":true,"accountTypes":["CHECKING"],"allowedInterfaces":["XS2A"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, token, id := loads(t, simulator.Config{Profiles: []string{profile}})
			body := update(id, more)
			// The documents give an empty URL a length and no pattern, and do not tell all
			// nulls from what is absent.
			if name != "nulls" && name != "no callbacks" {
				for _, c := range a.contracts {
					r := httptest.NewRequest(http.MethodPost, taskPath, strings.NewReader(body))
					r.Header.Set("Content-Type", "application/json")
					c.holdsRequest(t, r)
				}
			}
			got := a.post(taskPath, token, body).want(201)
			made := decoded[task](got)
			if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(made.ID) {
				t.Errorf("id %q, want a UUID", made.ID)
			}
			want := fmt.Sprintf(`{"id":%q,"createdAt":"2026-03-04T10:00:05.000+0000","type":"BANK_CONNECTION_UPDATE","status":"NOT_YET_STARTED",`+
				`"payload":{"bankConnectionId":%d,"webForm":null,"errorCode":null,"errorMessage":null}}`, made.ID, id)
			sameJSON(t, got.body, want)
			sameJSON(t, a.get("/api/tasks/"+made.ID, token).want(200).body, want)
		})
	}
}

func TestCreateTaskRefusals(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{Profiles: []string{profile}})
	foreign := a.loaded(a.user("other"), testBank)
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string // or the fields that are wrong
	}{
		"empty":                      {``, 400, "request"},
		"no object":                  {`[]`, 400, "request"},
		"nothing":                    {`{}`, 400, "bankConnectionId importNewAccountsMode"},
		"no mode":                    {fmt.Sprintf(`{"bankConnectionId":%d}`, id), 400, "importNewAccountsMode"},
		"unknown mode":               {fmt.Sprintf(`{"bankConnectionId":%d,"importNewAccountsMode":"ALL"}`, id), 400, "importNewAccountsMode"},
		"empty mode":                 {fmt.Sprintf(`{"bankConnectionId":%d,"importNewAccountsMode":""}`, id), 400, "importNewAccountsMode"},
		"mode a flag":                {fmt.Sprintf(`{"bankConnectionId":%d,"importNewAccountsMode":true}`, id), 400, "importNewAccountsMode"},
		"several connections":        {fmt.Sprintf(`{"bankConnectionIds":[%d],"importNewAccountsMode":"SKIP"}`, id), 400, "bankConnectionId bankConnectionIds"},
		"connection a text":          {fmt.Sprintf(`{"bankConnectionId":"%d","importNewAccountsMode":"SKIP"}`, id), 400, "bankConnectionId"},
		"unknown field":              {update(id, `"bank":{}`), 400, "bank"},
		"an import's field":          {update(id, `"maxDaysForDownload":14`), 400, "maxDaysForDownload"},
		"unknown setting":            {update(id, `"manageSavedSettings":["TAN"]`), 400, "manageSavedSettings"},
		"setting twice":              {update(id, `"manageSavedSettings":["CREDENTIALS","CREDENTIALS"]`), 400, "manageSavedSettings"},
		"balances need positions":    {update(id, `"skipBalancesDownload":true`), 400, "skipBalancesDownload"},
		"unknown type":               {update(id, `"accountTypes":["Checking"]`), 400, "accountTypes"},
		"callback http":              {update(id, `"callbacks":{"finalised":"http://bridge.example/x"}`), 400, "callbacks.finalised"},
		"other callback http":        {update(id, `"callbacks":{"webFormRequired":"http://bridge.example/x"}`), 400, "callbacks.webFormRequired"},
		"unknown callback":           {update(id, `"callbacks":{"started":"https://bridge.example/x"}`), 400, "callbacks.started"},
		"profile too short":          {update(id, `"profileId":"x"`), 400, "profileId"},
		"metadata incomplete":        {update(id, `"userMetadata":{"ipAddress":"1.1.1.1"}`), 400, "userMetadata.deviceOs userMetadata.userAgent"},
		"address too long":           {update(id, `"userMetadata":{"ipAddress":"`+long(65)+`","deviceOs":"x","userAgent":"x"}`), 400, "userMetadata.ipAddress"},
		"unknown connection":         {update(1), 404, "NOT_FOUND"},
		"another user's connection":  {update(foreign), 404, "NOT_FOUND"},
		"unknown profile":            {update(id, `"profileId":"`+long(36)+`"`), 404, "NOT_FOUND"},
		"redirect without licence":   {update(id, `"redirectUrl":"https://app.example/"`), 422, "INVALID_REDIRECT_URL"},
		"interface of no connection": {update(id, `"allowedInterfaces":["FINTS_SERVER"]`), 501, "NOT_SUPPORTED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			if got := a.post(taskPath, token, tt.body).refused(tt.status, tt.code); !strings.Contains(got.body, `"endpoint":"POST /api/tasks/backgroundUpdate"`) {
				t.Errorf("got %s, want the endpoint", got.body)
			}
		})
	}
	a.post(taskPath, "x", update(id)).refused(401, "UNAUTHORIZED")
	a.post(taskPath, a.clientToken(), update(id)).refused(403, "FORBIDDEN")
	a.get(taskPath, token).refused(405, "NOT_ALLOWED")
	a.send(request{method: "POST", path: taskPath, token: token, body: update(id), header: map[string]string{"Content-Type": "text/plain"}}).refused(415, "NOT_SUPPORTED")
	if n := len(a.Journal().Tasks); n != 0 {
		t.Errorf("%d tasks were made, want none", n)
	}
}

func TestTasksBelongToTheirUser(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{})
	k := a.task(token, update(id))
	other := a.user("other")
	for _, id := range []string{k.ID, "x"} {
		a.get("/api/tasks/"+id, other).refused(404, "NOT_FOUND")
	}
	a.get("/api/tasks/"+k.ID, "x").refused(401, "UNAUTHORIZED")
	a.get("/api/tasks/"+k.ID, a.clientToken()).refused(403, "FORBIDDEN")
	a.get("/api/tasks", "x").refused(401, "UNAUTHORIZED")
	a.get("/api/tasks", a.clientToken()).refused(403, "FORBIDDEN")
	if got := decoded[taskPage](a.get("/api/tasks", other).want(200)); len(got.Items) != 0 {
		t.Errorf("the other user has %d tasks, want none", len(got.Items))
	}
}

type taskPage struct {
	Items  []task
	Paging paging
}

func TestListTasks(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{DownloadTime: -1})
	var all []string // oldest first
	for range 3 {
		all = append(all, a.updated(token, id).ID)
	}
	for query, tt := range map[string]struct {
		want   []string
		paging paging
	}{
		"":                                    {all, paging{1, 20, 1, 3}},
		"?perPage=2&page=2":                   {all[2:], paging{2, 2, 2, 3}},
		"?order=createdAt,desc&perPage=1":     {all[2:], paging{1, 1, 3, 3}},
		"?order=createdAt,asc&perPage=1":      {all[:1], paging{1, 1, 3, 3}},
		"?status=COMPLETED&perPage=1&page=50": {nil, paging{50, 1, 3, 3}},
	} {
		got := decoded[taskPage](a.get("/api/tasks"+query, token).want(200))
		var ids []string
		for _, k := range got.Items {
			ids = append(ids, k.ID)
		}
		if !slices.Equal(ids, tt.want) || got.Paging != tt.paging {
			t.Errorf("%s: got %v, %+v, want %v, %+v", query, ids, got.Paging, tt.want, tt.paging)
		}
	}
	for query, field := range map[string]string{"page=0": "page", "perPage=501": "perPage", "order=id": "order"} {
		a.get("/api/tasks?"+query, token).refused(400, field)
	}
}

// A task starts, ends, and then the download runs, as after an import. What was
// there stays there meanwhile.
func TestUpdateByTheClock(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{})
	before, accounts := a.allRows(token, ""), a.accounts(token, "")
	k := a.task(token, update(id))
	for _, step := range []struct {
		advance                      time.Duration
		task, connection, account    string
		lastUpdate, imported, locked string
	}{
		{0, "NOT_YET_STARTED", "READY READY", "UPDATED", "11:00:03", "11:00:03", "423"},
		{time.Second, "IN_PROGRESS", "READY READY", "UPDATED", "11:00:03", "11:00:03", "423"},
		{time.Second - 1, "IN_PROGRESS", "READY READY", "UPDATED", "11:00:03", "11:00:03", "423"},
		{1, "COMPLETED", "IN_PROGRESS READY", "DOWNLOAD_IN_PROGRESS", "11:00:03", "11:00:03", "423"},
		{3 * time.Second, "COMPLETED", "READY PENDING", "UPDATED", "11:00:10", "11:00:03", ""},
		{time.Second, "COMPLETED", "READY IN_PROGRESS", "UPDATED", "11:00:10", "11:00:03", ""},
		{time.Second, "COMPLETED", "READY READY", "UPDATED", "11:00:10", "11:00:03", ""},
	} {
		a.clock.Advance(step.advance)
		if step.locked != "" {
			a.post(taskPath, token, update(id)).refused(423, "LOCKED")
			a.delete("/api/v2/bankConnections/"+itoa(id), token).refused(423, "LOCKED")
			a.delete("/api/v2/users", token).refused(423, "LOCKED")
		}
		c, got := a.connection(token, id), a.taskNow(token, k.ID)
		if got.Status != step.task || c.UpdateStatus+" "+c.CategorizationStatus != step.connection || got.Payload.BankConnectionID != id {
			t.Errorf("after %s more: task %s, connection %s %s, want %+v", step.advance, got.Status, c.UpdateStatus, c.CategorizationStatus, step)
		}
		if at := c.Interfaces[0].LastManualUpdate; at == nil || !strings.Contains(at.Timestamp, step.lastUpdate) {
			t.Errorf("after %s more: last update %+v, want %s", step.advance, at, step.lastUpdate)
		}
		for i, acc := range a.accounts(token, "") {
			via := acc.Interfaces[0]
			if acc.ID != accounts[i].ID || acc.Balance == nil || via.Status != step.account || !strings.Contains(*via.LastSuccessfulUpdate, step.lastUpdate) {
				t.Errorf("after %s more: account %+v, want what it was, %s since %s", step.advance, acc, step.account, step.lastUpdate)
			}
		}
		rows := a.rows(token, "perPage=1")
		if rows.Paging.TotalCount != 1612 || rows.Transactions[0].ID != before[0].ID || !strings.Contains(rows.Transactions[0].ImportDate, step.imported) {
			t.Errorf("after %s more: %d rows, the first %+v", step.advance, rows.Paging.TotalCount, rows.Transactions[0])
		}
	}
	a.agrees(token)
	a.task(token, update(id))
}

// Nobody needs to look for a task to end, and a callback to leave.
func TestTaskCallbacks(t *testing.T) {
	t.Parallel()
	v := listen(t, ok)
	a, token, id := loads(t, v.config())
	both := `"callbacks":{"finalised":"` + v.url + `","webFormRequired":"` + v.url + `"}`
	finalised, required := `"callbacks":{"finalised":"`+v.url+`"}`, `"callbacks":{"webFormRequired":"`+v.url+`"}`
	ends := func(more, fault, tells string) task {
		t.Helper()
		a.ClearFaults()
		if fault != "" {
			a.on(fault)
		}
		k := a.task(token, update(id, more))
		v.nothing()
		a.clock.Advance(2 * time.Second)
		if strings.HasPrefix(tells, "WEB_FORM") {
			f := a.taskNow(token, k.ID).Payload.WebForm
			v.nextBody(fmt.Sprintf(`{"status":%q,"taskId":%q,"webForm":{"id":%q,"url":%q,"status":"NOT_YET_OPENED"}}`, tells, k.ID, f.ID, f.URL))
		} else if tells != "" {
			v.nextBody(fmt.Sprintf(`{"status":%q,"taskId":%q}`, tells, k.ID))
		}
		a.clock.Advance(5 * time.Second)
		return a.taskNow(token, k.ID)
	}
	first := ends(both, "", "COMPLETED")
	ends(both, "task-error", "COMPLETED_WITH_ERROR")
	ends(required, "", "")
	needs := ends(both, "task-needs-form", "WEB_FORM_REQUIRED")
	a.open(*needs.Payload.WebForm).logsIn()
	a.clock.Advance(5 * time.Second)
	ends(required, "task-needs-form", "WEB_FORM_REQUIRED")
	ends(finalised, "task-needs-form", "")

	// Faults of callbacks hit those of tasks too.
	ends(finalised, "callback-status:code=IN_PROGRESS", "IN_PROGRESS")
	ends(finalised, "callback-contradicts", "COMPLETED_WITH_ERROR")
	a.ClearFaults()
	a.on("callback-lost")
	lost := a.updated(token, id, finalised)
	a.clock.Advance(5 * time.Second)
	a.ClearFaults()
	a.on("callback-other-form")
	a.updated(token, id, finalised)
	v.nextBody(fmt.Sprintf(`{"status":"COMPLETED","taskId":%q}`, lost.ID))
	v.nothing()
	for _, r := range a.Journal().Tasks {
		want := map[string]string{first.ID: "COMPLETED 200 ", lost.ID: "COMPLETED lost callback-lost"}[r.ID]
		if want == "" {
			continue
		}
		if got := r.Callbacks[0]; r.User != "u" || r.ConnectionID != id || len(r.Callbacks) != 1 || got.Status+" "+got.Outcome+" "+got.Fault != want {
			t.Errorf("journal %+v, want callback %s", r, want)
		}
	}
}

// The user fills in the form that a task needs. The task's own status is final, and
// the update goes on with the form.
func TestTaskNeedsForm(t *testing.T) {
	t.Parallel()
	const nothing = "READY"
	for name, tt := range map[string]struct {
		act          func(a *apis, token string, f webForm, id int64)
		status, code string
		connection   string // its updateStatus
	}{
		"not opened": {func(*apis, string, webForm, int64) {}, "NOT_YET_OPENED", "", nothing},
		"opened":     {func(a *apis, _ string, f webForm, _ int64) { a.open(f) }, "IN_PROGRESS", "", nothing},
		"completed":  {func(a *apis, _ string, f webForm, _ int64) { a.open(f).logsIn() }, "COMPLETED", "", "IN_PROGRESS"},
		"with a TAN": {func(a *apis, _ string, f webForm, _ int64) {
			a.open(f).says("login", "login=demo&password=demo").says("tan", "tan=123456")
		}, "COMPLETED", "", "IN_PROGRESS"},
		"aborted": {func(a *apis, _ string, f webForm, _ int64) { a.open(f).aborts() }, "ABORTED", "", nothing},
		"cancelled": {func(a *apis, token string, f webForm, _ int64) {
			a.post("/api/webForms/"+f.ID+"/cancel", token, "").want(200)
		}, "CANCELLED", "", nothing},
		"expired": {func(a *apis, _ string, _ webForm, _ int64) { a.clock.Advance(20 * time.Minute) }, "EXPIRED", "", nothing},
		"refused": {func(a *apis, _ string, f webForm, _ int64) {
			a.open(f).says("login", "login=x&password=x").says("login", "login=x&password=x").says("login", "login=x&password=x")
		}, "COMPLETED_WITH_ERROR", "BANK_SERVER_REJECTION", nothing},
		"updated by another task": {func(a *apis, token string, f webForm, id int64) {
			p := a.open(f)
			a.updated(token, id)
			p.logsIn()
		}, "COMPLETED_WITH_ERROR", "UNEXPECTED_ACCESS_RESPONSE", "IN_PROGRESS"},
		"locked by another task": {func(a *apis, token string, f webForm, id int64) {
			p := a.open(f)
			a.task(token, update(id))
			p.logsIn()
		}, "COMPLETED_WITH_ERROR", "UNEXPECTED_ACCESS_RESPONSE", nothing},
		"under a fault": {func(a *apis, _ string, f webForm, _ int64) {
			a.on("form-error-connected:code=INTERRUPTED")
			a.open(f).logsIn()
		}, "COMPLETED_WITH_ERROR", "INTERRUPTED", "IN_PROGRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, token, id := loads(t, simulator.Config{})
			k := a.updated(token, id, `"manageSavedSettings":["CREDENTIALS"]`)
			f := k.Payload.WebForm
			if k.Status != "WEB_FORM_REQUIRED" || k.code() != "" || f == nil || f.Status != "NOT_YET_OPENED" || f.URL != "https://simulator.example/wf/"+f.ID {
				t.Fatalf("got %+v, want WEB_FORM_REQUIRED with a form", k)
			}
			shown := a.formNow(token, f.ID)
			if shown.Type != "BANK_CONNECTION_UPDATE" || shown.connection() != 0 || shown.CreatedAt != "2026-03-04T10:00:07.000+0000" || shown.ExpiresAt != "2026-03-04T10:20:07.000+0000" {
				t.Errorf("form %+v, want one for an update, made when the task ended", shown)
			}
			tt.act(a, token, *f, id)
			shown, k = a.formNow(token, f.ID), a.taskNow(token, k.ID)
			final := tt.status != "NOT_YET_OPENED" && tt.status != "IN_PROGRESS"
			if shown.Status != tt.status || shown.code() != tt.code || (shown.connection() == id) != final {
				t.Errorf("form %s %s of connection %d, want %s %s", shown.Status, shown.code(), shown.connection(), tt.status, tt.code)
			}
			if k.Status != "WEB_FORM_REQUIRED" || k.Payload.WebForm.Status != tt.status {
				t.Errorf("task %s with form %s, want WEB_FORM_REQUIRED with %s", k.Status, k.Payload.WebForm.Status, tt.status)
			}
			if got := a.connection(token, id).UpdateStatus; got != tt.connection {
				t.Errorf("connection %s, want %s", got, tt.connection)
			}
			a.hasConnections(1)
		})
	}
}

// The page of a form that updates says so.
func TestPagesOfAnUpdate(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{})
	k := a.updated(token, id, `"manageSavedSettings":["CREDENTIALS"]`)
	if page := a.get("/", "").want(200).body; !strings.Contains(page, "needs a web form") || !strings.Contains(page, k.ID) || !strings.Contains(page, `href="/wf/`+k.Payload.WebForm.ID) {
		t.Error("the front page does not show the task, or not its form")
	}
	p := a.open(*k.Payload.WebForm)
	see := func(status int, want string) {
		t.Helper()
		if page := a.send(request{method: "GET", path: p.path, header: map[string]string{"Cookie": p.cookie}}).want(status).body; !strings.Contains(page, want) || strings.Contains(page, "Accounts</span>") {
			t.Errorf("the page lacks %q or has a step too many:\n%s", want, page)
		}
	}
	see(200, "Log in to finAPI Test Bank")
	p.logsIn()
	see(200, "finAPI Test Bank is being updated")
	a.clock.Advance(5 * time.Second)
	k = a.updated(token, id, `"manageSavedSettings":["CREDENTIALS"]`)
	p = a.open(*k.Payload.WebForm)
	p.aborts()
	see(200, "Nothing was updated.")
}

// An update looks for accounts that are not connected yet, if it is asked to.
func TestUpdateImportsNewAccounts(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]int{
		`{"bankConnectionId":%d,"importNewAccountsMode":"SKIP"}`:                                   1,
		`{"bankConnectionId":%d,"importNewAccountsMode":"CONDITIONAL"}`:                            4,
		`{"bankConnectionId":%d,"importNewAccountsMode":"FORCED"}`:                                 4,
		`{"bankConnectionId":%d,"importNewAccountsMode":"FORCED","accountTypes":["LOAN"]}`:         1,
		`{"bankConnectionId":%d,"importNewAccountsMode":"CONDITIONAL","accountTypes":["SAVINGS"]}`: 2,
	} {
		a := newAPIs(t, simulator.Config{})
		token := a.user("u")
		f := a.form(token, testBank)
		a.open(f).logsIn().says("accounts", "account=0")
		id := a.formNow(token, f.ID).connection()
		a.clock.Advance(5 * time.Second)
		old := a.accounts(token, "")[0].ID
		a.task(token, fmt.Sprintf(request, id))
		a.clock.Advance(3 * time.Second)
		if got := a.accounts(token, ""); len(got) != want || got[0].ID != old || got[want-1].Balance == nil && want == 1 || got[want-1].Balance != nil && want > 1 {
			t.Errorf("%s: %d accounts while it downloads, want %d, new ones without a balance", request, len(got), want)
		}
		a.clock.Advance(4 * time.Second)
		if got := a.connection(token, id); len(got.AccountIDs) != want {
			t.Errorf("%s: %d accounts, want %d", request, len(got.AccountIDs), want)
		}
		a.agrees(token)
	}
}

// What an import left out comes with an update, and faults of the download strike
// again, but take nothing away that was there.
func TestUpdateUnderFaults(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.on("accounts-failed:n=1", "user-action-required")
	id := a.loaded(token, `{"bank":{"id":280001},"skipPositionsDownload":true,"skipBalancesDownload":true}`)
	a.ClearFaults()
	again := func(want, statuses string, rows int) {
		t.Helper()
		k := a.updated(token, id)
		if k.Status != want {
			t.Errorf("task %s, want %s", k.Status, want)
		}
		if k.Payload.WebForm != nil {
			a.open(*k.Payload.WebForm).logsIn()
		}
		a.clock.Advance(5 * time.Second)
		if got, n := a.statuses(token), a.rows(token, "").Paging.TotalCount; got != statuses || n != rows {
			t.Errorf("accounts %s with %d rows, want %s with %d", got, n, statuses, rows)
		}
		a.agrees(token)
	}
	const good = "UPDATED UPDATED UPDATED UPDATED"
	again("WEB_FORM_REQUIRED", good, 1612) // the user had to act
	at := a.allRows(token, "")[0].ImportDate
	a.on("accounts-failed:n=1")
	again("COMPLETED", "UPDATED UPDATED UPDATED DOWNLOAD_FAILED", 1612)
	a.ClearFaults()
	a.on("odd-amounts", "duplicates", "rows-split", "no-accounts") // only when a connection is made
	again("COMPLETED", good, 1612)
	a.ClearFaults()
	a.on("adjusting-entry")
	again("COMPLETED", good, 1616)
	today := "minImportDate=2026-03-04"
	for _, r := range a.allRows(token, today) {
		if newer := r.ImportDate > at; newer != (r.Purpose == "Zwischensaldo") {
			t.Fatalf("row %+v: want what came with the update to be newer than %s, alone", r, at)
		}
	}
	a.ClearFaults()
	a.on("update-rejected")
	again("COMPLETED", strings.ReplaceAll(good, "UPDATED", "DOWNLOAD_FAILED"), 1616)
	if got := a.connection(token, id).Interfaces[0].LastManualUpdate.Result; got != "BANK_SERVER_REJECTION" {
		t.Errorf("the update's result is %s", got)
	}
}

// Tasks that have not ended count like open forms; of those that have, the oldest
// are forgotten.
func TestMaxTasks(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{MaxForms: 2, DownloadTime: -1})
	other := a.connect(token, redirectBank)
	a.on("task-never-ends@bank=280002")
	a.task(token, update(other))
	var ids []string
	for range 3 {
		ids = append(ids, a.updated(token, id).ID)
	}
	a.get("/api/tasks/"+ids[0], token).refused(404, "NOT_FOUND")
	for _, id := range ids[1:] {
		a.taskNow(token, id)
	}
	a.form(token, `{}`)
	a.post(taskPath, token, update(id)).refused(500, "INTERNAL_SERVER_ERROR")
	a.post("/api/webForms/bankConnectionImport", token, `{}`).refused(500, "INTERNAL_SERVER_ERROR")
}
