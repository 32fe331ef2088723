package devpage

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

// frame is what every page shows around its own.
type frame struct {
	Title        string
	KafkaAddr    string
	SimulatorURL string
	MetricsURL   string
	Reading      string // a sentence where the page is not up to date
	Live         string // where the live events of this page are; "" for none
}

func (p *Page) frame(title, live string, now reading) frame {
	f := frame{Title: title, KafkaAddr: p.cfg.KafkaAddr, SimulatorURL: webURL(p.cfg.SimulatorURL), MetricsURL: webURL(p.cfg.MetricsURL), Live: live}
	switch now {
	case readingStarts:
		f.Reading = "Still reading what is on the topics; more may appear."
	case readingBroken:
		f.Reading = "Kafka cannot be read at the moment, so this page may be behind. It keeps trying."
	}
	return f
}

// listView is the front page.
type listView struct {
	frame
	Form    formView
	Imports []line
	Today   string
	Dead    *deadView
}

// formView is the form that starts an import, filled as it was sent.
type formView struct {
	User     string
	Bank     string // of the option that is chosen: a bank id, or "" for none
	Banks    []option
	Problems []string
}

type option struct {
	Value, Name string
	Chosen      bool
}

// deadView tells that there are dead letters.
type deadView struct {
	Count  string
	Places []string
}

// line is one import in the list.
type line struct {
	ID     ident
	User   string
	Bank   string
	State  state
	Detail string // beside the state
	Bar    *bar
	Age    moment // of the last change
}

// state is where an import stands, as a shape and a word.
type state struct {
	Shape string // name of a symbol: "waiting", "running", "done", "partial", "failed"
	Word  string
}

// bar is how much of something is done.
type bar struct{ Done, Of int }

// list builds the front page.
func (p *Page) list(form formView) listView {
	now := p.now()
	form.Banks = p.options(form.Bank)
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	v := listView{frame: p.frame("bankimport dev", "/events", p.store.reading), Form: form}
	entries := make([]*entry, 0, len(p.store.imports))
	today := 0
	for _, e := range p.store.imports {
		entries = append(entries, e)
		if sameDay(e.first, now) {
			today++
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(b.first.Compare(a.first), cmp.Compare(a.id, b.id))
	})
	for _, e := range entries {
		v.Imports = append(v.Imports, p.line(e, now))
	}
	v.Today = thousands(today) + " today"
	if len(entries) == maxImports {
		v.Today = fmt.Sprintf("the newest %d", maxImports)
	}
	if p.store.deadTotal > 0 {
		v.Dead = &deadView{Count: count(p.store.deadTotal, "dead letter")}
		for _, d := range slices.Backward(p.store.dead) {
			v.Dead.Places = append(v.Dead.Places, fmt.Sprintf("partition %d, offset %d", d.partition, d.offset))
		}
	}
	return v
}

func (p *Page) options(chosen string) []option {
	var all []option
	listed := false
	for _, b := range p.cfg.Banks {
		id := strconv.FormatInt(b.ID, 10)
		all = append(all, option{id, b.Name, id == chosen})
		listed = listed || id == chosen
	}
	if id, err := strconv.ParseInt(chosen, 10, 64); err == nil && id > 0 && !listed {
		all = append(all, option{chosen, bankName(id), true}) // else the first one would be chosen
	}
	return append(all, option{"", "the user chooses in the form", chosen == ""})
}

func sameDay(a, b time.Time) bool {
	return a.Local().Format(time.DateOnly) == b.Local().Format(time.DateOnly)
}

func (p *Page) line(e *entry, now time.Time) line {
	l := line{ID: identOf(e.id), User: e.user(), Bank: p.bankOf(e), Age: ago(now, e.last)}
	l.State, l.Detail = stateOf(e)
	l.Bar = e.bar()
	return l
}

func (e *entry) user() string {
	if e.where.UserID != "" {
		return clip(e.where.UserID)
	}
	if e.request != nil {
		return e.request.user
	}
	return ""
}

// bankOf names the bank of an import as well as it is known.
func (p *Page) bankOf(e *entry) string {
	switch r := e.request; {
	case e.bankName != "":
		return e.bankName
	case r == nil:
		return ""
	case r.bank != 0:
		for _, b := range p.cfg.Banks {
			if b.ID == r.bank {
				return b.Name
			}
		}
		return bankName(r.bank)
	case r.connection != 0:
		return fmt.Sprintf("Connection %d", r.connection)
	case r.search != "":
		return "“" + r.search + "”"
	default:
		return "Bank chosen in the form"
	}
}

// bankName is the name of a bank of which only the id is known.
func bankName(id int64) string { return fmt.Sprintf("Bank %d", id) }

// stateOf says where an import stands in a word or two, and a detail.
func stateOf(e *entry) (state, string) {
	w, s := &e.where, e.where.Status
	switch w.Step() {
	case schemas.StepCompleted:
		if w.Completed == nil {
			return state{"done", "completed"}, ""
		}
		loaded := loadedAccounts(w.Completed)
		rows := count(w.Completed.Transactions, "transaction")
		if w.Completed.Partial {
			return state{"partial", "completed in part"}, fmt.Sprintf("%d of %s · %s", loaded, count(len(w.Completed.Accounts), "account"), rows)
		}
		return state{"done", "completed"}, count(loaded, "account") + " · " + rows
	case schemas.StepFailed:
		reason := s.Reason
		if w.Failed != nil {
			reason = w.Failed.Reason
		}
		return state{"failed", "failed"}, endingOf(reason).short
	case schemas.StepFormOpen:
		return state{"waiting", "form open"}, "waiting for the user"
	case schemas.StepDownloading:
		if s.WaitingFor == schemas.WaitingForProvider {
			return state{"running", "downloading"}, "waiting for categories"
		}
		return state{"running", "downloading"}, "waiting for the bank"
	case schemas.StepReadingAccounts:
		return state{"running", "reading accounts"}, ""
	case schemas.StepReadingTransactions:
		if s.TransactionsRead != nil && s.TransactionsTotal != nil {
			return state{"running", "reading transactions"}, thousands(*s.TransactionsRead) + " of " + thousands(*s.TransactionsTotal)
		}
		return state{"running", "reading transactions"}, ""
	default:
		return state{"running", "requested"}, ""
	}
}

func loadedAccounts(c *schemas.ImportCompleted) int {
	n := 0
	for _, a := range c.Accounts {
		if a.Loaded {
			n++
		}
	}
	return n
}

// bar is how many transactions are read, while they are.
func (e *entry) bar() *bar {
	s := e.where.Status
	if e.where.Step() != schemas.StepReadingTransactions || s.TransactionsRead == nil || s.TransactionsTotal == nil || *s.TransactionsTotal <= 0 {
		return nil
	}
	return &bar{max(0, min(*s.TransactionsRead, *s.TransactionsTotal)), *s.TransactionsTotal}
}
