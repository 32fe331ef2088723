package simulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/bankimport/bankimport/internal/simulator"
)

func TestPersonConnectsABank(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{})
	p := site.visitor()
	p.open(site.form("u1", `{}`), "bank")
	p.sees("Which bank do you want to connect?", "finAPI Test Bank", "finAPI Test Redirect Bank", "Open for another", ">20 min<")

	p.search("redirect", "bank")
	p.sees("finAPI Test Redirect Bank", "Banks for “redirect”")
	p.misses(`value="280001"`)
	p.search("no such bank", "bank")
	p.sees("No bank is called “no such bank”.")
	p.answer("bank", "bank=99", "bank") // there is none: the question stands
	p.answer("bank", "bank=280001", "login")
	p.sees("Log in to finAPI Test Bank", "demo_no_msa")

	p.answer("login", "login=demo&password=wrong", "login-refused")
	p.sees(`role="alert"`, "2 tries left")
	p.answer("login", "login=demo&password=demo", "tan")
	p.sees("123456")
	p.answer("tan", "tan=000000", "tan-refused")
	p.sees("2 tries left")
	p.answer("tan", "tan=111111", "tan-refused")
	p.sees("one try left")
	p.answer("tan", "tan=123456", "accounts")
	if got := p.ticked(); got != 4 {
		t.Errorf("%d accounts are ticked at first, want 4", got)
	}

	p.answer("accounts", "", "accounts-refused")
	p.sees("Tick at least one account")
	if got := p.ticked(); got != 0 {
		t.Errorf("%d accounts are ticked after none was, want 0", got)
	}
	p.answer("accounts", "account=0&account=3", "done")
	p.sees("finAPI Test Bank is connected", "You can close this page.")
	p.answer("tan", "tan=123456", "done") // the back button changes nothing

	if j := site.simulator.Journal(); len(j.Connections) != 1 || len(j.Connections[0].Accounts) != 2 {
		t.Errorf("connections: %+v, want one with two accounts", j.Connections)
	}
}

func TestFormWithoutSecondFactor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ bank, login string }{
		"by the login": {"280001", "demo_no_msa"},
		"by the bank":  {"280002", "demo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, simulator.Config{})
			p := site.visitor()
			p.open(site.form("u1", `{"bank":{"id":`+c.bank+`}}`), "login")
			if p.answer("login", "login="+c.login+"&password="+c.login, "accounts"); c.bank == "280002" {
				p.misses("Confirm")
			}
			p.answer("accounts", "account=0", "done")
		})
	}
}

// Each way to end is a page of its own.
func TestHowFormsEnd(t *testing.T) {
	t.Parallel()
	const bank = `{"bank":{"id":280001}}`
	for name, c := range map[string]struct {
		request string
		act     func(site *site, p *visitor, form string)
		page    string
		status  int
		text    string
	}{
		"cancelled by the person at the bank": {`{}`, func(_ *site, p *visitor, form string) {
			p.open(form, "bank")
			p.answer("cancel", "", "aborted")
		}, "aborted", 200, "No bank was connected."},
		"cancelled by the person at the login": {bank, func(_ *site, p *visitor, form string) {
			p.open(form, "login")
			p.answer("cancel", "", "aborted")
		}, "aborted", 200, "You have cancelled"},
		"locked by wrong logins": {bank, func(_ *site, p *visitor, form string) {
			p.open(form, "login")
			p.answer("login", "login=a&password=a", "login-refused")
			p.answer("login", "login=a&password=a", "login-refused")
			p.sees("one try left")
			p.answer("login", "login=a&password=a", "locked")
		}, "locked", 200, "has locked it after three wrong tries"},
		"locked by wrong TANs": {bank, func(_ *site, p *visitor, form string) {
			p.open(form, "login")
			p.answer("login", "login=demo&password=demo", "tan")
			p.answer("tan", "tan=1", "tan-refused")
			p.answer("tan", "tan=2", "tan-refused")
			p.answer("tan", "tan=3", "locked")
		}, "locked", 200, "No bank was connected."},
		"expired": {bank, func(site *site, p *visitor, form string) {
			p.open(form, "login")
			site.clock.Advance(19*time.Minute + 30*time.Second)
			p.open(form, "login")
			p.sees(">30 s<")
			site.clock.Advance(30 * time.Second)
			p.answer("login", "login=demo&password=demo", "expired")
		}, "expired", 410, "not finished in time"},
		"withdrawn by the client": {bank, func(site *site, p *visitor, form string) {
			p.open(form, "login")
			site.call("POST", "/api/webForms/"+strings.TrimPrefix(form, "/wf/")+"/cancel", "u1", "")
		}, "cancelled", 410, "withdrawn"},
		"duplicate": {bank, func(site *site, p *visitor, form string) {
			site.visitor().connect(site.form("u1", bank))
			p.open(form, "login")
			p.answer("login", "login=demo&password=demo", "tan")
			p.answer("tan", "tan=123456", "duplicate")
		}, "duplicate", 200, "is connected already"},
		"no accounts of the kind": {`{"bank":{"id":280001},"accountTypes":["LOAN"]}`, func(_ *site, p *visitor, form string) {
			p.open(form, "login")
			p.answer("login", "login=demo_no_msa&password=demo_no_msa", "no-accounts")
		}, "no-accounts", 200, "There is no account to connect"},
		"token expired": {bank, func(site *site, p *visitor, form string) {
			p.open(form, "login")
			p.answer("login", "login=demo_no_msa&password=demo_no_msa", "accounts")
			site.clock.Advance(6 * time.Minute)
			p.answer("accounts", "account=0", "failed")
		}, "failed", 200, "INVALID_TOKEN"},
		"opened twice": {bank, func(site *site, _ *visitor, form string) {
			site.visitor().open(form, "login")
		}, "opened-twice", 403, "This form is open somewhere else"},
		"used": {bank, func(site *site, _ *visitor, form string) {
			site.visitor().connect(form)
		}, "used", 410, "This link has been used already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, simulator.Config{TokenLife: 5 * time.Minute})
			p, form := site.visitor(), site.form("u1", c.request)
			c.act(site, p, form)
			p.open(form, c.page)
			p.sees(c.text)
			p.misses("<input", "<button") // it asks nothing
			if p.status != c.status {
				t.Errorf("status %d, want %d", p.status, c.status)
			}
		})
	}
}

func TestUnknownForm(t *testing.T) {
	t.Parallel()
	p := newSite(t, simulator.Config{}).visitor()
	p.open("/wf/00000000-0000-0000-0000-000000000000", "unknown")
	if p.status != http.StatusNotFound {
		t.Errorf("status %d, want 404", p.status)
	}
	p.answer("cancel", "", "unknown")
}

// Another browser can neither see nor answer a form that is open.
func TestOpenedTwiceCannotAnswer(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{})
	form := site.form("u1", `{"bank":{"id":280001}}`)
	first, second := site.visitor(), site.visitor()
	first.open(form, "login")
	second.open(form, "opened-twice")
	second.misses("finAPI Test Bank")
	second.answer("cancel", "", "opened-twice")
	first.open(form, "login")
}

func TestWayBack(t *testing.T) {
	t.Parallel()
	const query = "?redirectUrl=https%3A%2F%2Fapp.example%2Fdone&abortRedirectUrl=https%3A%2F%2Fapp.example%2Faborted" +
		"&errorRedirectUrl=javascript%3Aalert(1)&customerSupportUrl=https%3A%2F%2Fhelp.example%2F"
	site := newSite(t, simulator.Config{})
	const bank = `{"bank":{"id":280001}}`

	p := site.visitor()
	p.open(site.form("u1", bank)+query, "login")
	p.answer("cancel", "", "aborted")
	p.sees(`href="https://app.example/aborted"`, "Go back now", `href="https://help.example/"`)
	if got, want := p.header.Get("Refresh"), "3; url=https://app.example/aborted"; got != want {
		t.Errorf("Refresh %q, want %q", got, want)
	}

	p = site.visitor()
	p.open(site.form("u1", bank)+query, "login")
	for _, page := range []string{"login-refused", "login-refused", "locked"} {
		p.answer("login", "login=a&password=a", page)
	}
	p.misses("javascript:")

	p = site.visitor()
	form := site.form("u1", bank)
	p.open(form+query, "login")
	p.connect(form)
	p.sees(`href="https://app.example/done"`)
	p.misses("help.example") // nothing went wrong
}

func TestFrontPage(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{
		Callbacks: simulator.DropCallbacks,
		Banks:     []simulator.Bank{{ID: 300001, Accounts: 15, RowsPerAccount: 3, FailedAccounts: 1}},
	})
	p := site.visitor()
	p.open("/", "front")
	p.sees("No web forms yet.", "No bank is connected.", "Has hit nothing yet.", "journal.json",
		"finAPI Test Bank", "finAPI Test Redirect Bank", "demo_no_msa", "123456", "1 cannot be downloaded")

	waiting := site.form("waiting", `{}`)
	p.open("/", "front")
	p.sees("not opened yet", "no bank chosen yet", `href="`+waiting+`"`, "expires in", "2026-03-04 10:20:00 UTC")

	site.visitor().open(waiting, "bank")
	site.visitor().connect(site.form("u1", `{"bank":{"id":280001},"callbacks":{"finalised":"https://bridge.example/x"}}`))
	p.open("/", "front")
	p.sees("being filled in", "completed", "callback: lost", "downloading …")
	p.misses(`href="`+waiting+`"`, "Disconnect")

	site.clock.Advance(time.Minute)
	p.open("/", "front")
	p.sees("ready", "16,978.51", ">806<", "−411.10", "1 min ago", "Disconnect")

	id := regexp.MustCompile(`/connections/(\d+)/delete`).FindString(p.body)
	p.post(id, "", "front")
	p.sees("No bank is connected.")

	site.visitor().connect(site.form("u2", `{"bank":{"id":300001},"skipPositionsDownload":true,"skipBalancesDownload":true}`))
	site.clock.Advance(time.Minute)
	p.open("/", "front")
	p.sees("not asked for", "The first 12 of 15 accounts.")

	cancelled := site.visitor()
	cancelled.open(site.form("u3", `{}`), "bank")
	cancelled.answer("cancel", "", "aborted")
	wrong := site.visitor()
	wrong.open(site.form("u3", `{"bank":{"id":280001}}`), "login")
	for _, page := range []string{"login-refused", "login-refused", "locked"} {
		wrong.answer("login", "login=a&password=a", page)
	}
	site.clock.Advance(time.Hour)
	p.open("/", "front")
	p.sees("expired", "aborted by the user", "completed with an error", "BANK_SERVER_REJECTION", "1 h ago")
}

func TestPagesShowNoMoreThanTheyCan(t *testing.T) {
	t.Parallel()
	config := simulator.Config{}
	for i := range 30 {
		config.Banks = append(config.Banks, simulator.Bank{ID: int64(1000 + i)})
	}
	site := newSite(t, config)
	p := site.visitor()
	p.open("/", "front")
	p.sees("The first 20 of 32.")
	form := site.form("u1", `{}`)
	for range 59 {
		site.form("u1", `{}`)
	}
	p.open("/", "front")
	p.sees("the newest 50 of 60")
	if n := strings.Count(p.body, `href="/wf/`); n != 50 {
		t.Errorf("%d forms can be opened, want 50", n)
	}
	p.open(form, "bank")
	p.sees("There are more banks than fit here.")
	p.search("1029", "bank")
	p.sees(`value="1029"`)
	p.misses("There are more banks than fit here.")
}

func TestFormThatAllowsNoBank(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{})
	p := site.visitor()
	p.open(site.form("u1", `{"allowTestBank":false}`), "bank")
	p.sees("No bank fits.")
}

func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	const hostile = `"'><script>alert(1)</script><b onclick=x style=y>`
	site := newSite(t, simulator.Config{Banks: []simulator.Bank{{ID: 1, Name: "A" + hostile, City: "B" + hostile, BLZ: "C" + hostile}}})
	p := site.visitor()
	p.open(site.form("u1", `{}`), "bank") // each page is checked for scripts and handlers
	p.search(hostile, "bank")
	p.sees("&lt;script&gt;alert(1)")
	p.search("no bank"+hostile, "bank")
	p.sees("&lt;script&gt;alert(1)")
	p.answer("bank", "bank=1", "login")
	p.sees("&lt;script&gt;alert(1)")
	p.answer("login", "login="+url.QueryEscape(hostile)+"&password=x", "login-refused")
	p.answer("login", "login=demo&password=demo", "tan")
	p.answer("tan", "tan=123456", "accounts")
	p.answer("accounts", "account=0", "done")
	p.sees("&lt;script&gt;alert(1)")
	p.open("/", "front")
	p.sees("&lt;script&gt;alert(1)")
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{})
	for file, kind := range map[string]string{"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		r := httptest.NewRecorder()
		site.simulator.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/static/"+file, nil))
		if got := r.Header().Get("Content-Type"); r.Code != 200 || !strings.HasPrefix(got, kind) {
			t.Errorf("%s: %d %s, want 200 %s", file, r.Code, got, kind)
		}
		checkHeaders(t, r.Header())
		body := strings.ReplaceAll(r.Body.String(), "http://www.w3.org/2000/svg", "")
		if strings.Contains(body, "//cdn") || strings.Contains(body, "http://") || strings.Contains(body, "https://") {
			t.Errorf("%s refers to another site", file)
		}
	}
}

// TestColoursCanBeRead checks the colours of text against what is behind them.
func TestColoursCanBeRead(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{})
	r := httptest.NewRecorder()
	site.simulator.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/static/page.css", nil))
	light, dark, found := strings.Cut(r.Body.String(), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("there is no dark scheme")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := make(map[string]float64) // luminance by name
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, pair := range []string{
			"ink ground", "ink card", "ink tint", "ink warn-tint", "ink bad-tint", "quiet ground", "quiet card", "quiet tint",
			"accent ground", "accent card", "accent tint", "on-accent accent", "bad card", "bad bad-tint", "good card", "good good-tint", "warn warn-tint",
		} {
			text, behind, _ := strings.Cut(pair, " ")
			a, b := colours[text], colours[behind]
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", scheme, text, behind, ratio)
			}
		}
	}
}

// site is a simulator whose pages are visited without a network.
type site struct {
	t         *testing.T
	simulator *simulator.Simulator
	clock     *simulator.ManualClock
}

const siteURL = "http://simulator.example"

func newSite(t *testing.T, c simulator.Config) *site {
	t.Helper()
	clock := simulator.NewManualClock(time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC))
	c.BaseURL, c.ClientID, c.ClientSecret, c.Clock = siteURL, "client", "secret", clock
	s, err := simulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{t, s, clock}
}

// RoundTrip makes a site the transport of its visitors.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	s.simulator.ServeHTTP(w, r)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// form has the client ask for a form and gives its path. The user is made if
// there is none.
func (s *site) form(user, request string) string {
	s.t.Helper()
	s.request("POST", "/api/v2/users", "application/json", s.token("grant_type=client_credentials"), fmt.Sprintf(`{"id":%q,"password":"password"}`, user))
	var made struct{ URL string }
	body := s.call("POST", "/api/webForms/bankConnectionImport", user, request)
	if err := json.Unmarshal(body, &made); err != nil || made.URL == "" {
		s.t.Fatalf("no form: %s", body)
	}
	return strings.TrimPrefix(made.URL, siteURL)
}

// call is one to the provider's APIs.
func (s *site) call(method, path, user, body string) []byte {
	s.t.Helper()
	return s.request(method, path, "application/json", s.token("grant_type=password&username="+user+"&password=password"), body)
}

func (s *site) token(grant string) string {
	s.t.Helper()
	var granted struct {
		Token string `json:"access_token"`
	}
	body := s.request("POST", "/api/v2/oauth/token", "application/x-www-form-urlencoded", "", grant+"&client_id=client&client_secret=secret")
	if err := json.Unmarshal(body, &granted); err != nil || granted.Token == "" {
		s.t.Fatalf("no token: %s", body)
	}
	return granted.Token
}

func (s *site) request(method, path, kind, token, body string) []byte {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.simulator.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// visitor is a person with a browser of their own. Each page that the browser
// gets is checked for what all pages have in common.
type visitor struct {
	t      *testing.T
	client *http.Client
	path   string // of the form

	status int
	header http.Header
	body   string
	nodes  []*html.Node
}

func (s *site) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &visitor{t: s.t, client: &http.Client{Transport: s, Jar: jar}}
}

// open goes to a page, which must be the one with the name.
func (v *visitor) open(path, want string) {
	v.t.Helper()
	v.path, _, _ = strings.Cut(path, "?")
	v.arrive(want)(v.client.Get(siteURL + path))
}

// search looks for a bank.
func (v *visitor) search(text, want string) {
	v.t.Helper()
	v.open(v.path+"?q="+url.QueryEscape(text), want)
	if got := v.value("q"); got != text {
		v.t.Errorf("the search field has %q, want %q", got, text)
	}
}

// answer sends what the form asks for.
func (v *visitor) answer(question, fields, want string) {
	v.t.Helper()
	v.post(v.path+"/"+question, fields, want)
}

func (v *visitor) post(path, fields, want string) {
	v.t.Helper()
	v.arrive(want)(v.client.Post(siteURL+path, "application/x-www-form-urlencoded", strings.NewReader(fields)))
}

// connect fills in a form for a given bank.
func (v *visitor) connect(form string) {
	v.t.Helper()
	v.open(form, "login")
	v.answer("login", "login=demo_no_msa&password=demo_no_msa", "accounts")
	v.answer("accounts", "account="+strings.Join(v.values("account"), "&account="), "done")
}

func (v *visitor) arrive(want string) func(*http.Response, error) {
	v.t.Helper()
	return func(r *http.Response, err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			v.t.Fatal(err)
		}
		root, err := html.Parse(strings.NewReader(string(body)))
		if err != nil {
			v.t.Fatal(err)
		}
		v.status, v.header, v.body, v.nodes = r.StatusCode, r.Header, string(body), slices.Collect(root.Descendants())
		if got := v.name(); got != want {
			v.t.Fatalf("page %q, want %q (status %d)\n%s", got, want, v.status, v.body)
		}
		v.check()
	}
}

func (v *visitor) name() string {
	for _, n := range v.nodes {
		if n.Data == "body" {
			return attribute(n, "data-page")
		}
	}
	return ""
}

func (v *visitor) sees(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if !strings.Contains(v.body, text) {
			v.t.Errorf("page %s without %q:\n%s", v.name(), text, v.body)
		}
	}
}

func (v *visitor) misses(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if strings.Contains(v.body, text) {
			v.t.Errorf("page %s with %q:\n%s", v.name(), text, v.body)
		}
	}
}

func (v *visitor) values(field string) []string {
	var all []string
	for _, n := range v.nodes {
		if n.Type == html.ElementNode && attribute(n, "name") == field {
			all = append(all, attribute(n, "value"))
		}
	}
	return all
}

func (v *visitor) value(field string) string { return strings.Join(v.values(field), " ") }

func (v *visitor) ticked() int {
	n := 0
	for _, node := range v.nodes {
		if node.Data == "input" && has(node, "checked") {
			n++
		}
	}
	return n
}

// check tests what every page promises.
func (v *visitor) check() {
	v.t.Helper()
	checkHeaders(v.t, v.header)
	if got, want := v.header.Get("Cache-Control"), "no-store"; got != want {
		v.t.Errorf("Cache-Control %q, want %q", got, want)
	}
	v.sees("<strong>Simulation.</strong>")
	ids, labelled, headings, forms := make(map[string]bool), make(map[string]bool), 0, []string{}
	for _, n := range v.nodes {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				v.t.Errorf("page %s has the id %q twice", v.name(), id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "label":
			labelled[attribute(n, "for")] = true
		case "h1":
			headings++
		case "form":
			forms = append(forms, attribute(n, "action"))
		}
		v.checkElement(n)
	}
	if headings != 1 {
		v.t.Errorf("page %s has %d main headings, want 1", v.name(), headings)
	}
	for _, n := range v.nodes {
		if n.Data == "input" && !labelled[attribute(n, "id")] {
			v.t.Errorf("page %s: the field %q has no label", v.name(), attribute(n, "name"))
		}
		for _, name := range []string{"aria-describedby", "aria-labelledby"} {
			for id := range strings.FieldsSeq(attribute(n, name)) {
				if !ids[id] {
					v.t.Errorf("page %s: %s names %q, which is not there", v.name(), name, id)
				}
			}
		}
	}
	asks := slices.ContainsFunc([]string{"bank", "login", "tan", "accounts"}, func(step string) bool { return strings.TrimSuffix(v.name(), "-refused") == step })
	if cancel := slices.Contains(forms, v.path+"/cancel"); cancel != asks {
		v.t.Errorf("page %s: cancel is there: %v, want %v", v.name(), cancel, asks)
	}
}

// checkElement finds what the content security policy forbids, and what only the
// eye can see.
func (v *visitor) checkElement(n *html.Node) {
	v.t.Helper()
	switch {
	case n.Data == "style", n.Data == "script" && attribute(n, "src") != "/static/page.js", n.Data == "script" && n.FirstChild != nil:
		v.t.Errorf("page %s has an inline %s", v.name(), n.Data)
	case n.Data == "b" || n.Data == "br":
		v.t.Errorf("page %s has <%s>, which no template has", v.name(), n.Data)
	case n.Data == "svg" && attribute(n, "aria-hidden") != "true":
		v.t.Errorf("page %s has a picture without words", v.name())
	}
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			v.t.Errorf("page %s: <%s> has the attribute %s", v.name(), n.Data, a.Key)
		}
		if (a.Key == "src" || a.Key == "action" || n.Data == "link" && a.Key == "href") && !strings.HasPrefix(a.Val, "/") {
			v.t.Errorf("page %s: <%s> goes to %q, want this site", v.name(), n.Data, a.Val)
		}
		if strings.Contains(a.Val, "ZgotmplZ") {
			v.t.Errorf("page %s: the template could not make %s of <%s> safe", v.name(), a.Key, n.Data)
		}
	}
}

func checkHeaders(t *testing.T, h http.Header) {
	t.Helper()
	policy := h.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy %q, want default-src 'self' without exceptions", policy)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// luminance is how bright a colour is, as WCAG defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	var rgb [3]uint8
	if _, err := fmt.Sscanf(hex, "%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatal(err)
	}
	var l float64
	for i, weight := range [3]float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}
