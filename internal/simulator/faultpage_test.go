package simulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/simulator"
)

// Faults are switched on the front page, by a browser without script.
func TestFaultsOnThePage(t *testing.T) {
	t.Parallel()
	site := newSite(t, simulator.Config{})
	form := site.form("Robin", testBank)
	p := site.visitor()
	p.open("/", "front")
	p.sees("No fault is on.", "<summary><h3>Callbacks</h3>", "The callback is not sent.", `<option value="@user=Robin">user Robin</option>`,
		`<option value="@bank=280002">finAPI Test Redirect Bank</option>`)
	p.misses("Switch all off", " open>")
	for _, k := range simulator.FaultKinds() {
		p.sees(`id="switch-` + k.Name + `" name="on"`)
	}

	// browse posts as a browser does; press is a button in a group.
	browse := func(path string, fields url.Values) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, siteURL+path, strings.NewReader(fields.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		p.arrive("front")(p.client.Do(r))
	}
	press := func(fields url.Values) { t.Helper(); browse("/faults?from=group", fields) }
	press(url.Values{"on": {"callback-lost"}, "scope": {""}, "params": {""}})
	p.sees(`<details class="group" id="faults-callbacks" open>`, "<code>callback-lost</code>", "Has hit nothing yet.", `<strong>1 on</strong>`,
		`id="switch-callback-lost" name="off"`)
	p.misses("No fault is on.", "Switch all off")
	press(url.Values{"on": {"form-error"}, "scope": {"@bank=280001"}, "params": {" code=UNDETERMINED_BANK,count=2 "}})
	p.sees("<code>form-error:count=2,code=UNDETERMINED_BANK@bank=280001</code>", "Switch all off", `id="switch-form-error" name="on"`)

	v := site.visitor()
	v.open(form, "login")
	v.answer("login", "login=demo_no_msa&password=demo_no_msa", "accounts")
	v.answer("accounts", "account=0", "failed")
	v.sees("UNDETERMINED_BANK")
	p.open("/", "front")
	p.sees("Hit once.")
	browse("/faults", url.Values{"off": {"form-error@bank=280001"}})
	p.sees("<code>callback-lost</code>")
	p.misses("UNDETERMINED_BANK@bank")
	press(url.Values{"off": {"callback-lost"}})
	p.sees("No fault is on.", `<details class="group" id="faults-callbacks" open>`)

	// What makes no sense is told where it was typed, and is still there.
	press(url.Values{"on": {"callback-late"}, "scope": {"@user=Robin"}, "params": {`delay=<b>"soon"`}})
	p.sees(`role="alert"`, "want a duration above 0", `value="delay=&lt;b&gt;&#34;soon&#34;"`, `<option value="@user=Robin" selected>`, `aria-invalid="true"`)
	if p.status != http.StatusUnprocessableEntity {
		t.Errorf("status %d, want 422", p.status)
	}
	press(url.Values{"on": {"nothing"}})
	p.open("/faults", "front") // as when somebody reloads after that
	browse("/faults", url.Values{"on": {"status-503"}, "params": {""}})
	browse("/faults", url.Values{"on": {"status-502"}, "params": {""}})
	browse("/faults", url.Values{"off": {"all"}})
	p.sees("No fault is on.")
}

// Other sites cannot switch faults.
func TestFaultsAreSwitchedFromThisSiteOnly(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	a.send(request{method: "POST", path: "/faults", body: "fault=status-503", header: map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site",
	}}).want(403)
	if len(a.Faults()) != 0 {
		t.Error("it is on")
	}
}

// Programs switch faults by the same address.
func TestFaultsByProgram(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	type state struct {
		On []struct {
			Fault string
			Hits  int
		}
		Hits  map[string]int
		Known []struct{ Name, Group, What, Params string }
		Error string
	}
	post := func(status int, fields string) state {
		t.Helper()
		return decoded[state](a.send(request{method: "POST", path: "/faults", body: fields, header: map[string]string{
			"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*",
		}}).want(status))
	}
	spell := func(s state) string {
		var all []string
		for _, f := range s.On {
			all = append(all, f.Fault)
		}
		return strings.Join(all, " ")
	}
	for _, step := range []struct {
		fields string
		status int
		want   string
	}{
		{"fault=status-503&fault=callback-late:delay=3m%40user=u", 200, "callback-late:delay=3m@user=u status-503"},
		{"fault=status-503:count=3", 200, "callback-late:delay=3m@user=u status-503:count=3"},
		{"fault=redirect&fault=nonsense", 422, "callback-late:delay=3m@user=u status-503:count=3"},
		{"off=status-503&off=nonsense", 422, "callback-late:delay=3m@user=u status-503:count=3"},
		{"off=callback-late", 200, "callback-late:delay=3m@user=u status-503:count=3"}, // that one was not on
		{"off=callback-late%40user=u", 200, "status-503:count=3"},
		{"off=all&fault=redirect", 200, "redirect"},
		{"off=all", 200, ""},
		{"", 200, ""},
	} {
		s := post(step.status, step.fields)
		if got := spell(s); got != step.want || (s.Error != "") != (step.status != 200) {
			t.Errorf("%s: on are %q with error %q, want %q", step.fields, got, s.Error, step.want)
		}
	}
	post(200, "fault=status-503:op=list-accounts")
	a.unchecked().get("/api/v2/accounts", a.user("u")).want(503)
	s := decoded[state](a.get("/faults.json", "").want(200))
	if spell(s) != "status-503:op=list-accounts" || s.On[0].Hits != 1 || s.Hits["status-503"] != 1 || len(s.Known) != len(simulator.FaultKinds()) || s.Known[0].What == "" {
		t.Errorf("got %+v", s)
	}
	a.send(request{method: "POST", path: "/faults", body: strings.Repeat("x", 65<<10), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).want(413)
}
