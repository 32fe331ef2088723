package devpage

import (
	"time"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

const (
	maxEvents    = 150 // kept of those that are not rows
	maxRowEvents = 50  // kept of rows, which would push all others out
)

// entry is one import as the page remembers it.
type entry struct {
	id       string
	first    time.Time // of its oldest record seen
	last     time.Time
	where    follow.Import
	request  *request
	bankName string
	began    [7]time.Time // when a step of the newest run began, by its number; zero: not seen
	beganRun int
	accounts accounts

	events    window[seenEvent]
	rowEvents window[seenEvent]
}

// seenEvent is a record of an import without its value.
type seenEvent struct {
	at        time.Time
	eventType string
	place     place
	id        string
}

func newEntry(id string, at time.Time) *entry {
	return &entry{
		id: id, first: at, last: at, where: follow.Import{ID: id},
		events: window[seenEvent]{most: maxEvents}, rowEvents: window[seenEvent]{most: maxRowEvents},
	}
}

// apply takes an event of the import in and reports whether the list of imports
// looks different with it.
func (e *entry) apply(r follow.Record) (listed bool) {
	if r.Time.Before(e.first) {
		e.first = r.Time
	}
	if r.Time.After(e.last) {
		e.last = r.Time
	}
	seen := seenEvent{r.Time, r.Type, place{r.Topic, r.Partition, r.Offset}, clip(r.ID)}
	if r.Topic == schemas.TopicTransactions {
		e.rowEvents.add(seen)
	} else {
		e.events.add(seen)
	}
	switch ev := r.Event.(type) {
	case schemas.ImportRequested:
		listed = e.ask(ev)
	case schemas.ConnectionReady:
		listed = e.nameBank(ev.BankName)
	case schemas.Account:
		listed = e.nameBank(ev.BankName)
		e.accounts.announce(ev)
	case schemas.Transaction:
		e.accounts.addRow(ev)
	case schemas.AccountsFetched:
		for _, a := range ev.Accounts {
			e.accounts.fetched(ev.Run, a)
		}
	case schemas.ImportStatus:
		e.noteStep(ev)
	}
	return e.where.Apply(r) || listed
}

// noteStep notes when a step began. A step's first status may be written by the
// stage before it.
func (e *entry) noteStep(s schemas.ImportStatus) {
	if s.Run < e.beganRun || s.Step.Number() == 0 {
		return
	}
	if s.Run > e.beganRun {
		e.beganRun, e.began = s.Run, [7]time.Time{}
	}
	at := &e.began[s.Step.Number()]
	if at.IsZero() || s.UpdatedAt.Before(*at) {
		*at = s.UpdatedAt.Time
	}
}

// request is what is kept of an import-requested.
type request struct {
	user, search     string
	bank, connection int64
}

// ask notes the request. A second one with the same id changes nothing, as it
// does for the stages.
func (e *entry) ask(r schemas.ImportRequested) bool {
	if e.request != nil {
		return false
	}
	e.request = &request{clip(r.UserID), clip(r.BankSearch), r.BankID, r.BankConnectionID}
	return true
}

func (e *entry) nameBank(name string) bool {
	if name == "" || e.bankName != "" {
		return false
	}
	e.bankName = clip(name)
	return true
}

// window keeps the newest values and how many there were.
type window[T any] struct {
	most  int
	kept  []T
	total int
}

func (w *window[T]) add(v T) {
	w.total++
	if len(w.kept) == w.most {
		copy(w.kept, w.kept[1:])
		w.kept[len(w.kept)-1] = v
		return
	}
	w.kept = append(w.kept, v)
}
