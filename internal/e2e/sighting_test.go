package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/simulator"
)

// sighting is what a reader of the topics sees of one import.
type sighting struct {
	ends       []ending
	statuses   []importStatus
	hinted     time.Time // newest callback
	duplicates int       // rows that the provider marks
	adjusting  int
}

// importStatus is an import-status.
type importStatus struct {
	ImportID      string    `json:"import_id"`
	Step          string    `json:"step"`
	WaitingFor    string    `json:"waiting_for"`
	SinceAt       time.Time `json:"since_at"`
	UntilAt       time.Time `json:"until_at"`
	FormExpiresAt time.Time `json:"form_expires_at"`
}

// sightings are those of all imports, by their id.
func sightings(t *testing.T, records check.Records) map[string]*sighting {
	t.Helper()
	all := make(map[string]*sighting)
	of := func(id string) *sighting {
		if all[id] == nil {
			all[id] = &sighting{}
		}
		return all[id]
	}
	for _, topic := range []string{"import-completed", "import-failed"} {
		for _, r := range records[topic] {
			e := read[ending](t, r.Value)
			of(e.ImportID).ends = append(of(e.ImportID).ends, e)
		}
	}
	for _, r := range records["import-status"] {
		e := read[importStatus](t, r.Value)
		of(e.ImportID).statuses = append(of(e.ImportID).statuses, e)
	}
	for _, r := range records["webform-completed"] {
		e := read[struct {
			ImportID   string    `json:"import_id"`
			EndedBy    string    `json:"ended_by"`
			ObservedAt time.Time `json:"observed_at"`
		}](t, r.Value)
		if s := of(e.ImportID); e.EndedBy == "callback" && e.ObservedAt.After(s.hinted) {
			s.hinted = e.ObservedAt
		}
	}
	for _, r := range records["transactions"] {
		e := read[struct {
			ImportID  string `json:"import_id"`
			Duplicate bool   `json:"potential_duplicate"`
			Adjusting bool   `json:"adjusting_entry"`
		}](t, r.Value)
		if e.Duplicate {
			of(e.ImportID).duplicates++
		}
		if e.Adjusting {
			of(e.ImportID).adjusting++
		}
	}
	return all
}

func read[T any](t *testing.T, value []byte) (e T) {
	t.Helper()
	if err := json.Unmarshal(value, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// waits are whom the import has waited for, one after the other.
func (s *sighting) waits() (all []string) {
	for _, status := range s.statuses {
		if len(all) == 0 || all[len(all)-1] != status.WaitingFor {
			all = append(all, status.WaitingFor)
		}
	}
	return all
}

// statusProblem says which status does not name who is waited for and until
// when, or "". The bank's download is waited for so long.
func (s *sighting) statusProblem(download time.Duration) string {
	for _, e := range s.statuses {
		var until time.Time
		switch e.Step + " " + e.WaitingFor {
		case "requested us", "reading_accounts us", "reading_transactions us", "completed nobody", "failed nobody":
		case "form_open user":
			until = e.FormExpiresAt.Add(formGrace)
		case "downloading bank":
			until = e.SinceAt.Add(download)
		case "downloading provider":
			until = e.SinceAt.Add(caseCategories)
		default:
			return fmt.Sprintf("step %s waits for %s", e.Step, e.WaitingFor)
		}
		if !e.UntilAt.Equal(until) {
			return fmt.Sprintf("step %s waits for %s until %s, want %s", e.Step, e.WaitingFor, e.UntilAt, until)
		}
	}
	return ""
}

// categoriesWaited reports whether the accounts were read only when the wait for
// categories was to be over.
func (s *sighting) categoriesWaited() bool {
	for i, e := range s.statuses[1:] {
		if before := s.statuses[i]; e.Step == "reading_accounts" {
			return before.WaitingFor == "provider" && !e.SinceAt.Before(before.UntilAt)
		}
	}
	return false
}

// fault switches a fault on, as a command line spells it.
func (w *world) fault(text string) {
	w.Helper()
	f, err := simulator.ParseFault(text)
	if err == nil {
		err = w.sim.SetFault(f)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// awaitCallbacks returns when the provider has sent all callbacks that it has to.
func (w *world) awaitCallbacks() {
	w.Helper()
	for waiting := true; waiting; {
		waiting = false
		for _, f := range w.sim.Journal().Forms {
			for _, c := range f.Callbacks {
				waiting = waiting || c.Outcome == "waiting"
			}
		}
		if waiting && !pause(w.ctx, 100*time.Millisecond) {
			w.Fatal("callbacks are still waiting to be sent")
		}
	}
}
