package simulator

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const (
	maxShown    = 50 // forms, tasks and connections on the front page
	maxWatchers = 64 // front pages that are kept up to date
	watchEvery  = 500 * time.Millisecond
)

// front is what the front page shows.
type front struct {
	Page, Title            string
	Now                    time.Time
	Login, NoTANLogin, TAN string
	Banks                  []Bank
	Forms                  []frontForm
	AllForms               int
	Tasks                  []frontTask
	AllTasks               int
	Connections            []frontConnection
	AllConnections         int
	MaxShown               int
	Faults                 frontFaults
}

type frontForm struct {
	ID, User, Bank   string
	Status           string
	Word, Mark, Code string
	Open             string // path, while nobody has opened it
	Created, Expires time.Time
	Ended            time.Time // zero: it has not
	Callback         string
}

type frontTask struct {
	ID, User, Bank   string
	Word, Mark, Code string
	Form             string // id of the form that it needs
	Created, Ended   time.Time
	Callback         string
}

type frontConnection struct {
	ID         int64
	User, Bank string
	Word, Mark string
	Made       time.Time
	Accounts   []frontAccount
	Removable  bool
}

type frontAccount struct {
	Name, Word string
	Balance    interface{ String() string }
	Known      bool // the balance
	Rows       int
}

// frontPage is what the simulator is and what has happened in it.
func (s *Simulator) frontPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, http.StatusOK, "front", s.viewOfFront(r.URL.Query().Get("group")))
}

// viewOfFront is everything, with one group of faults unfolded.
func (s *Simulator) viewOfFront(group string) front {
	v := s.viewOfState()
	v.Faults = s.viewOfFaults(group, nil, nil)
	v.Faults.Users = v.usersShown()
	return v
}

func (s *Simulator) viewOfState() front {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.settle(now)
	v := front{
		Page: "front", Title: "Provider simulator", Now: now, Login: demoLogin, NoTANLogin: noTANLogin, TAN: demoTAN,
		Banks:    s.catalogue.Search(""),
		AllForms: len(s.forms), AllTasks: len(s.tasks), AllConnections: len(s.connections), MaxShown: maxShown,
	}
	forms := make([]*form, 0, len(s.forms))
	for _, f := range s.forms {
		forms = append(forms, f)
	}
	slices.SortFunc(forms, func(a, b *form) int { return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.id, b.id)) })
	for _, f := range forms[:min(len(forms), maxShown)] {
		if f = s.formNow(f.id, now); f != nil {
			v.Forms = append(v.Forms, f.onFront())
		}
	}
	tasks := slices.Collect(maps.Values(s.tasks))
	slices.SortFunc(tasks, func(a, b *task) int { return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.id, b.id)) })
	for _, t := range tasks[:min(len(tasks), maxShown)] {
		v.Tasks = append(v.Tasks, s.taskOnFront(t, now))
	}
	connections := make([]*connection, 0, len(s.connections))
	for _, c := range s.connections {
		connections = append(connections, c)
	}
	slices.SortFunc(connections, func(a, b *connection) int { return cmp.Compare(b.id, a.id) })
	for _, c := range connections[:min(len(connections), maxShown)] {
		v.Connections = append(v.Connections, c.onFront(now))
	}
	return v
}

func (f *form) onFront() frontForm {
	v := frontForm{
		ID: f.id, User: f.user.id, Bank: f.bank.Name, Status: string(f.status), Code: f.code,
		Created: f.created, Expires: f.expires, Ended: f.ended,
	}
	v.Word, v.Mark = f.word()
	if f.status == api.WebFormStatusNotYetOpened {
		v.Open = "/wf/" + f.id
	}
	v.Callback = outcomes(f.callbacks)
	return v
}

// outcomes are what became of callbacks.
func outcomes(callbacks []*Callback) string {
	var all []string
	for _, c := range callbacks {
		all = append(all, c.Outcome)
	}
	return strings.Join(all, ", ")
}

func (s *Simulator) taskOnFront(t *task, now time.Time) frontTask {
	v := frontTask{ID: t.id, User: t.user.id, Code: t.code, Created: t.created, Ended: t.ended, Callback: outcomes(t.callbacks)}
	if b, ok := s.catalogue.Bank(t.bank); ok {
		v.Bank = b.Name
	}
	if t.form != nil {
		v.Form = t.form.id
	}
	switch t.statusAt(now) {
	case taskNotYetStarted:
		v.Word, v.Mark = "not started yet", "waiting"
	case taskInProgress:
		v.Word, v.Mark = "running", "running"
	case taskWebFormRequired:
		v.Word, v.Mark = "needs a web form", "stopped"
	case taskCompleted:
		v.Word, v.Mark = "completed", "good"
	default:
		v.Word, v.Mark = "completed with an error", "bad"
	}
	return v
}

// word says how a form stands, and with which sign.
func (f *form) word() (word, mark string) {
	switch f.status {
	case api.WebFormStatusNotYetOpened:
		return "not opened yet", "waiting"
	case api.WebFormStatusInProgress:
		return "being filled in", "running"
	case api.WebFormStatusCompleted:
		return "completed", "good"
	case api.WebFormStatusCompletedWithError:
		return "completed with an error", "bad"
	case api.WebFormStatusExpired:
		return "expired", "stopped"
	case api.WebFormStatusAborted:
		return "aborted by the user", "stopped"
	default:
		return "cancelled by the client", "stopped"
	}
}

func (c *connection) onFront(now time.Time) frontConnection {
	v := frontConnection{ID: c.id, User: c.user.id, Bank: c.bank.Name, Made: c.made, Removable: !c.busy(now) || c.stuck}
	switch {
	case c.downloading(now):
		v.Word, v.Mark = "downloading", "running"
	case c.busy(now):
		v.Word, v.Mark = "categorizing", "running"
	default:
		v.Word, v.Mark = "ready", "good"
	}
	for _, a := range c.accounts {
		shown := frontAccount{Name: a.Name, Balance: a.Balance, Known: a.loaded(now) && a.balances, Rows: max(0, a.visibleRows(now)-a.parts)}
		switch a.status(now) {
		case api.AccountInterfaceStatusDownloadInProgress:
			shown.Word = "downloading"
		case api.AccountInterfaceStatusDownloadFailed:
			shown.Word = "failed"
		}
		v.Accounts = append(v.Accounts, shown)
	}
	return v
}

// disconnect removes a connection, so that its user can connect the bank again.
func (s *Simulator) disconnect(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	s.mu.Lock()
	if c := s.connections[id]; c != nil && (!c.busy(s.clock.Now()) || c.stuck) {
		s.forgetConnection(c)
	}
	s.mu.Unlock()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// writeJournal hands out the journal as JSON.
func (s *Simulator) writeJournal(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(s.Journal()); err != nil {
		s.log.Debug("journal was not read to its end", "err", err)
	}
}

// tellChanges is a stream of server-sent events: one whenever the front page would
// look different. Most of what it shows follows from the time, so it looks again
// and again instead of being told.
func (s *Simulator) tellChanges(w http.ResponseWriter, r *http.Request) {
	if n := s.watchers.Add(1); n > maxWatchers {
		s.watchers.Add(-1)
		http.Error(w, "too many pages are open; reload to see what is new", http.StatusServiceUnavailable)
		return
	}
	defer s.watchers.Add(-1)
	stream := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := stream.Flush(); err != nil {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen, busy := s.changes.Load(), true
	for {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
		now, still := s.changes.Load(), s.anythingRuns()
		if now == seen && !busy && !still {
			continue
		}
		seen, busy = now, still
		if _, err := w.Write([]byte("data: changed\n\n")); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
	}
}

// anythingRuns says that time alone changes what the front page shows soon.
func (s *Simulator) anythingRuns() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if slices.ContainsFunc(s.running, func(t *task) bool { return !t.stuck }) {
		return true
	}
	for i := len(s.oldest) - 1; i >= 0 && i >= len(s.oldest)-maxShown; i-- {
		if s.oldest[i].busy(now) && !s.oldest[i].stuck {
			return true
		}
	}
	return false
}
