package devpage

import (
	"cmp"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/bankimport/bankimport/schemas"
)

// scene is a page in one of the states a person can find it in.
type scene struct {
	page *Page
	path string
	code int      // default: 200
	want []string // texts that can be read
	not  []string // texts that cannot
}

// told returns a page that has seen what a story tells of sampleRunning.
func told(began time.Time, tell func(*story)) *Page {
	p, tp := newPage(), newTape()
	tell(tp.tell(sampleRunning, "u1", began))
	p.store.take(tp.recs)
	return p
}

func oneImport(p *Page, want, not []string) scene {
	return scene{page: p, path: "/imports/" + sampleRunning, want: want, not: not}
}

func scenes() map[string]scene {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	const notYet, nobody = "They appear here as soon as", "This import ended before any account"
	m := map[string]scene{
		"list: empty":    {page: newPage(), path: "/", want: []string{"Import a bank", "No imports yet.", "demo / demo", "embedded Kafka 127.0.0.1:9092", "data in memory"}, not: []string{"today"}},
		"list: starting": {page: newPage(), path: "/", want: []string{"Still reading what is on the topics"}},
		"list: broken":   {page: newPage(), path: "/", want: []string{"Kafka cannot be read at the moment"}},
		"list: all states": {page: sampled(), path: "/", want: []string{
			"7 today", "requested", "form open waiting for the user", "reading transactions 1,204 of 1,612",
			"completed 3 accounts · 2,418 transactions", "completed in part 2 of 3 accounts · 1,612 transactions", "failed bank rejected",
			"downloading waiting for categories", "u1 Connection 12", "last change 2 s ago",
		}, not: []string{"No imports yet", "dead letter"}},
		"list: dead letters": {page: told(noon, func(s *story) { s.deadLetter(noon); s.deadLetter(noon) }), path: "/",
			want: []string{"2 dead letters on the topic dead-letters", "The newest: partition 0, offset 1; partition 0, offset 0."}},
		"list: yesterday": {page: told(ago(48*time.Hour), func(s *story) { s.requested() }), path: "/", want: []string{"0 today", "2 days ago"}},
		"list: full": {page: told(noon, func(s *story) {
			for i := range maxImports {
				s.tell(numbered(i), "u", noon).requested()
			}
		}), path: "/", want: []string{"the newest 200"}, not: []string{"today"}},

		"not an id":        {page: sampled(), path: "/imports/7", code: http.StatusNotFound, want: []string{"There is nothing here"}},
		"id in upper case": {page: sampled(), path: "/imports/" + strings.ToUpper(sampleRunning), code: http.StatusNotFound, want: []string{"There is nothing here", "lower-case UUID"}},
		"no page":          {page: sampled(), path: "/nothing/here", code: http.StatusNotFound, want: []string{"There is nothing here", "All imports"}},
		"unknown import":   {page: sampled(), path: "/imports/" + numbered(1), code: http.StatusNotFound, want: []string{"This import has not been seen", "It appears here by itself", "newest 200"}},

		"requested": {page: sampled(), path: "/imports/" + sampleRequested, want: []string{"finAPI Test Bank for u6", "started 2 s ago", "Requested: now", "The request has arrived", notYet, "2 events"}, not: []string{"Open the web form"}},
		"form open": {page: sampled(), path: "/imports/" + sampleFormOpen, want: []string{
			"Waiting for the user", "Open the web form (in a new tab)", "The form expires in 19 min", "login demo / demo, TAN 123456", notYet, "webform-completed webform-awaited",
		}, not: []string{"It gives up"}},
		"form open, its address not yet seen": oneImport(told(noon, func(s *story) {
			s.status(schemas.StepFormOpen, schemas.WaitingForUser, func(e *schemas.ImportStatus) { e.UntilAt = schemas.At(noon.Add(time.Hour)) })
		}), []string{"Waiting for the user", "It gives up in 1 h."}, []string{"Open the web form", "expires"}),
		"form expired": oneImport(told(ago(21*time.Minute), func(s *story) { s.requested().formOpen() }),
			[]string{"The form has expired", "It gives up in 1 min."}, []string{"Open the web form", "logs in"}),
		"downloading": oneImport(told(ago(20*time.Second), func(s *story) { s.requested().formOpen().downloading() }),
			[]string{"Waiting for the bank", "It gives up in 59 min.", notYet}, []string{"Open the web form"}),
		"categories": {page: sampled(), path: "/imports/" + sampleReread, want: []string{"Connection 12 for u1", "Form open: not needed no form", "Waiting for the provider", "sorts it into categories"}},
		"reading accounts": oneImport(told(ago(time.Minute), func(s *story) { s.requested().status(schemas.StepReadingAccounts, schemas.WaitingForUs) }),
			[]string{"Reading accounts: now", "The accounts are read from the provider"}, nil),
		"reading transactions": {page: sampled(), path: "/imports/" + sampleRunning, want: []string{
			"Reading transactions: now", "1,204 of 1,612", "Girokonto checking · Max Mustermann · DE89 3704 0044 0532 0130 00", "Balance 4,321.50 EUR",
			"25 transactions so far", "The first 10 of 25.", "Visa Card credit card", "No transactions yet.", "Stadtwerke Musterstadt Abschlag Strom Januar", "−12.34 EUR",
		}, not: []string{notYet, "Shown are"}},
		"reading, the total not known": oneImport(told(noon, func(s *story) { s.status(schemas.StepReadingTransactions, schemas.WaitingForUs) }), []string{"Page after page"}, []string{" of "}),
		"an attempt failed": oneImport(told(noon, func(s *story) {
			s.status(schemas.StepDownloading, schemas.WaitingForBank, func(e *schemas.ImportStatus) { e.LastError = "status 503" })
		}), []string{"The last attempt failed and is repeated: status 503"}, nil),
		"completed": {page: sampled(), path: "/imports/" + sampleCompleted, want: []string{
			"Done: done", "Completed in 38 s", "3 accounts · 2,418 transactions · all sums equal the provider's", "806 transactions from 2024-01-02 to 2026-01-28 · sum −13,587.10",
			"The first 10 of 806.", "139 events", "Shown are the last 50 of 123 transactions.",
		}, not: []string{"Start it again", "Not loaded", "give"}},
		"completed in part": {page: sampled(), path: "/imports/" + samplePartial, want: []string{"Completed in part", "2 of 3 accounts", "Not loaded: the bank's download failed.", "A new import may bring them."}},
		"completed, by its status alone": oneImport(told(noon, func(s *story) { s.status(schemas.StepCompleted, schemas.WaitingForNobody) }),
			[]string{"Completed", "ended just now", nobody}, []string{"Start it again"}),
		"completed, with differences": oneImport(told(noon, func(s *story) {
			for i, key := range []string{"k1", "k2"} {
				s.at(noon, schemas.Account{AccountKey: key, ImportID: s.id, Run: 1, AccountType: []string{schemas.AccountTypeBausparen, ""}[i], AccountNumber: "0815", Loaded: true})
			}
			s.at(noon, schemas.ImportCompleted{ImportID: s.id, Run: 1, Transactions: 1, StartedAt: schemas.At(noon), CompletedAt: schemas.At(noon), Accounts: []schemas.CompletedAccount{
				{AccountKey: "k1", Loaded: true, AccountRead: &schemas.AccountRead{Read: 1, Count: 1, Sum: "1.00", ReportedSum: "2.00"}},
				{AccountKey: "k2", Loaded: true, AccountRead: &schemas.AccountRead{Read: 1, Sum: "0.00", ReportedSum: "0.00", Reconciled: true}},
			}})
		}), []string{
			"Completed in 0.0 s", "2 accounts · 1 transaction · 1 account whose sum differs from the provider's · categories were not ready",
			"The sums differ. The provider says 2.00.", "building savings · 0815", "This account has no transactions.",
		}, []string{"all sums equal"}),
		"failed": {page: sampled(), path: "/imports/" + sampleFailed, want: []string{
			"Form open: failed here", "Failed: bank rejected", "Trying again may help", "Start it again", "Reason bank_rejected, provider's code BANK_SERVER_REJECTION", nobody,
		}},
		"failed for good": oneImport(told(noon, func(s *story) { s.requested().failed(schemas.ReasonInvalidRequest, "") }),
			[]string{"Requested: failed here", "Failed: invalid request", "Trying again as it is will not help", "Start it again"}, []string{"provider's code", "may help"}),
		"failed, by its status alone": oneImport(told(noon, func(s *story) {
			s.status(schemas.StepFailed, schemas.WaitingForNobody, func(e *schemas.ImportStatus) { e.Reason = schemas.ReasonFormGone })
		}), []string{"Failed: form gone", "Trying again may help", "Open the simulator", "Reason form_gone"}, nil),
		"failed, no reason given": oneImport(told(noon, func(s *story) { s.status(schemas.StepFailed, schemas.WaitingForNobody) }), []string{"Failed: no reason given"}, []string{"Reason "}),
		"failed, read again": oneImport(told(noon, func(s *story) {
			s.at(noon, schemas.ImportRequested{ImportID: s.id, UserID: s.user, BankConnectionID: 12})
			s.failed(schemas.ReasonConnectionDeleted, "")
		}), []string{"Failed: connection deleted"}, []string{"Start it again"}), // the form cannot ask for that
		"a second run":    oneImport(told(noon, func(s *story) { s.at(noon, status(2, schemas.StepReadingTransactions)) }), []string{"run 2"}, nil),
		"an unknown step": oneImport(told(noon, func(s *story) { s.at(noon, status(1, "dancing")) }), []string{"Requested: to come"}, nil),
		"found by search": oneImport(told(noon, func(s *story) {
			s.at(noon, schemas.ImportRequested{ImportID: s.id, UserID: "u1", BankSearch: "Musterstadt"})
		}), []string{"“Musterstadt” for u1"}, nil),
		"bank not yet chosen": oneImport(told(noon, func(s *story) { s.at(noon, schemas.ImportRequested{ImportID: s.id, UserID: "u1"}) }), []string{"Bank chosen in the form for u1"}, nil),
		"bank not listed":     oneImport(told(noon, func(s *story) { s.at(noon, schemas.ImportRequested{ImportID: s.id, UserID: "u1", BankID: 7}) }), []string{"Bank 7 for u1"}, nil),
		"request not seen":    oneImport(told(noon, func(s *story) { s.at(noon, schemas.Transaction{AccountKey: "k", ImportID: s.id, Read: 1}) }), []string{"Import", "1 transaction so far"}, []string{" for u"}),
		"more accounts than are shown": oneImport(told(noon, func(s *story) {
			for i := range maxAccounts + 2 {
				s.at(noon, schemas.Account{AccountKey: numbered(i), ImportID: s.id, Run: 1, Loaded: true})
			}
		}), []string{"And 2 more accounts"}, nil),
		"cancelled": oneImport(told(noon, func(s *story) {
			s.requested().at(noon, schemas.ImportCancelRequested{ImportID: s.id})
			s.failed(schemas.ReasonCancelled, "")
		}), []string{"Failed: cancelled", "import-requested import-cancel-requested"}, nil),
	}
	m["list: starting"].page.store.setReading(readingStarts)
	m["list: broken"].page.store.setReading(readingBroken)
	return m
}

// TestPages: each page in each state says what it is to say, holds together as
// HTML, and is one that the content policy lets work.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, sc := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, sc.page, sc.path)
			if want := cmp.Or(sc.code, http.StatusOK); w.Code != want {
				t.Errorf("got status %d, want %d", w.Code, want)
			}
			if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
				t.Errorf("got content type %q", got)
			}
			page := parse(t, w.Body.String())
			page.wants(sc.want, sc.not)
			page.wellFormed(w.Body.String())
			page.nothingInline()
		})
	}
}

// wellFormed checks what holds for every page.
func (p parsed) wellFormed(body string) {
	p.t.Helper()
	if strings.Contains(body, "<no value>") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") {
		p.t.Errorf("a value was not rendered:\n%s", body)
	}
	if got := p.texts(p.byTag("h1")); len(got) != 1 || got[0] == "" {
		p.t.Errorf("got headings %q, want one", got)
	}
	if got := p.texts(p.byTag("title")); len(got) != 1 || got[0] == "" {
		p.t.Errorf("got titles %q, want one", got)
	}
	ids := map[string]int{}
	for _, n := range p.all(func(n *html.Node) bool { return attr(n, "id") != "" }) {
		ids[attr(n, "id")]++
	}
	for id, n := range ids {
		if n > 1 {
			p.t.Errorf("id %q is there %d times", id, n)
		}
	}
	for _, n := range p.all(func(*html.Node) bool { return true }) {
		for _, a := range n.Attr {
			target, local := strings.CutPrefix(a.Val, "#")
			refers := a.Key == "for" || strings.HasPrefix(a.Key, "aria-") && (strings.HasSuffix(a.Key, "by"))
			if refers && ids[a.Val] == 0 || a.Key == "href" && local && ids[target] == 0 {
				p.t.Errorf("<%s %s=%q> leads nowhere", n.Data, a.Key, a.Val)
			}
			if a.Key == "href" && a.Val == "" {
				p.t.Errorf("<%s> with an empty link: %s", n.Data, p.text(n))
			}
		}
		if _, named := names[n.Data]; named && p.text(n) == "" && attr(n, "aria-label") == "" && attr(n, "role") != "status" {
			p.t.Errorf("<%s> says nothing", n.Data)
		}
	}
	for _, n := range p.all(func(n *html.Node) bool { return hasAttr(n, "data-live") }) {
		if attr(n, "id") == "" {
			p.t.Error("a live part without id")
		}
	}
}

// names are the elements that must say something.
var names = map[string]struct{}{"a": {}, "button": {}, "h1": {}, "h2": {}, "h3": {}, "label": {}, "summary": {}, "th": {}, "li": {}, "p": {}}

// nothingInline checks that nothing on the page needs what the content policy
// forbids.
func (p parsed) nothingInline() {
	p.t.Helper()
	for _, n := range p.all(func(*html.Node) bool { return true }) {
		if n.Data == "style" || n.Data == "iframe" || n.Data == "base" || n.Data == "object" {
			p.t.Errorf("there is a <%s>", n.Data)
		}
		if n.Data == "script" && (attr(n, "src") != "/assets/page.js" || n.FirstChild != nil) {
			p.t.Errorf("there is a script other than ours: src %q", attr(n, "src"))
		}
		if n.Data == "link" && !strings.HasPrefix(attr(n, "href"), "/assets/") {
			p.t.Errorf("something is loaded from %q", attr(n, "href"))
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				p.t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
}

// TestPages_Live: a page listens where its changes are told.
func TestPages_Live(t *testing.T) {
	t.Parallel()
	p := sampled()
	for path, want := range map[string]string{
		"/":                           "/events",
		"/imports/" + sampleRunning:   "/imports/" + sampleRunning + "/events",
		"/imports/" + sampleCompleted: "/imports/" + sampleCompleted + "/events",
		"/imports/" + numbered(1):     "/imports/" + numbered(1) + "/events",
		"/nothing":                    "",
	} {
		body := parse(t, get(t, p, path).Body.String()).byTag("body")[0]
		if got := attr(body, "data-events"); got != want {
			t.Errorf("%s listens to %q, want %q", path, got, want)
		}
	}
	if w := get(t, p, "/imports"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Errorf("/imports: got %d to %q, want 303 to /", w.Code, w.Header().Get("Location"))
	}
}

func TestPages_Links(t *testing.T) {
	t.Parallel()
	link := func(path, text string) string {
		t.Helper()
		page := parse(t, get(t, sampled(), path).Body.String())
		for _, a := range page.byTag("a") {
			if strings.HasPrefix(page.text(a), text) {
				return attr(a, "href")
			}
		}
		return ""
	}
	for _, tc := range []struct{ path, text, want string }{
		{"/imports/" + sampleFormOpen, "Open the web form", "http://127.0.0.1:8081/wf/" + sampleFormOpen},
		{"/imports/" + sampleFailed, "Start it again", "/?bank=280001&user=u3#start"},
		{"/imports/" + sampleFailed, "All imports", "/"},
		{"/", "simulated provider", "http://127.0.0.1:8081"},
		{"/", "metrics", "http://127.0.0.1:9090/metrics"},
		{"/", "failed", "/imports/" + sampleFailed},
	} {
		if got := link(tc.path, tc.text); got != tc.want {
			t.Errorf("%s: %q leads to %q, want %q", tc.path, tc.text, got, tc.want)
		}
	}
}

// TestList_NewestFirst: the list is ordered by when imports began, whatever
// happened to them since.
func TestList_NewestFirst(t *testing.T) {
	t.Parallel()
	page := parse(t, get(t, sampled(), "/").Body.String())
	var got []string
	for _, a := range page.byClass("row") {
		got = append(got, strings.TrimPrefix(attr(a, "href"), "/imports/"))
	}
	want := []string{sampleRequested, sampleReread, sampleFormOpen, sampleRunning, sampleCompleted, samplePartial, sampleFailed}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestPages_WithoutNeighbours: what has no address has no link.
func TestPages_WithoutNeighbours(t *testing.T) {
	t.Parallel()
	p := newPage(func(c *Config) { c.KafkaAddr, c.SimulatorURL, c.MetricsURL = "", "javascript:alert(1)", "" })
	page := parse(t, get(t, p, "/").Body.String())
	page.wants([]string{"simulated provider"}, []string{"embedded Kafka", "metrics"})
	page.wellFormed("")
	page.nothingInline()
}

const evil = `"'></script></title><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}` + "`${x}"

// TestPages_Hostile fills every text of every event with something that would
// break out of any place in the page.
func TestPages_Hostile(t *testing.T) {
	t.Parallel()
	p, tp := newPage(), newTape()
	all := []schemas.Event{
		schemas.ImportRequested{}, schemas.WebformCreated{}, schemas.WebformAwaited{}, schemas.WebformCompleted{}, schemas.ConnectionReady{},
		schemas.AccountsFetched{Accounts: make([]schemas.FetchedAccount, 1)}, schemas.Account{}, schemas.Transaction{},
	}
	ends := map[string]schemas.Event{
		"a": schemas.ImportStatus{},
		"b": schemas.ImportFailed{},
		"c": schemas.ImportCompleted{Partial: true, Accounts: []schemas.CompletedAccount{{Loaded: true, AccountRead: &schemas.AccountRead{}}, {AccountRead: &schemas.AccountRead{}}}},
		"d": schemas.ImportStatus{Step: schemas.StepFormOpen, StepNo: 2},
		"e": schemas.ImportStatus{Step: schemas.StepFailed, StepNo: 6},
		"f": schemas.ImportStatus{Step: schemas.StepReadingTransactions, StepNo: 5, WaitingFor: evil},
	}
	n := 0
	paths := []string{"/", "/?user=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E&bank=%22%3E%3Cscript%3E"}
	for _, end := range ends {
		n++
		for _, e := range append(all[:len(all):len(all)], end) {
			tp.at(noon, poisoned(e, numbered(n)))
			tp.recs[len(tp.recs)-1].ID = evil
			tp.recs[len(tp.recs)-1].Type = evil
		}
		paths = append(paths, "/imports/"+numbered(n))
	}
	p.store.take(tp.recs)
	if len(p.store.imports) != n {
		t.Fatalf("got %d imports, want %d", len(p.store.imports), n)
	}
	for _, path := range paths {
		w := get(t, p, path)
		page := parse(t, w.Body.String())
		page.nothingInline()
		page.wellFormed(w.Body.String())
		if got := len(page.byTag("script")); w.Code != http.StatusOK || got != 1 || len(page.byTag("img")) != 0 {
			t.Errorf("%s: got status %d, %d scripts, %d images; want 200, 1, 0", path, w.Code, got, len(page.byTag("img")))
		}
		if strings.HasPrefix(path, "/imports") {
			page.wants([]string{evil}, []string{"Open the web form"})
		}
	}
}

// poisoned returns the event with every text that is empty made evil, as an
// event of an import.
func poisoned(e schemas.Event, importID string) schemas.Event {
	v := reflect.New(reflect.TypeOf(e)).Elem()
	v.Set(reflect.ValueOf(e))
	poison(v)
	v.FieldByName("ImportID").SetString(importID)
	return v.Interface().(schemas.Event)
}

func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Len() == 0 {
			v.SetString(evil)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[schemas.Instant]() {
			v.Set(reflect.ValueOf(schemas.At(noon.Add(time.Minute))))
			return
		}
		for _, field := range v.Fields() {
			poison(field)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	}
}

// TestScript: the script uses nothing that the content policy forbids, and
// writes texts, never HTML.
func TestScript(t *testing.T) {
	t.Parallel()
	js := get(t, newPage(), "/assets/page.js").Body.String()
	for _, bad := range []string{"innerHTML =", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "setAttribute(\"on", ".style.", "http://", "https://"} {
		if strings.Contains(js, bad) {
			t.Errorf("the script contains %q", bad)
		}
	}
}
