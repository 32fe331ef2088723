package connection

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

// TestGiveUpAndRedrive gives an import up in every phase that holds it, and goes
// on with it an hour later by every trigger that can have been a dead letter.
func TestGiveUpAndRedrive(t *testing.T) {
	t.Parallel()
	done := func() (finapi.Form, error) { return form(finapi.FormCompleted, 77, ""), nil }
	for phase, c := range map[string]struct {
		steps int
		step  schemas.Step
		wait  schemas.WaitingFor
	}{
		"form":       {0, schemas.StepFormOpen, schemas.WaitingForUser},
		"download":   {1, schemas.StepDownloading, schemas.WaitingForBank},
		"categories": {2, schemas.StepDownloading, schemas.WaitingForBank},
	} {
		for by, e := range map[string]schemas.Event{"timer": nil, "hint": hint(formID), "awaited": awaited()} {
			if by == "hint" && phase != "form" {
				continue // the form is over: a hint has nothing to say
			}
			t.Run(phase+"/"+by, func(t *testing.T) {
				t.Parallel()
				m, b := newMachine(t, Timing{})
				b.form = done
				mustSend(t, m, awaited())
				for range c.steps {
					mustFire(t, m)
				}
				given := m.Now
				events := m.GiveUp(m.Trigger(nil), errDown)
				failed := flowtest.Of[schemas.ImportFailed](events)
				if len(failed) != 1 || failed[0].Reason != schemas.ReasonGaveUp || failed[0].ProviderCode != "503" || failed[0].Run != 1 || len(events) != 2 {
					t.Fatalf("events of giving up %+v", events)
				}
				if !m.Wake.IsZero() {
					t.Fatalf("a timer is left at %v", m.Wake)
				}

				m.Now = given.Add(2 * time.Hour)
				trigger := m.Trigger(nil)
				if e != nil {
					trigger = m.Trigger(m.Record(e))
				}
				if events, err := m.Handle(trigger); err != nil || len(events) != 0 {
					t.Fatalf("without redrive: %v, %v, want nothing", events, err)
				}
				trigger.Redrive = 1
				events, err := m.Handle(trigger)
				if err != nil {
					t.Fatal(err)
				}
				statuses := flowtest.Of[schemas.ImportStatus](events)
				if len(statuses) != 1 || statuses[0].Step != c.step || statuses[0].WaitingFor != c.wait || statuses[0].Run != 2 || len(events) != 1 {
					t.Errorf("events of the redrive %+v, want the status of step %s in run 2", events, c.step)
				}
				ready := flowtest.Of[schemas.ConnectionReady](runOut(t, m))
				if len(ready) != 1 || ready[0].Run != 2 || !ready[0].StartedAt.Equal(given.Add(2*time.Hour)) {
					t.Errorf("connection-ready %+v, want run 2", ready)
				}
				if events, err := m.Handle(trigger); err != nil || len(events) != 0 {
					t.Errorf("redriven again: %v, %v, want nothing", events, err)
				}
			})
		}
	}
}

// TestRedriveAgain: a run that is given up again ends again, once.
func TestRedriveAgain(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	for run := 1; run <= 3; run++ {
		failed := flowtest.Of[schemas.ImportFailed](m.GiveUp(m.Trigger(nil), errors.New("x")))
		if len(failed) != 1 || failed[0].Run != run {
			t.Fatalf("import-failed %+v, want one of run %d", failed, run)
		}
		trigger := m.Trigger(nil)
		trigger.Redrive = run
		if _, err := m.Handle(trigger); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOrphanHintRedriven: a hint of another form starts no run.
func TestOrphanHintRedriven(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	m.GiveUp(m.Trigger(nil), errors.New("x"))
	trigger := m.Trigger(m.Record(hint("f0000000-0000-4000-8000-000000000009")))
	trigger.Redrive = 1
	if events, err := m.Handle(trigger); err != nil || len(events) != 0 {
		t.Errorf("events %v, error %v, want nothing", events, err)
	}
}

// TestAwaitedGivenUp: the event that hands the import over is enough to end it,
// also where the handler cannot make sense of it.
func TestAwaitedGivenUp(t *testing.T) {
	t.Parallel()
	broken := awaited()
	broken.FormID = ""
	for name, c := range map[string]struct {
		early bool
		event schemas.WebformAwaited
	}{
		"no state":   {false, awaited()},
		"early hint": {true, awaited()},
		"no ids":     {false, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := newMachine(t, Timing{})
			if c.early {
				mustSend(t, m, hint(formID))
			}
			trigger := m.Trigger(m.Record(c.event))
			failed := flowtest.Of[schemas.ImportFailed](m.GiveUp(trigger, pipeline.Permanent(flow.ClassInvalidEvent, errors.New("why"))))
			if len(failed) != 1 || failed[0].Reason != schemas.ReasonGaveUp || failed[0].UserID != "u1" {
				t.Errorf("import-failed %+v, want gave_up", failed)
			}
		})
	}
}

// TestGaveUpNeverPanics: the engine may give up any trigger in any state.
func TestGaveUpNeverPanics(t *testing.T) {
	t.Parallel()
	const common = `"run":1,"user_id":"u1","started_at":"2026-03-01T12:00:00.000Z"`
	flowtest.GaveUpEverywhere(t,
		func() *flowtest.Machine { m, _ := newMachine(t, Timing{}); return m },
		[]schemas.Event{awaited(), existing(), hint(formID), hint(""), cancelled()},
		[]string{
			`{"v":1,"phase":"early"}`,
			`{"v":1,"phase":"form","form_id":"` + formID + `",` + common + `}`,
			`{"v":1,"phase":"form","run":1,"user_id":"u1"}`,
			`{"v":1,"phase":"download","connection_id":77,` + common + `}`,
			`{"v":1,"phase":"categories","connection_id":77,` + common + `}`,
			`{"v":1,"phase":"handed_on",` + common + `}`,
			`{"v":1,"phase":"failed",` + common + `}`,
			`{"v":1,"phase":"gave_up","resume":"form",` + common + `}`,
		},
		func(state string, record bool) bool {
			holds := strings.Contains(state, `"form"`) && !strings.Contains(state, "gave_up") ||
				strings.Contains(state, "download") || strings.Contains(state, "categories")
			return holds && !record
		})
}

// TestForeignState: a state of a newer release is left alone.
func TestForeignState(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Timing{})
	m.Value = []byte(`{"v":2,"phase":"form"}`)
	for _, trigger := range []pipeline.Trigger{m.Trigger(nil), m.Trigger(m.Record(awaited())), m.Trigger(m.Record(hint("")))} {
		_, err := m.Handle(trigger)
		if class, _ := pipeline.Class(err); class != flow.ClassInvalidState {
			t.Errorf("error %v, want class %s", err, flow.ClassInvalidState)
		}
	}
}
