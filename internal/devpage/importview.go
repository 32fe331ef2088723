package devpage

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

// importView is the page of one import.
type importView struct {
	frame
	ID       ident
	User     string
	Bank     string
	Run      int // shown where it is not the first
	Started  moment
	State    state
	Steps    []stepView
	Now      *nowView // while it goes on
	End      *endView // when it has ended
	Accounts []accountView
	More     int    // accounts that are not shown
	NoneYet  string // why there are no accounts
	Events   []eventView
	EventsOf string // how many events there were
	RowsOf   string // how many of them were rows, and how many are shown
}

// stepView is one step on the line.
type stepView struct {
	Name string
	Is   string // "done", "now", "failed", "next", "skipped"
	Word string // the same for those who do not see it
	Took string
}

// nowView is what an import is doing.
type nowView struct {
	Headline, Sentence string
	Until              moment
	FormURL            string // of a form that is open
	FormUntil          moment
	Bar                *bar
	BarText            string
	LastError          string
}

// endView is how an import ended.
type endView struct {
	Good      bool
	Headline  string
	What      string
	Again     string
	AgainURL  string // the start form, filled in for it
	Look      string
	Reason    string
	Code      string
	LookLinks bool // whether the simulator is worth a look
	At        moment
}

type accountView struct {
	Name, Type, IBAN, Holder string
	Balance, Currency        string
	Known                    bool
	Problem                  string // why it is not loaded
	Summary                  string
	Unreconciled             string
	Rows                     []rowView
	RowsNote                 string
}

type rowView struct{ Date, Who, Purpose, Amount, Currency string }

type eventView struct {
	At        moment
	Clock     string
	Topic     string
	Type      string // where the topic does not say it
	Partition int32
	Offset    int64
	ID        ident
}

// one builds the page of an import, or reports that it is not known.
func (p *Page) one(id string) (importView, bool) {
	now := p.now()
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	live := "/imports/" + id + "/events"
	e := p.store.imports[id]
	if e == nil {
		return importView{frame: p.frame("Unknown import", live, p.store.reading), ID: identOf(id)}, false
	}
	st, _ := stateOf(e)
	v := importView{
		ID: identOf(id), User: e.user(), Bank: p.bankOf(e), Started: ago(now, e.first), State: st,
		Steps: e.steps(), Events: e.eventViews(now),
	}
	v.frame = p.frame(st.Word+" · import "+v.ID.Head, live, p.store.reading)
	if e.where.Run > 1 {
		v.Run = e.where.Run
	}
	if e.where.Ended() || e.where.Step().Number() == schemas.StepFailed.Number() {
		v.End = e.end(now)
	} else {
		v.Now = e.doing(now)
	}
	v.Accounts, v.More = e.accountViews(), len(e.accounts.more)
	if len(v.Accounts) == 0 {
		v.NoneYet = "They appear here as soon as the provider has them, with their first transactions."
		if v.End != nil {
			v.NoneYet = "This import ended before any account was read."
		}
	}
	v.EventsOf = count(e.events.total+e.rowEvents.total, "event")
	v.RowsOf = e.leftOut()
	return v, true
}

func (e *entry) steps() []stepView {
	reached, failed := e.where.Step().Number(), e.where.Step() == schemas.StepFailed
	if failed { // it stopped in the last step that was seen
		reached = 1
		for n := 1; n < schemas.StepFailed.Number(); n++ {
			if !e.began[n].IsZero() {
				reached = n
			}
		}
	}
	var all []stepView
	for _, s := range schemas.Steps()[:6] {
		n := s.Number()
		v := stepView{Name: stepName(s), Is: "next", Word: "to come"}
		switch {
		case s == schemas.StepFormOpen && e.request != nil && e.request.connection != 0 && e.began[n].IsZero() && reached >= n:
			v.Is, v.Word, v.Took = "skipped", "not needed", "no form"
		case n < reached || s == schemas.StepCompleted && n == reached:
			v.Is, v.Word = "done", "done"
		case n == reached && failed:
			v.Is, v.Word = "failed", "failed here"
		case n == reached:
			v.Is, v.Word = "now", "now"
		}
		if v.Is == "done" || v.Is == "failed" {
			v.Took = e.stepTook(n)
		}
		all = append(all, v)
	}
	return all
}

// stepTook says how long a step took: until the next one that was seen began.
func (e *entry) stepTook(n int) string {
	if e.began[n].IsZero() {
		return ""
	}
	for _, next := range e.began[n+1:] {
		if !next.IsZero() {
			return took(next.Sub(e.began[n]))
		}
	}
	return ""
}

func (e *entry) doing(now time.Time) *nowView {
	s := e.where.Status
	v := &nowView{Until: until(now, s.UntilAt.Time), LastError: clip(s.LastError), Bar: e.bar()}
	v.Headline, v.Sentence = waiting(e.where.Step(), s.WaitingFor)
	if v.Bar != nil {
		v.BarText = thousands(*s.TransactionsRead) + " of " + thousands(*s.TransactionsTotal)
	}
	if e.where.Step() == schemas.StepFormOpen {
		expired := !s.FormExpiresAt.IsZero() && !now.Before(s.FormExpiresAt.Time)
		if expired {
			v.Headline, v.Sentence = "The form has expired", "Nobody has finished it. The import ends as soon as the provider confirms that."
		} else {
			v.FormURL, v.FormUntil = webURL(e.where.FormURL), until(now, s.FormExpiresAt.Time)
			if v.FormUntil.Exact != "" {
				v.Until = moment{} // a little later: two ends would only puzzle
			}
		}
	}
	return v
}

// webURL returns a URL that may become a link, else "".
func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return s
}

func (e *entry) end(now time.Time) *endView {
	if c := e.where.Completed; c != nil {
		return completedView(now, c)
	}
	if e.where.Step() == schemas.StepCompleted {
		return &endView{Good: true, Headline: "Completed", At: ago(now, e.last)}
	}
	f := schemas.ImportFailed{Reason: e.where.Status.Reason, Retryable: e.where.Status.Reason.Retryable(), FailedAt: e.where.Status.UpdatedAt}
	if e.where.Failed != nil {
		f = *e.where.Failed
	}
	words := endingOf(f.Reason)
	v := &endView{
		Headline: "Failed: " + words.short, What: words.what, Look: words.look, Reason: clip(string(f.Reason)), Code: clip(f.ProviderCode),
		At: ago(now, f.FailedAt.Time), LookLinks: words.look == lookAtSimulator,
		Again: "Trying again as it is will not help: something must change first.",
	}
	if f.Retryable {
		v.Again = "Trying again may help, even if nothing is changed."
	}
	v.AgainURL = e.againURL()
	return v
}

// againURL leads to the start form, filled in as this import was requested, or
// is "" where the form cannot ask for the same.
func (e *entry) againURL() string {
	if e.request != nil && e.request.connection != 0 {
		return ""
	}
	q := url.Values{"user": {e.user()}}
	if e.request != nil && e.request.bank != 0 {
		q.Set("bank", strconv.FormatInt(e.request.bank, 10))
	}
	return "/?" + q.Encode() + "#start"
}

func completedView(now time.Time, c *schemas.ImportCompleted) *endView {
	loaded, unreconciled := loadedAccounts(c), 0
	for _, a := range c.Accounts {
		if a.Loaded && a.AccountRead != nil && !a.Reconciled {
			unreconciled++
		}
	}
	v := &endView{Good: true, Headline: "Completed", At: ago(now, c.CompletedAt.Time)}
	if t := took(c.CompletedAt.Sub(c.StartedAt.Time)); t != "" {
		v.Headline = "Completed in " + t
	}
	facts := []string{count(loaded, "account"), count(c.Transactions, "transaction")}
	if c.Partial {
		v.Headline = "Completed in part"
		facts[0] = fmt.Sprintf("%d of %s", loaded, count(len(c.Accounts), "account"))
		v.Again = "The accounts that are not loaded are marked below. A new import may bring them."
	}
	switch {
	case unreconciled > 0:
		facts = append(facts, count(unreconciled, "account")+" whose sum differs from the provider's")
	case loaded > 0:
		facts = append(facts, "all sums equal the provider's")
	}
	if !c.Categorized {
		facts = append(facts, "categories were not ready")
	}
	v.What = strings.Join(facts, " · ")
	return v
}

func (e *entry) accountViews() []accountView {
	reads := map[string]*schemas.AccountRead{} // by account key
	if c := e.where.Completed; c != nil {
		for _, a := range c.Accounts {
			reads[a.AccountKey] = a.AccountRead
		}
	}
	var all []accountView
	for _, a := range e.accounts.list {
		all = append(all, a.view(reads[a.key]))
	}
	return all
}

func (a *account) view(read *schemas.AccountRead) accountView {
	v := accountView{Name: "Account", Known: a.record != nil}
	if r := a.record; r != nil {
		v.Name = cmp.Or(r.Name, accountTypeName(r.AccountType))
		v.Type, v.Holder, v.Currency, v.Balance = accountTypeName(r.AccountType), r.Holder, clip(r.Currency), money(clip(r.Balance))
		if v.IBAN = groupedIBAN(r.IBAN); v.IBAN == "" {
			v.IBAN = r.AccountNumber
		}
	}
	if !a.loaded {
		v.Problem = cmp.Or(failureOf(a.failure), "the bank gave no data for it")
	}
	total, final := a.count, false
	if read != nil {
		total, final = read.Count, true
		v.Summary = count(read.Count, "transaction")
		if read.FirstBookingDate != "" {
			v.Summary += fmt.Sprintf(" from %s to %s", clip(read.FirstBookingDate), clip(read.LastBookingDate))
		}
		v.Summary += " · sum " + money(clip(read.Sum))
		if !read.Reconciled {
			v.Unreconciled = "The provider says " + money(clip(read.ReportedSum))
		}
	} else if a.count > 0 {
		v.Summary = count(a.count, "transaction") + " so far"
	}
	for _, r := range a.rows {
		v.Rows = append(v.Rows, rowView{r.date, cmp.Or(r.counterpart, r.typ), r.purpose, money(r.amount), cmp.Or(r.currency, v.Currency)})
	}
	switch {
	case len(a.rows) > 0 && total > len(a.rows):
		v.RowsNote = fmt.Sprintf("The first %d of %s. All of them are on the topic transactions.", len(a.rows), thousands(total))
	case len(a.rows) == 0 && final && a.loaded:
		v.RowsNote = "This account has no transactions."
	case len(a.rows) == 0 && a.loaded:
		v.RowsNote = "No transactions yet."
	}
	return v
}

// eventViews are the events in the order of their time.
func (e *entry) eventViews(now time.Time) []eventView {
	seen := slices.Concat(e.events.kept, e.rowEvents.kept)
	slices.SortStableFunc(seen, func(a, b seenEvent) int { return a.at.Compare(b.at) })
	all := make([]eventView, len(seen))
	for i, s := range seen {
		all[i] = eventView{
			At: ago(now, s.at), Clock: s.at.Local().Format("15:04:05.000"), Topic: s.place.topic,
			Partition: s.place.partition, Offset: s.place.offset, ID: identOf(s.id),
		}
		if s.eventType != s.place.topic && s.eventType+"s" != s.place.topic {
			all[i].Type = s.eventType
		}
	}
	return all
}

// leftOut says which events are not shown.
func (e *entry) leftOut() string {
	var parts []string
	if n := e.rowEvents.total; n > len(e.rowEvents.kept) {
		parts = append(parts, fmt.Sprintf("the last %d of %s transactions", len(e.rowEvents.kept), thousands(n)))
	}
	if n := e.events.total; n > len(e.events.kept) {
		parts = append(parts, fmt.Sprintf("the last %d of %s other events", len(e.events.kept), thousands(n)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Shown are " + strings.Join(parts, " and ") + "."
}
