package stages_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/schemas/schematest"
	"github.com/bankimport/bankimport/stages"
	"github.com/bankimport/bankimport/stages/connection"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const (
	formLife = 20 * time.Minute
	budget   = 15 * time.Minute // after which the engine gives up
	perPage  = 5
)

// A plan is what the world has in store for one import.
type plan struct {
	endAfter   time.Duration     // the user ends the form then; beyond formLife nobody does
	end        finapi.FormStatus // how
	code       string            // and with which code
	connection bool              // and whether a connection exists then
	expires    bool              // the provider ends the form by itself when its life is over
	cancels    bool              // the provider can cancel forms

	download   time.Duration // after the form's end
	categories time.Duration // after the download
	accounts   []finapi.Account
	rows       map[int64][]finapi.Transaction // by account id
	action     bool                           // the user must act at the bank

	hints     []time.Duration // callbacks, after the form's end
	foreign   int             // callbacks of other forms
	early     bool            // a callback before the form is known to the connection stage
	repeats   int             // the request again
	cancelled []time.Duration // upstream cancels, after the world's start
	failing   string          // operation that fails for an hour and then works
}

func drawPlan(t *rapid.T) *plan {
	p := &plan{
		endAfter: rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 10 * time.Minute, 19 * time.Minute, time.Hour}).Draw(t, "endAfter"),
		end: rapid.SampledFrom([]finapi.FormStatus{
			finapi.FormCompleted, finapi.FormCompleted, finapi.FormCompleted, finapi.FormCompletedWithError,
			finapi.FormAborted, finapi.FormExpired, finapi.FormCancelled,
		}).Draw(t, "end"),
		code:       rapid.SampledFrom([]string{"", "", "", "ENTITY_EXISTS", "BANK_SERVER_REJECTION", "NEW_CODE"}).Draw(t, "code"),
		connection: rapid.IntRange(0, 3).Draw(t, "connection") > 0,
		expires:    rapid.Bool().Draw(t, "expires"),
		cancels:    rapid.Bool().Draw(t, "cancels"),
		download:   rapid.SampledFrom([]time.Duration{0, 0, 30 * time.Second, 10 * time.Minute, 2 * time.Hour}).Draw(t, "download"),
		categories: rapid.SampledFrom([]time.Duration{0, 0, 20 * time.Second, time.Hour}).Draw(t, "categories"),
		rows:       map[int64][]finapi.Transaction{},
		action:     rapid.Bool().Draw(t, "action"),
		foreign:    rapid.IntRange(0, 2).Draw(t, "foreign"),
		early:      rapid.Bool().Draw(t, "early"),
		repeats:    rapid.IntRange(0, 2).Draw(t, "repeats"),
		failing:    rapid.SampledFrom([]string{"", "", "", "user", "create", "form", "connection", "accounts", "transactions"}).Draw(t, "failing"),
	}
	if p.end == finapi.FormCompleted {
		p.connection, p.code = true, ""
	}
	for range rapid.IntRange(-3, 2).Draw(t, "cancels by upstream") {
		p.cancelled = append(p.cancelled, rapid.SampledFrom([]time.Duration{0, 3 * time.Second, 5 * time.Minute, 30 * time.Minute, 3 * time.Hour}).Draw(t, "cancelled"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "hints") {
		p.hints = append(p.hints, rapid.SampledFrom([]time.Duration{0, time.Millisecond, 2 * time.Second, time.Minute, time.Hour}).Draw(t, "hint"))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "accounts") {
		id := int64(100 + i)
		status := rapid.SampledFrom([]string{finapi.InterfaceUpdated, finapi.InterfaceUpdated, finapi.InterfaceUpdatedFixed, finapi.InterfaceDownloadFailed}).Draw(t, "status")
		p.accounts = append(p.accounts, finapi.Account{
			ID: id, ConnectionID: 77, Type: "checking", Number: fmt.Sprint(id % 2), Interfaces: []finapi.AccountInterface{{Status: status}},
		})
		for n := range rapid.IntRange(0, 3*perPage).Draw(t, "rows") {
			p.rows[id] = append(p.rows[id], finapi.Transaction{
				ID: id*1000 + int64(n), AccountID: id, Amount: fmt.Sprintf("%d.%02d", n-3, n), ImportedAt: time.Unix(1, 0),
				BankBookingDate: "2026-01-02", ValueDate: "2026-01-02", FinapiBookingDate: "2026-01-02",
			})
		}
	}
	return p
}

// loaded is whether an account's data will be there.
func (p *plan) loaded(a finapi.Account) bool {
	return a.Interfaces[0].Status != finapi.InterfaceDownloadFailed
}

// want is how the import must end; "" is well.
func (p *plan) want() schemas.Reason {
	switch {
	case p.endAfter > formLife:
		return schemas.ReasonFormExpired
	case p.code == "ENTITY_EXISTS":
		return schemas.ReasonAlreadyConnected
	case !p.connection && p.code == "BANK_SERVER_REJECTION":
		return schemas.ReasonBankRejected
	case !p.connection && (p.code != "" || p.end == finapi.FormCompletedWithError):
		return schemas.ReasonProviderError
	case !p.connection && p.end == finapi.FormAborted:
		return schemas.ReasonUserAborted
	case !p.connection && p.end == finapi.FormExpired:
		return schemas.ReasonFormExpired
	case !p.connection && p.end == finapi.FormCancelled:
		return schemas.ReasonCancelled
	case p.download > time.Hour:
		return schemas.ReasonDownloadTimeout
	case len(p.accounts) == 0:
		return schemas.ReasonNoMatchingAccounts
	case !slices.ContainsFunc(p.accounts, p.loaded) && p.action:
		return schemas.ReasonUserActionRequired
	case !slices.ContainsFunc(p.accounts, p.loaded):
		return schemas.ReasonAllAccountsFailed
	default:
		return ""
	}
}

// A world runs the four stages over topics in memory: what the engine, Kafka, the
// bridge, the user and the provider do, in virtual time.
type world struct {
	t   *rapid.T
	now time.Time

	plans    map[string]*plan // by import id
	machines []*lane
	posts    []post          // what outsiders will publish
	log      []schemas.Event // everything committed, in order
	dead     []deadLetter
	forms    map[string]*form // by form id
	trouble  map[string]time.Time
	noise    bool // any call may fail now and then
}

// lane is one stage with one import: its machine and the records that wait.
type lane struct {
	*flowtest.Machine
	queue   []pipeline.Trigger
	current *pipeline.Trigger // failed, and to be tried again
	again   time.Time
	since   time.Time // first attempt
}

type post struct {
	at    time.Time
	stage int
	event schemas.Event
}

type deadLetter struct {
	lane    *lane
	trigger pipeline.Trigger
	class   string
}

type form struct {
	importID string
	created  time.Time
	ended    time.Time // zero: not
	status   finapi.FormStatus
	hinted   bool
}

func newWorld(t *rapid.T, v *schematest.Validator, plans map[string]*plan) *world {
	w := &world{
		t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), plans: plans,
		forms: map[string]*form{}, trouble: map[string]time.Time{}, noise: rapid.Bool().Draw(t, "noise"),
	}
	all, err := stages.All(stages.Deps{
		Provider: w, Callbacks: sealer{}, CallbackBaseURL: "https://bridge.example.test",
		AccountKey: []byte(strings.Repeat("k", 32)), Timing: connection.Timing{},
	})
	if err != nil {
		t.Fatalf("stages: %v", err)
	}
	for _, id := range ids(plans) {
		for _, s := range all {
			m := flowtest.New(t, s, id, w.now)
			m.Schemas = v
			w.machines = append(w.machines, &lane{Machine: m})
		}
		request := schemas.ImportRequested{ImportID: id, UserID: "u-" + id}
		for range 1 + plans[id].repeats {
			w.post(time.Duration(rapid.IntRange(0, 5000).Draw(t, "requested"))*time.Millisecond, 0, request)
		}
		other := request
		other.BankID = 1
		w.post(time.Minute, 0, other)
		for _, after := range plans[id].cancelled {
			w.post(after, 0, schemas.ImportCancelRequested{ImportID: id})
		}
		if plans[id].early {
			w.post(0, 1, w.hint(id, ""))
		}
		for i := range plans[id].foreign {
			w.post(time.Duration(i)*time.Minute, 1, w.hint(id, "00000000-aaaa-4000-8000-000000000000"))
		}
	}
	return w
}

func ids(plans map[string]*plan) []string {
	var is []string
	for id := range plans {
		is = append(is, id)
	}
	slices.Sort(is)
	return is
}

type sealer struct{}

func (sealer) Seal(t callback.Token) (string, error) {
	return fmt.Sprintf("%s-%d", t.ImportID, t.Run), nil
}

func (w *world) hint(importID, formID string) schemas.WebformCompleted {
	return schemas.WebformCompleted{ImportID: importID, Run: 1, FormID: formID, EndedBy: schemas.EndedByCallback, ObservedAt: schemas.At(w.now)}
}

func (w *world) post(after time.Duration, stage int, e schemas.Event) {
	w.posts = append(w.posts, post{w.now.Add(after), stage, e})
}

// lane returns the lane of a stage, by its place in the flow, for an import.
func (w *world) lane(stage int, importID string) *lane {
	for i, l := range w.machines {
		if i%4 == stage && l.Key == importID {
			return l
		}
	}
	w.t.Fatalf("no lane for import %s", importID)
	return nil
}

func (w *world) deliver(l *lane, e schemas.Event) {
	l.Now = w.now
	l.queue = append(l.queue, l.Trigger(l.Record(e)))
}

// run goes on until nothing happens any more.
func (w *world) run() {
	for steps := 0; ; steps++ {
		if steps > 200_000 {
			w.t.Fatalf("the world does not come to rest")
		}
		w.outside()
		ready := w.ready()
		if len(ready) > 0 {
			w.step(ready[rapid.IntRange(0, len(ready)-1).Draw(w.t, "lane")])
			continue
		}
		next := w.next()
		if next.IsZero() {
			return
		}
		w.now = next
	}
}

// outside lets users end forms, the provider call back and upstream publish.
func (w *world) outside() {
	for id, f := range w.forms {
		w.settle(f)
		if !f.ended.IsZero() && !f.hinted && f.status != finapi.FormCancelled {
			f.hinted = true
			for _, after := range w.plans[f.importID].hints {
				w.posts = append(w.posts, post{f.ended.Add(after), 1, w.hint(f.importID, id)})
			}
		}
	}
	w.posts = slices.DeleteFunc(w.posts, func(p post) bool {
		if p.at.After(w.now) {
			return false
		}
		w.deliver(w.lane(p.stage, p.event.Subject()), p.event)
		return true
	})
}

func (w *world) ready() []*lane {
	var ready []*lane
	for _, l := range w.machines {
		timer := !l.Wake.IsZero() && !l.Wake.After(w.now)
		switch {
		case l.current != nil && l.again.After(w.now):
		case l.current != nil || len(l.queue) > 0 || timer:
			ready = append(ready, l)
		}
	}
	return ready
}

func (w *world) next() time.Time {
	var next time.Time
	soonest := func(t time.Time) {
		if t.After(w.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, l := range w.machines {
		if l.current != nil {
			soonest(l.again)
		} else if !l.Wake.IsZero() {
			soonest(l.Wake)
		}
	}
	for _, p := range w.posts {
		soonest(p.at)
	}
	for _, f := range w.forms {
		if p := w.plans[f.importID]; f.ended.IsZero() && p.endAfter <= formLife {
			soonest(f.created.Add(p.endAfter))
		}
	}
	return next
}

// step handles one trigger of a lane as the engine does.
func (w *world) step(l *lane) {
	l.Now = w.now
	trigger := l.pick(w)
	if rapid.IntRange(0, 9).Draw(w.t, "crash") == 0 {
		_, _ = l.Try(trigger) // killed before the commit: whatever came of it is lost
	}
	events, err := l.Handle(trigger)
	if err == nil {
		l.current = nil
		w.publish(events)
		return
	}
	if l.current == nil {
		l.since = w.now
	}
	l.current = &trigger
	after, unavailable := pipeline.RetryAfter(err)
	class, permanent := pipeline.Class(err)
	switch {
	case unavailable:
		l.again, l.since = w.now.Add(max(after, time.Second)), l.since.Add(max(after, time.Second))
	case permanent || w.now.Sub(l.since) > budget:
		l.current = nil
		w.dead = append(w.dead, deadLetter{l, trigger, class})
		gave := l.GiveUp(trigger, err)
		if trigger.Event == nil && !l.Wake.After(w.now) {
			l.Wake = time.Time{} // a timer that fired is gone
		}
		w.publish(gave)
	default:
		l.again = w.now.Add(10 * time.Second)
	}
}

// pick takes the trigger that failed, else a record or the timer.
func (l *lane) pick(w *world) pipeline.Trigger {
	if l.current != nil {
		t := *l.current
		t.Now = w.now
		return t
	}
	timer := !l.Wake.IsZero() && !l.Wake.After(w.now)
	if timer && (len(l.queue) == 0 || rapid.Bool().Draw(w.t, "timer first")) {
		return l.Trigger(nil)
	}
	t := l.queue[0]
	l.queue = l.queue[1:]
	t.Now = w.now
	return t
}

// publish takes what was committed to the stages that read it.
func (w *world) publish(events []schemas.Event) {
	for _, e := range events {
		w.log = append(w.log, e)
		for i, l := range w.machines[:4] {
			if l.Stage.Input == e.Topic() {
				w.deliver(w.lane(i, e.Subject()), e)
			}
		}
	}
}

// The provider.

func (w *world) User(id string) finapi.User { return finapi.User{ID: id} }

var errBroken = errors.New("the provider is broken")

// fails says whether a call fails: for an hour if the plan says so, else now and then.
func (w *world) fails(user finapi.User, op string) error {
	p := w.plans[strings.TrimPrefix(user.ID, "u-")]
	key := user.ID + op
	if p.failing == op {
		if w.trouble[key].IsZero() {
			w.trouble[key] = w.now.Add(time.Hour)
		}
		if w.now.Before(w.trouble[key]) {
			return &finapi.Error{Operation: op, Status: 500, Code: "UNEXPECTED_ERROR", Class: finapi.ClassRetry}
		}
	}
	if !w.noise {
		return nil
	}
	switch rapid.IntRange(0, 30).Draw(w.t, op) {
	case 30:
		return &finapi.Error{Operation: op, Status: 502, Class: finapi.ClassRetry}
	case 29:
		return &finapi.Error{Operation: op, Code: finapi.CodeBreakerOpen, Class: finapi.ClassUnavailable, RetryAfter: 20 * time.Second}
	case 28:
		return &finapi.Error{Operation: op, Status: 423, Code: "LOCKED", Class: finapi.ClassWait}
	case 27:
		return errBroken
	default:
		return nil
	}
}

func (w *world) EnsureUser(_ context.Context, u finapi.User) error { return w.fails(u, "user") }

func (w *world) CreateForm(_ context.Context, u finapi.User, _ finapi.FormRequest) (finapi.Form, error) {
	if err := w.fails(u, "create"); err != nil {
		return finapi.Form{}, err
	}
	id := fmt.Sprintf("f0000000-0000-4000-8000-%012d", len(w.forms))
	w.forms[id] = &form{importID: strings.TrimPrefix(u.ID, "u-"), created: w.now, status: finapi.FormNotYetOpened}
	return w.read(id), nil
}

// settle lets the user, or time, end a form.
func (w *world) settle(f *form) {
	p := w.plans[f.importID]
	switch end := f.created.Add(p.endAfter); {
	case !f.ended.IsZero():
	case p.endAfter <= formLife && !end.After(w.now):
		f.status, f.ended = p.end, end
	case p.endAfter > formLife && p.expires && !f.created.Add(formLife).After(w.now):
		f.status, f.ended = finapi.FormExpired, f.created.Add(formLife)
	}
}

func (w *world) read(id string) finapi.Form {
	f := w.forms[id]
	w.settle(f)
	p := w.plans[f.importID]
	r := finapi.Form{ID: id, URL: "https://form.example/" + id, Status: f.status, CreatedAt: f.created, ExpiresAt: f.created.Add(formLife)}
	if f.status.Final() && p.endAfter <= formLife {
		r.ErrorCode = p.code
		if p.connection {
			r.ConnectionID = 77
		}
	}
	return r
}

func (w *world) Form(_ context.Context, u finapi.User, id string) (finapi.Form, error) {
	if err := w.fails(u, "form"); err != nil {
		return finapi.Form{}, err
	}
	return w.read(id), nil
}

func (w *world) CancelForm(_ context.Context, u finapi.User, id string) (finapi.Form, error) {
	if err := w.fails(u, "cancel"); err != nil {
		return finapi.Form{}, err
	}
	f := w.forms[id]
	if w.settle(f); f.status.Final() || !w.plans[f.importID].cancels {
		return finapi.Form{}, &finapi.Error{Operation: "cancel", Status: 405, Code: finapi.CodeUnknownErrorAnswer, Class: finapi.ClassPermanent}
	}
	f.status, f.ended = finapi.FormCancelled, w.now
	return w.read(id), nil
}

// of returns the plan behind a user and when the form that counts has ended.
func (w *world) of(u finapi.User) (*plan, time.Time) {
	id := strings.TrimPrefix(u.ID, "u-")
	var ended time.Time
	for _, f := range w.forms {
		if f.importID == id && f.ended.After(ended) {
			ended = f.ended
		}
	}
	return w.plans[id], ended
}

func (w *world) Connection(_ context.Context, u finapi.User, id int64) (finapi.Connection, error) {
	if err := w.fails(u, "connection"); err != nil {
		return finapi.Connection{}, err
	}
	p, ended := w.of(u)
	c := finapi.Connection{
		ID: id, Bank: finapi.Bank{ID: 280001, Name: "Test Bank"}, UserActionRequired: p.action,
		UpdateStatus: finapi.StatusReady, CategorizationStatus: finapi.StatusReady,
	}
	for _, a := range p.accounts {
		c.AccountIDs = append(c.AccountIDs, a.ID)
	}
	switch at := ended.Add(p.download); {
	case w.now.Before(at):
		c.UpdateStatus = finapi.StatusInProgress
	case w.now.After(at) && w.now.Before(at.Add(p.categories)): // READY/READY for a moment first
		c.CategorizationStatus = finapi.StatusPending
	}
	return c, nil
}

func (w *world) Accounts(_ context.Context, u finapi.User, _ int64) ([]finapi.Account, error) {
	if err := w.fails(u, "accounts"); err != nil {
		return nil, err
	}
	p, _ := w.of(u)
	return p.accounts, nil
}

func (w *world) Transactions(_ context.Context, u finapi.User, account int64, page int) (finapi.TransactionPage, error) {
	if err := w.fails(u, "transactions"); err != nil {
		return finapi.TransactionPage{}, err
	}
	p, _ := w.of(u)
	rows := p.rows[account]
	r := finapi.TransactionPage{Page: page, PageCount: (len(rows) + perPage - 1) / perPage, TotalCount: len(rows)}
	sum := decimal.Zero
	for _, row := range rows {
		sum = sum.Add(decimal.RequireFromString(row.Amount))
	}
	r.Balance = sum.String()
	from := min((page-1)*perPage, len(rows))
	r.Transactions = rows[from:min(from+perPage, len(rows))]
	return r, nil
}
