package follow

import (
	"time"

	"github.com/bankimport/bankimport/schemas"
)

// Topics are those that say where an import stands.
func Topics() []string {
	return []string{schemas.TopicImportStatus, schemas.TopicWebformCreated, schemas.TopicImportCompleted, schemas.TopicImportFailed}
}

// Import is where one import stands, as far as its events have been seen. The
// zero value is one of which nothing is known.
type Import struct {
	ID        string
	Run       int
	UserID    string
	Status    schemas.ImportStatus // the newest; zero Step: none yet
	FormURL   string               // secret: it opens the form
	Completed *schemas.ImportCompleted
	Failed    *schemas.ImportFailed
	FirstSeen time.Time
	LastSeen  time.Time
}

// Ended reports whether the newest run has its final event.
func (i *Import) Ended() bool { return i.Completed != nil || i.Failed != nil }

// Step is how far the import is, the final event counting before any status.
func (i *Import) Step() schemas.Step {
	switch {
	case i.Completed != nil:
		return schemas.StepCompleted
	case i.Failed != nil:
		return schemas.StepFailed
	case i.Status.Step == "":
		return schemas.StepRequested
	default:
		return i.Status.Step
	}
}

// Apply takes an event of the import in and reports whether it says something
// new. Events of different topics may come in any order, those of one topic in
// the order of their offsets; those of an older run say nothing.
func (i *Import) Apply(r Record) bool {
	run, ok := runOf(r.Event)
	if !ok || run < i.Run {
		return false
	}
	if run > i.Run {
		*i = Import{ID: i.ID, UserID: i.UserID, Run: run, FirstSeen: i.FirstSeen, LastSeen: i.LastSeen}
	}
	if i.FirstSeen.IsZero() || r.Time.Before(i.FirstSeen) {
		i.FirstSeen = r.Time
	}
	if r.Time.After(i.LastSeen) {
		i.LastSeen = r.Time
	}
	user := ""
	switch e := r.Event.(type) {
	case schemas.ImportStatus:
		// Within a step the order on the topic counts and not UpdatedAt: the clock
		// of the process that took over may be behind.
		if e.StepNo < i.Status.StepNo {
			return false
		}
		i.ID, user, i.Status = e.ImportID, e.UserID, e
	case schemas.WebformCreated:
		i.ID, user, i.FormURL = e.ImportID, e.UserID, e.URL
	case schemas.ImportCompleted:
		i.ID, user, i.Completed, i.Failed = e.ImportID, e.UserID, &e, nil
	case schemas.ImportFailed:
		i.ID, user, i.Failed, i.Completed = e.ImportID, e.UserID, &e, nil
	}
	if user != "" {
		i.UserID = user
	}
	return true
}

func runOf(e schemas.Event) (int, bool) {
	switch e := e.(type) {
	case schemas.ImportStatus:
		return e.Run, true
	case schemas.WebformCreated:
		return e.Run, true
	case schemas.ImportCompleted:
		return e.Run, true
	case schemas.ImportFailed:
		return e.Run, true
	default:
		return 0, false
	}
}
