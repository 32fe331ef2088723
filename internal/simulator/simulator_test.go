package simulator_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/simulator"
)

func TestConfigNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	good := simulator.Config{BaseURL: "http://127.0.0.1:8081/", ClientID: "client", ClientSecret: "secret"}
	if err := good.Validate(); err != nil {
		t.Errorf("smallest configuration: %v", err)
	}
	for want, spoil := range map[string]func(*simulator.Config){
		"base URL":         func(c *simulator.Config) { c.BaseURL = "" },
		"base URL:":        func(c *simulator.Config) { c.BaseURL = "ftp://host" },
		"base URL: want":   func(c *simulator.Config) { c.BaseURL = "https://host/path" },
		"host, nothing":    func(c *simulator.Config) { c.BaseURL = "https://host?q=1" },
		"nothing else":     func(c *simulator.Config) { c.BaseURL = "https://u@host" },
		"client id":        func(c *simulator.Config) { c.ClientID = "" },
		"client secret":    func(c *simulator.Config) { c.ClientSecret = "" },
		`license "FREE"`:   func(c *simulator.Config) { c.License = "FREE" },
		`profile "x"`:      func(c *simulator.Config) { c.Profiles = []string{"x"} },
		`fault "x"`:        func(c *simulator.Config) { c.Faults = []simulator.Fault{{Name: "x"}} },
		`callbacks "x"`:    func(c *simulator.Config) { c.Callbacks = "x" },
		"callback dial":    func(c *simulator.Config) { c.CallbackDial = map[string]string{"host": "address"} },
		"form life":        func(c *simulator.Config) { c.FormLife = -1 },
		"callback delay":   func(c *simulator.Config) { c.CallbackDelay = -1 },
		"callback timeout": func(c *simulator.Config) { c.CallbackTimeout = -1 },
		"token life":       func(c *simulator.Config) { c.TokenLife = time.Minute - 1 },
		"refresh life":     func(c *simulator.Config) { c.RefreshLife = -1 },
		"callback workers": func(c *simulator.Config) { c.CallbackWorkers = -1 },
		"max forms":        func(c *simulator.Config) { c.MaxForms = -1 },
		"max connections":  func(c *simulator.Config) { c.MaxConnections = -1 },
		"max users":        func(c *simulator.Config) { c.MaxUsers = -1 },
	} {
		c := good
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one problem about %q", err, want)
		}
		if s, err := simulator.New(c); err == nil {
			t.Errorf("New took a wrong %s", want)
			_ = s.Close()
		}
	}
	all := simulator.Config{License: "FREE", MaxUsers: -1}
	for _, want := range []string{"base URL", "client id", "client secret", "license", "max users"} {
		if err := all.Validate(); !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	good.Banks = []simulator.Bank{{ID: 280001}}
	if s, err := simulator.New(good); err == nil {
		t.Error("New took a bank whose id is taken")
		_ = s.Close()
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Callbacks: simulator.DropCallbacks, Banks: []simulator.Bank{{ID: 300001, Accounts: 2, RowsPerAccount: 3, FailedAccounts: 1}}})
	if got, want := a.Journal(), (simulator.Journal{Forms: []simulator.FormRecord{}, Tasks: []simulator.TaskRecord{}, Connections: []simulator.ConnectionRecord{}, Calls: map[string]map[int]int{}}); !cmp.Equal(got, want) {
		t.Errorf("at first:\n%s", cmp.Diff(want, got))
	}
	token := a.user("Robin")
	begin := a.clock.Now()
	f := a.form(token, `{"bank":{"id":300001},"callbacks":{"finalised":"https://bridge.example/x"}}`)
	a.clock.Advance(time.Minute)
	a.open(f).connects()
	open := a.form(token, `{}`)
	a.get("/api/webForms/x", token).want(404)
	a.get("/api/webForms/x", token).want(404)

	j := a.Journal()
	wantForms := []simulator.FormRecord{
		{
			ID: f.ID, User: "Robin", BankID: 300001, Status: "COMPLETED", ConnectionID: j.Connections[0].ID,
			Created: begin, Expires: begin.Add(20 * time.Minute), Ended: begin.Add(time.Minute),
			Callbacks: []simulator.Callback{{Status: "COMPLETED", Outcome: "lost", Fault: "callback-lost"}},
		},
		{ID: open.ID, User: "Robin", Status: "NOT_YET_OPENED", Created: begin.Add(time.Minute), Expires: begin.Add(21 * time.Minute), Callbacks: []simulator.Callback{}},
	}
	if diff := cmp.Diff(wantForms, j.Forms); diff != "" {
		t.Errorf("forms, -want +got:\n%s", diff)
	}
	wantCalls := map[string]map[int]int{"create user": {201: 1}, "token": {200: 2}, "create form": {201: 2}, "get form": {404: 2}}
	if diff := cmp.Diff(wantCalls, j.Calls); diff != "" {
		t.Errorf("calls, -want +got:\n%s", diff)
	}
	c := j.Connections[0] // known before it is downloaded
	if len(j.Connections) != 1 || c.User != "Robin" || c.BankID != 300001 || !c.Ready.Equal(begin.Add(time.Minute+3*time.Second)) || len(c.Accounts) != 2 {
		t.Errorf("connections %+v", j.Connections)
	}
	if loaded, failed := c.Accounts[0], c.Accounts[1]; !loaded.Loaded || loaded.Rows != 3 || failed.Loaded || failed.Rows != 0 || failed.Balance != "0.0" {
		t.Errorf("accounts %+v, want one with 3 rows and one that failed", c.Accounts)
	}
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, a.get("/journal.json", "").want(200).body, string(b))
}

// The journal is the truth that others are compared with: the API says the same.
func TestJournalAgreesWithTheAPI(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.connect(token, `{"bank":{"id":280001},"maxDaysForDownload":365}`)
	before := a.Journal().Connections[0].Accounts
	a.clock.Advance(5 * time.Second)
	records := a.Journal().Connections[0].Accounts
	if !slices.Equal(before, records) {
		t.Errorf("the download changed the records: %+v, %+v", before, records)
	}
	for i, acc := range a.accounts(token, "") {
		r := records[i]
		rows := a.allRows(token, "accountIds="+itoa(acc.ID))
		page := a.rows(token, "perPage=1&accountIds="+itoa(acc.ID))
		if r.ID != acc.ID || r.Type != acc.AccountType || r.Number != acc.AccountNumber || !r.Loaded || r.Rows != len(rows) ||
			r.Income != page.Income.String() || r.Spending != page.Spending.String() || r.Balance != page.Balance.String() {
			t.Errorf("record %+v, want account %+v with sums %s, %s, %s", r, acc, page.Income, page.Spending, page.Balance)
		}
		n := 0
		for row := range a.Rows(acc.ID) {
			if n < len(rows) && (row.ID != rows[n].ID || row.Amount != rows[n].Amount.String()) {
				t.Fatalf("row %d: %+v, want %d %s", n, row, rows[n].ID, rows[n].Amount)
			}
			n++
		}
		if n != len(rows) {
			t.Errorf("%d rows, want %d", n, len(rows))
		}
	}
	for range a.Rows(1) {
		t.Error("an account that is not there has rows")
	}
	for range a.Rows(records[0].ID) { // whoever ranges may stop
		break
	}
}

// Many users at once get what is theirs.
func TestConcurrentUsers(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{DownloadTime: -1, CategorizationTime: -1})
	t.Run("users", func(t *testing.T) {
		for i := range 8 {
			t.Run(itoa(int64(i)), func(t *testing.T) {
				t.Parallel()
				a := a.in(t)
				token := a.user(itoa(int64(i)))
				for range 3 {
					f := a.form(token, redirectBank)
					a.open(f).logsIn()
					a.Journal()
					a.formNow(token, f.ID)
				}
				a.connect(token, testBank)
				if n := a.rows(token, "").Paging.TotalCount; n != 1612 {
					t.Errorf("%d rows, want 1612", n)
				}
			})
		}
	})
	if j := a.Journal(); len(j.Connections) != 8 || len(j.Forms) != 32 {
		t.Errorf("%d connections and %d forms, want 8 and 32", len(j.Connections), len(j.Forms))
	}
}

func TestManualClock(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := simulator.NewManualClock(begin)
	told := func(alarm <-chan time.Time) string {
		select {
		case at := <-alarm:
			return at.Sub(begin).String()
		default:
			return "not yet"
		}
	}
	due, _ := c.At(begin)
	soon, stopSoon := c.At(begin.Add(time.Second))
	later, stopLater := c.At(begin.Add(time.Minute))
	stopped, stop := c.At(begin.Add(time.Second))
	stop()
	c.Advance(time.Second - 1)
	if a, b := told(due), told(soon); a != "0s" || b != "not yet" {
		t.Errorf("due %s, soon %s", a, b)
	}
	c.Advance(1)
	if a, b, d := told(soon), told(later), told(stopped); a != "1s" || b != "not yet" || d != "not yet" {
		t.Errorf("soon %s, later %s, stopped %s", a, b, d)
	}
	if passed, _ := c.At(begin); told(passed) != "1s" { // however long it took from reading the clock to waiting
		t.Error("a time that has passed is not told at once")
	}
	c.Advance(time.Hour)
	if a, b := told(later), told(soon); a != "1h0m1s" || b != "not yet" || !c.Now().Equal(begin.Add(time.Hour+time.Second)) {
		t.Errorf("later %s, soon again %s, now %s", a, b, c.Now())
	}
	stopSoon()
	stopLater()
}

func TestSystemClock(t *testing.T) {
	t.Parallel()
	s, err := simulator.New(simulator.Config{BaseURL: "http://127.0.0.1:1", ClientID: "client", ClientSecret: "secret", DownloadTime: -1, CategorizationTime: -1})
	if err != nil {
		t.Fatal(err)
	}
	a := &apis{Simulator: s, t: t, contracts: contracts(t)}
	token := a.user("u")
	f := a.form(token, testBank)
	if created, err := time.Parse("2006-01-02T15:04:05.000-0700", f.CreatedAt); err != nil || time.Since(created) > time.Minute || time.Since(created) < -time.Second {
		t.Errorf("created at %s, %v, want now", f.CreatedAt, err)
	}
	a.connect(token, testBank)
	for range 2 { // closing again is allowed
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	a.get("/api/v2/accounts", token).want(200) // what is being served is not interrupted
}
