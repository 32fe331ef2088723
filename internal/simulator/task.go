package simulator

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// taskStatus is how far a task is.
type taskStatus string

const (
	taskNotYetStarted   taskStatus = "NOT_YET_STARTED"
	taskInProgress      taskStatus = "IN_PROGRESS"
	taskWebFormRequired taskStatus = "WEB_FORM_REQUIRED"
	taskCompleted       taskStatus = "COMPLETED"
	taskFailed          taskStatus = "COMPLETED_WITH_ERROR"
)

// task updates a connection. What it goes through, by the clock alone:
//
//	NOT_YET_STARTED ──▶ IN_PROGRESS ──▶ COMPLETED             the download begins
//	                         ├────────▶ WEB_FORM_REQUIRED     a form is made
//	                         └────────▶ COMPLETED_WITH_ERROR  see code
//
// The connection is locked until then. The last three are final, also the one in
// the middle: the form goes on with the update, and the task shows the form's
// status, but keeps its own. Like a form, COMPLETED says nothing about the download.
type task struct {
	id         string
	user       *user
	token      *token // that created it; needed at the end, then nil
	request    updateRequest
	connection int64
	bank       int64
	created    time.Time
	starts     time.Time
	ends       time.Time
	plan       taskEnd
	stuck      bool // by a fault: it never ends

	status    taskStatus // "" until it is final
	code      string     // why it ended with an error
	form      *form      // nil: none was needed
	ended     time.Time
	alarm     *appointment
	callbacks []*Callback
}

// taskEnd is how a task will end, unless something comes in between.
type taskEnd struct {
	status  taskStatus
	code    string
	updates bool // the connection
	gone    bool // the task is deleted at once
}

func (t *task) target() target { return target{user: t.user.id, bank: t.bank} }

func (t *task) statusAt(now time.Time) taskStatus {
	switch {
	case t.status != "":
		return t.status
	case now.Before(t.starts):
		return taskNotYetStarted
	default:
		return taskInProgress
	}
}

// newTask makes a task for a connection. The caller holds the mutex.
func (s *Simulator) newTask(c *connection, by *token, r updateRequest, now time.Time) *task {
	t := &task{
		id: uuid.NewString(), user: c.user, token: by, request: r, connection: c.id, bank: c.bank.ID,
		created: now, starts: now.Add(s.config.TaskTime / 2), ends: now.Add(s.config.TaskTime),
		plan: taskEnd{status: taskCompleted, updates: true},
	}
	if r.managesSettings || c.actionRequired {
		t.plan = taskEnd{status: taskWebFormRequired}
	}
	s.strike(t.target(), func(k *faultKind) bool { return k.task != nil }, func(k *faultKind, x Fault) { k.task(t, x) })
	s.tasks[t.id] = t
	t.user.tasks = append(t.user.tasks, t)
	s.running = append(s.running, t)
	t.alarm = s.agenda.at(t.ends, func() { s.catchUp(s.clock.Now()) })
	s.changed()
	return t
}

// taskRuns says that a task of the connection has not ended. The caller holds the
// mutex.
func (s *Simulator) taskRuns(c *connection) bool {
	return slices.ContainsFunc(s.running, func(t *task) bool { return t.connection == c.id })
}

// catchUp ends the tasks whose time has come, so that every call finds what has
// become of them. The clock calls it too, for the callbacks.
func (s *Simulator) catchUp(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(now)
}

// settle is catchUp for a caller that holds the mutex.
func (s *Simulator) settle(now time.Time) {
	for _, t := range slices.Clone(s.running) {
		if !now.Before(t.ends) {
			s.endTask(t, t.ends)
		}
	}
}

// endTask makes a task final, does what follows from that, and calls back. The
// caller holds the mutex.
func (s *Simulator) endTask(t *task, at time.Time) {
	e, c := t.plan, s.connections[t.connection]
	switch {
	case c == nil: // somebody has deleted it
		e = taskEnd{status: taskFailed, code: codeOddAnswer}
	case !t.token.alive(at):
		e = taskEnd{status: taskFailed, code: codeInvalidToken}
	}
	t.status, t.code, t.ended = e.status, e.code, at
	if e.updates {
		s.update(c, t.request, at)
	}
	if e.status == taskWebFormRequired {
		t.form = s.newForm(t.user, t.token, t.request.form, c.bank, at)
		t.form.task = t
	}
	t.token = nil
	s.stopped(t)
	s.settled = append(s.settled, t)
	for len(s.settled) > s.config.MaxForms {
		s.forgetTask(s.settled[0])
		s.settled = s.settled[1:]
	}
	s.tellTask(t, at)
	if e.gone {
		s.forgetTask(t)
	}
	s.changed()
}

// tellTask calls back. Whether the form that a task needs would inherit a callback
// is not documented; here it has none. The caller holds the mutex.
func (s *Simulator) tellTask(t *task, at time.Time) {
	p := &parcel{url: t.request.finalised, of: aTask, id: t.id, status: string(t.status)}
	if t.form != nil {
		p.url, p.form = t.request.webFormRequired, s.infoOf(t.form)
	}
	if p.url != "" {
		s.callBack(t.target(), p, &t.callbacks, at)
	}
}

// forgetTask takes a task out. The caller holds the mutex.
func (s *Simulator) forgetTask(t *task) {
	delete(s.tasks, t.id)
	t.user.tasks = slices.DeleteFunc(t.user.tasks, func(other *task) bool { return other == t })
	s.stopped(t)
	s.changed()
}

// stopped says that a task does not run any more. The caller holds the mutex.
func (s *Simulator) stopped(t *task) {
	s.running = slices.DeleteFunc(s.running, func(other *task) bool { return other == t })
	s.agenda.cancel(t.alarm)
}

func (t *task) record(now time.Time) TaskRecord {
	r := TaskRecord{
		ID: t.id, User: t.user.id, ConnectionID: t.connection, Status: string(t.statusAt(now)), ErrorCode: t.code,
		Created: t.created, Ended: t.ended, Callbacks: copied(t.callbacks),
	}
	if t.form != nil {
		r.FormID = t.form.id
	}
	return r
}

// webFormInfo is what a task tells of its form.
type webFormInfo struct {
	ID     string            `json:"id"`
	URL    string            `json:"url"`
	Status api.WebFormStatus `json:"status"`
}

func (s *Simulator) infoOf(f *form) *webFormInfo {
	return &webFormInfo{ID: f.id, URL: s.formURL(f.id), Status: f.status}
}
