package e2e_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/schemas/schematest"
)

// variant is one way in which the same imports are made hard.
type variant struct {
	name      string
	callbacks simulator.CallbackMode
	twice     bool // every request is published twice
}

// variants are those for the cluster at hand. Each takes as long as a form
// lives that nobody opens, so the real broker, where nothing runs beside it, gets the
// two extremes.
func variants() []variant {
	calm := variant{"calm", simulator.DeliverCallbacks, false}
	if realkafka.Selected(os.Getenv) {
		return []variant{calm, {"callbacks lost and requests twice", simulator.DropCallbacks, true}}
	}
	return []variant{
		calm,
		{"callbacks lost", simulator.DropCallbacks, false},
		{"callbacks doubled", simulator.DoubleCallbacks, false},
		{"requests twice", simulator.DeliverCallbacks, true},
	}
}

// 200 imports at once and a large one, with every kind of end: each ends once,
// and every row is there once.
func TestImports(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			if !realkafka.Selected(os.Getenv) {
				t.Parallel()
			}
			testImports(t, v)
		})
	}
}

func testImports(t *testing.T, v variant) {
	p := newPlan(seeded(t), 200)
	w := newWorld(t, 8*time.Minute, pace{formLife: 4 * time.Minute, callbacks: v.callbacks}, p.banks)
	w.expireUnopened(p.imports, 15*time.Second)
	stop := w.startInProcess()
	users := w.startUsers(p.imports, nil)

	began := time.Now()
	w.publish(p.imports, v.twice)
	w.awaitEnds(p.ids()...)
	took := time.Since(began)
	users()
	w.awaitConsumed()
	stop()

	figures := w.verdict(w.settle(), w.truth(p.imports))
	w.wantEveryKind(figures)
	t.Logf("%s: %v; %v from the first request to the last end", v.name, figures, took.Round(10*time.Millisecond))
}

// publish asks for all imports at once.
func (w *world) publish(imports []wanted, twice bool) {
	w.Helper()
	up := newUpstream(w.T, w.cluster.Brokers, prefix)
	up.publish(w.ctx, w.requests(imports)...)
	if twice {
		up.publish(w.ctx, w.requests(imports)...)
	}
}

// verdict fails the test for whatever is not as it must be.
func (w *world) verdict(records check.Records, truth check.Truth) check.Figures {
	w.Helper()
	figures, violations := check.Check(records, truth)
	if len(violations) > 0 {
		w.Errorf("%s", check.Summary(violations))
	}
	w.wantSchemas(records)
	return figures
}

// wantSchemas checks every event against its published schema.
func (w *world) wantSchemas(records check.Records) {
	w.Helper()
	validator, err := schematest.New()
	if err != nil {
		w.Fatal(err)
	}
	wrong := 0
	for topic, all := range records {
		if topic == "dead-letters" || topic == "import-requested" {
			continue // not ours, or not an event
		}
		for _, r := range all {
			if r.Header("dead_letter_wake") != "" {
				continue // stands for a timer
			}
			if err := validator.Validate(eventType(r), r.Value); err != nil && wrong < 10 {
				wrong++
				w.Errorf("%s partition %d offset %d: %v", topic, r.Partition, r.Offset, err)
			}
		}
	}
}

// wantEveryKind fails a run in which something did not occur that it is to
// prove. On a machine so slow that forms expired under their users, that says
// so instead of passing without proof.
func (w *world) wantEveryKind(f check.Figures) {
	w.Helper()
	for _, reason := range []string{"user_aborted", "form_expired", "all_accounts_failed"} {
		if f.Failed[reason] == 0 {
			w.Errorf("no import ended as %s: nothing is proved about it", reason)
		}
	}
	if least := min(100, f.Forms/2); f.Completed < least {
		w.Errorf("only %d imports completed, want %d: too little is proved", f.Completed, least)
	}
	if f.Rows < 20*(f.Completed-1)+1612 {
		w.Errorf("got %d rows of %d completed imports, want 20 of each and 1,612 of the large one", f.Rows, f.Completed)
	}
}

func (p plan) ids() []string {
	ids := make([]string, 0, len(p.imports))
	for _, i := range p.imports {
		ids = append(ids, i.importID)
	}
	return ids
}

func (i intent) String() string {
	switch i {
	case completes:
		return "completes"
	case aborts:
		return "aborts"
	case vanishes:
		return "vanishes"
	default:
		return fmt.Sprintf("intent %d", int(i))
	}
}
