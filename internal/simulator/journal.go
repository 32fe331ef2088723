package simulator

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// Journal is what the simulator has done: the truth that a test compares the
// results of others with. It is a copy. Forms, tasks and connections that were deleted
// or forgotten are not in it.
type Journal struct {
	Forms       []FormRecord           `json:"forms"`            // oldest first
	Tasks       []TaskRecord           `json:"tasks"`            // oldest first
	Connections []ConnectionRecord     `json:"connections"`      // by id
	Calls       map[string]map[int]int `json:"calls"`            // how many, by operation and status code; 0: the connection was reset
	Faults      map[string]int         `json:"faults,omitempty"` // how often each has hit, by name
}

// FormRecord is a web form.
type FormRecord struct {
	ID           string     `json:"id"`
	User         string     `json:"user"`
	BankID       int64      `json:"bank_id"` // 0: none chosen yet
	Status       string     `json:"status"`
	ErrorCode    string     `json:"error_code"`    // "" for none
	ConnectionID int64      `json:"connection_id"` // 0: none
	Created      time.Time  `json:"created"`
	Expires      time.Time  `json:"expires"`
	Ended        time.Time  `json:"ended,omitzero"`
	Callbacks    []Callback `json:"callbacks"`
}

// TaskRecord is an update task.
type TaskRecord struct {
	ID           string     `json:"id"`
	User         string     `json:"user"`
	ConnectionID int64      `json:"connection_id"`
	Status       string     `json:"status"`
	ErrorCode    string     `json:"error_code"` // "" for none
	FormID       string     `json:"form_id"`    // "" for none
	Created      time.Time  `json:"created"`
	Ended        time.Time  `json:"ended,omitzero"`
	Callbacks    []Callback `json:"callbacks"`
}

// ConnectionRecord is a bank connection with all its bank delivers, also while
// the download is still running.
type ConnectionRecord struct {
	ID       int64           `json:"id"`
	User     string          `json:"user"`
	BankID   int64           `json:"bank_id"`
	Ready    time.Time       `json:"ready"` // when the last download ends
	Accounts []AccountRecord `json:"accounts"`
}

// AccountRecord is an account. One that does not load has no rows.
type AccountRecord struct {
	ID       int64  `json:"id"`
	Type     string `json:"type"` // as Access spells it
	Number   string `json:"number"`
	Loaded   bool   `json:"loaded"`
	Rows     int    `json:"rows"`
	Income   string `json:"income"` // exact, as the provider writes amounts
	Spending string `json:"spending"`
	Balance  string `json:"balance"` // the sum of the rows
}

// RowRecord is a transaction.
type RowRecord struct {
	ID     int64
	Amount string
}

// Journal gives what has happened so far.
func (s *Simulator) Journal() Journal {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.settle(now)
	for id := range s.forms {
		s.formNow(id, now)
	}
	j := Journal{Forms: []FormRecord{}, Tasks: []TaskRecord{}, Connections: []ConnectionRecord{}, Calls: s.calls.copy(), Faults: s.faults.counts()}
	for _, f := range s.forms {
		j.Forms = append(j.Forms, f.record())
	}
	slices.SortFunc(j.Forms, func(a, b FormRecord) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	for _, t := range s.tasks {
		j.Tasks = append(j.Tasks, t.record(now))
	}
	slices.SortFunc(j.Tasks, func(a, b TaskRecord) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	for _, c := range s.connections {
		j.Connections = append(j.Connections, c.record())
	}
	slices.SortFunc(j.Connections, func(a, b ConnectionRecord) int { return cmp.Compare(a.ID, b.ID) })
	return j
}

// Rows are all transactions of an account by id, also while the download is
// still running and as bankView shows them; rows that a fault still lets arrive are not among them. An
// unknown account and one that does not load have none.
func (s *Simulator) Rows(accountID int64) iter.Seq[RowRecord] {
	return func(yield func(RowRecord) bool) {
		a := s.account(accountID)
		if a == nil || !a.loads() {
			return
		}
		for i := range a.rows + len(a.extra) {
			r := row{a, a.from + i}
			if r.hidden(false) {
				continue
			}
			if !yield(RowRecord{r.id(), a.cents(r.at).String()}) {
				return
			}
		}
	}
}

// account is a copy of an account as it is now, nil if there is none.
func (s *Simulator) account(id int64) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[id]
	if a == nil {
		return nil
	}
	copied := *a
	return &copied
}

func (f *form) record() FormRecord {
	r := FormRecord{
		ID: f.id, User: f.user.id, BankID: f.bank.ID, Status: string(f.status), ErrorCode: f.code,
		ConnectionID: f.connected, Created: f.created, Expires: f.expires, Ended: f.ended, Callbacks: copied(f.callbacks),
	}
	return r
}

func copied(callbacks []*Callback) []Callback {
	all := []Callback{}
	for _, c := range callbacks {
		all = append(all, *c)
	}
	return all
}

func (c *connection) record() ConnectionRecord {
	r := ConnectionRecord{ID: c.id, User: c.user.id, BankID: c.bank.ID, Ready: c.ready}
	for _, a := range c.accounts {
		record := AccountRecord{ID: a.id, Type: a.Type, Number: a.Number, Loaded: a.loads()}
		totals := a.totals
		if !a.loads() {
			totals = bankdata.Totals{}
		}
		record.Rows, record.Income = totals.Count, totals.Income.String()
		record.Spending, record.Balance = totals.Spending.String(), totals.Balance().String()
		r.Accounts = append(r.Accounts, record)
	}
	return r
}

// callCounter counts calls by operation and status code. Both are few.
type callCounter struct {
	mu sync.Mutex
	n  map[string]map[int]int
}

func (c *callCounter) add(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]map[int]int)
	}
	if c.n[operation] == nil {
		c.n[operation] = make(map[int]int)
	}
	c.n[operation][status]++
}

func (c *callCounter) copy() map[string]map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]map[int]int, len(c.n))
	for operation, statuses := range c.n {
		all[operation] = maps.Clone(statuses)
	}
	return all
}
