package stages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/schemas/schematest"
	"github.com/bankimport/bankimport/stages"
)

// *finapi.Client is what the stages are made for.
var _ stages.Provider = (*finapi.Client)(nil)

// TestFlow runs whole imports, in every order of events that can happen: requests
// and callbacks early, late, lost, doubled and foreign; crashes before any commit;
// a provider that fails now and then, or for an hour. Every run of an import has
// exactly one final event, it is the right one, and everything said about it on
// the way is true.
func TestFlow(t *testing.T) {
	t.Parallel()
	v, err := schematest.New()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		plans := map[string]*plan{}
		for i := range rapid.IntRange(1, 3).Draw(t, "imports") {
			plans[fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", i)] = drawPlan(t)
		}
		w := newWorld(t, v, plans)
		w.run()
		runs := map[string]int{} // by import id
		for id := range plans {
			runs[id] = 1
		}
		for w.redrive(runs) {
			w.run()
		}
		for id, p := range plans {
			w.checkFinals(id, p, runs[id])
			w.checkStatus(id)
			w.checkRows(id, p)
		}
		w.checkDeadLetters()
	})
}

// redrive puts the dead letters of the newest gave_up back, as an operator does,
// and reports whether there were any.
func (w *world) redrive(runs map[string]int) bool {
	redriven := false
	for _, d := range w.dead {
		if d.class != "" || d.trigger.Redrive > 0 {
			continue
		}
		id := d.lane.Key
		if last := w.finals(id)[runs[id]]; len(last) == 1 && reasonOf(last[0]) == schemas.ReasonGaveUp {
			runs[id]++
			d.trigger.Redrive = 1
			w.now = w.now.Add(2 * time.Hour)
			d.lane.queue = append(d.lane.queue, d.trigger)
			redriven = true
		}
	}
	w.dead = slices.DeleteFunc(w.dead, func(d deadLetter) bool { return d.class == "" })
	return redriven
}

// finals returns the final events of an import by run.
func (w *world) finals(id string) map[int][]schemas.Event {
	finals := map[int][]schemas.Event{}
	for _, e := range w.log {
		switch e := e.(type) {
		case schemas.ImportCompleted:
			if e.ImportID == id {
				finals[e.Run] = append(finals[e.Run], e)
			}
		case schemas.ImportFailed:
			if e.ImportID == id {
				finals[e.Run] = append(finals[e.Run], e)
			}
		}
	}
	return finals
}

// reasonOf is why an import ended; "" is well.
func reasonOf(e schemas.Event) schemas.Reason {
	if f, ok := e.(schemas.ImportFailed); ok {
		return f.Reason
	}
	return ""
}

func (w *world) checkFinals(id string, p *plan, runs int) {
	finals := w.finals(id)
	if len(finals) != runs {
		w.t.Fatalf("import %s has final events in %d runs, want %d: %+v", id, len(finals), runs, finals)
	}
	for run := 1; run <= runs; run++ {
		if len(finals[run]) != 1 {
			w.t.Fatalf("import %s has %d final events in run %d: %+v", id, len(finals[run]), run, finals[run])
		}
		got, want := reasonOf(finals[run][0]), p.want()
		if run < runs {
			want = schemas.ReasonGaveUp
		} else if runs > 1 && want == schemas.ReasonDownloadTimeout {
			continue // the new run waits anew, and by then the data may be there
		} else if runs > 1 && want == schemas.ReasonCancelled && got == schemas.ReasonFormExpired {
			continue // read when the form's deadline had passed
		} else if len(p.cancelled) > 0 && got == schemas.ReasonCancelled {
			continue // or in time for the user, or too late
		}
		if got != want {
			w.t.Fatalf("import %s ended run %d with %q, want %q", id, run, got, want)
		}
	}
}

// checkStatus: steps never fall within a run, nothing of a run follows its final
// event, and the last status is its end.
func (w *world) checkStatus(id string) {
	step := map[int]int{}    // by run
	over := map[int]bool{}   // by run
	last := schemas.Step("") // of the newest status
	for _, e := range w.log {
		switch e := e.(type) {
		case schemas.ImportStatus:
			if e.ImportID != id {
				continue
			}
			if e.StepNo < step[e.Run] || e.StepNo != e.Step.Number() {
				w.t.Fatalf("import %s: step %s after step number %d of run %d", id, e.Step, step[e.Run], e.Run)
			}
			if over[e.Run] && e.StepNo != 6 {
				w.t.Fatalf("import %s: status %s after the end of run %d", id, e.Step, e.Run)
			}
			step[e.Run], last = e.StepNo, e.Step
			if (e.WaitingFor == schemas.WaitingForNobody) != (e.StepNo == 6) {
				w.t.Fatalf("import %s: step %s waits for %s", id, e.Step, e.WaitingFor)
			}
		case schemas.ImportFailed:
			over[e.Run] = over[e.Run] || e.ImportID == id
		case schemas.ImportCompleted:
			over[e.Run] = over[e.Run] || e.ImportID == id
		case schemas.Transaction:
			if e.ImportID == id && over[e.Run] {
				w.t.Fatalf("import %s: a row after the end of run %d", id, e.Run)
			}
		}
	}
	if last != schemas.StepCompleted && last != schemas.StepFailed {
		w.t.Fatalf("import %s: the last status is %s", id, last)
	}
}

// checkRows: the rows of a completed import are the provider's, each once.
func (w *world) checkRows(id string, p *plan) {
	for _, e := range w.log {
		done, ok := e.(schemas.ImportCompleted)
		if !ok || done.ImportID != id {
			continue
		}
		if len(done.Accounts) != len(p.accounts) || p.failing == "" && done.Categorized != (p.categories < 2*time.Minute) {
			w.t.Fatalf("import %s: completed %+v, want %d accounts, categories after %s", id, done, len(p.accounts), p.categories)
		}
		total := 0
		for i, a := range done.Accounts {
			want := p.accounts[i]
			if a.ProviderAccountID != want.ID || a.Loaded != p.loaded(want) {
				w.t.Fatalf("import %s: account %+v, want %d", id, a, want.ID)
			}
			if !a.Loaded {
				continue
			}
			var rows []int64
			for _, e := range w.log {
				if r, ok := e.(schemas.Transaction); ok && r.ImportID == id && r.AccountKey == a.AccountKey && r.Read == a.Read {
					rows = append(rows, r.ProviderTransactionID)
				}
			}
			var wanted []int64
			for _, r := range p.rows[want.ID] {
				wanted = append(wanted, r.ID)
			}
			if !slices.Equal(rows, wanted) || a.Count != len(rows) || !a.Reconciled {
				w.t.Fatalf("import %s: account %d has rows %v, want %v; completed %+v", id, want.ID, rows, wanted, a.AccountRead)
			}
			total += len(rows)
		}
		if done.Transactions != total {
			w.t.Fatalf("import %s: %d transactions, want %d", id, done.Transactions, total)
		}
	}
}

// checkDeadLetters: only the request that misuses an id is one.
func (w *world) checkDeadLetters() {
	n := 0
	for _, d := range w.dead {
		if d.class == "conflicting_request" {
			n++
		} else {
			w.t.Fatalf("dead letter of class %q in stage %s", d.class, d.lane.Stage.Name)
		}
	}
	if n != len(w.plans) {
		w.t.Fatalf("%d conflicts, want %d", n, len(w.plans))
	}
}

// TestWiring: each stage writes what the next one reads, and nothing is read that
// nobody writes.
func TestWiring(t *testing.T) {
	t.Parallel()
	all, err := stages.All(deps())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, s := range all {
		names = append(names, s.Name)
		if err := s.Validate(); err != nil {
			t.Errorf("stage %s: %v", s.Name, err)
		}
		if i > 0 && !slices.Contains(all[i-1].Outputs, s.Input) {
			t.Errorf("stage %s reads %s, which %s does not write", s.Name, s.Input, all[i-1].Name)
		}
		for _, topic := range append(slices.Clone(s.Outputs), s.Input) {
			known := slices.ContainsFunc(schemas.Topics(), func(spec schemas.TopicSpec) bool { return spec.Name == topic })
			if !known {
				t.Errorf("stage %s uses topic %q, which is not in the contract", s.Name, topic)
			}
		}
	}
	if want := []string{"webform", "connection", "accounts", "transactions"}; !slices.Equal(names, want) {
		t.Errorf("stages %v, want %v", names, want)
	}
}

func deps() stages.Deps {
	return stages.Deps{
		Provider: &finapi.Client{}, Callbacks: sealer{}, CallbackBaseURL: "https://bridge.example.test",
		AccountKey: []byte(strings.Repeat("k", 32)),
	}
}

func TestAllRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*stages.Deps){
		"no provider":   func(d *stages.Deps) { d.Provider = nil },
		"no sealer":     func(d *stages.Deps) { d.Callbacks = nil },
		"no base URL":   func(d *stages.Deps) { d.CallbackBaseURL = "" },
		"short key":     func(d *stages.Deps) { d.AccountKey = d.AccountKey[1:] },
		"timing":        func(d *stages.Deps) { d.Timing.FormPoll = time.Millisecond },
		"reading":       func(d *stages.Deps) { d.Reading.MaxPages = -1 },
		"short key two": func(d *stages.Deps) { d.AccountKey = nil },
	} {
		d := deps()
		change(&d)
		if _, err := stages.All(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	d := deps()
	d.CallbackBaseURL, d.AccountKey = "", nil
	if _, err := stages.All(d); err == nil || !strings.Contains(err.Error(), "base URL") || !strings.Contains(err.Error(), "account key") {
		t.Errorf("two things are wrong, and the error is %v", err)
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	o, err := stages.NewObserver(reg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stages.NewObserver(reg); err == nil {
		t.Error("registered twice without an error")
	}
	if n, want := testutil.CollectAndCount(reg), 2+len(schemas.Reasons()); n != want {
		t.Errorf("%d label sets at start, want %d", n, want)
	}
	now := schemas.At(time.Unix(1, 0))
	event := func(e schemas.Event) pipeline.Event {
		value, _, err := schemas.Encode(e, schemas.Meta{Source: "x", Time: now.Time})
		if err != nil {
			t.Fatal(err)
		}
		return pipeline.Event{Topic: e.Topic(), Value: value}
	}
	failed := schemas.ImportFailed{Run: 1, Reason: schemas.ReasonUserAborted, FailedAt: now}
	o.Committed("connection", slices.Values([]pipeline.Event{
		event(schemas.WebformCompleted{ObservedAt: now}), event(failed), event(failed),
		event(schemas.ImportCompleted{StartedAt: now, CompletedAt: now, Accounts: []schemas.CompletedAccount{{}}}),
		event(schemas.ImportCompleted{StartedAt: now, CompletedAt: now, Partial: true, Accounts: []schemas.CompletedAccount{{}}}),
	}))
	want := map[[2]string]float64{{"failed", "user_aborted"}: 2, {"completed", ""}: 1, {"partial", ""}: 1}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		labels := [2]string{m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetValue()}
		if got := m.GetCounter().GetValue(); got != want[labels] {
			t.Errorf("imports %v: %v, want %v", labels, got, want[labels])
		}
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}
