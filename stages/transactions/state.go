package transactions

import (
	"slices"
	"time"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

type phase string

const (
	reading   phase = "reading"
	completed phase = "completed"
	failed    phase = "failed"
	gaveUp    phase = "gave_up" // as reading, but only a redrive goes on
)

// state is what the stage remembers of an import. Names are short because it is
// written with every page, and an import may have hundreds of accounts.
type state struct {
	flow.Version

	Phase        phase           `json:"phase"`
	Run          int             `json:"run"`
	UserID       string          `json:"user_id,omitzero"`
	ConnectionID int64           `json:"connection_id,omitzero"`
	Categorized  bool            `json:"categorized,omitzero"`
	StartedAt    schemas.Instant `json:"started_at,omitzero"`
	Since        schemas.Instant `json:"since,omitzero"`    // when this step of the import began
	Statuses     int             `json:"statuses,omitzero"` // written by this stage in this run
	Accounts     []account       `json:"accounts,omitzero"` // read in this order
}

// account is how far the read of an account is.
type account struct {
	Key     string          `json:"k"`
	ID      int64           `json:"i"` // the provider's
	Type    string          `json:"t"`
	Loaded  bool            `json:"l,omitzero"`
	Failure schemas.Failure `json:"e,omitzero"`

	Read      int             `json:"n,omitzero"` // number of the newest read, also across runs; 0: none begun
	StartedAt schemas.Instant `json:"s,omitzero"` // of that read
	Rereads   int             `json:"x,omitzero"` // in this run
	Page      int             `json:"p,omitzero"` // next page of that read; 0: a new read begins
	Last      int64           `json:"a,omitzero"` // the provider's id of the last row published in that read
	Count     int             `json:"c,omitzero"` // rows published in that read
	Sum       string          `json:"m,omitzero"` // of their amounts; "": none
	First     string          `json:"f,omitzero"` // booking date
	Latest    string          `json:"b,omitzero"` // booking date

	Reported    int    `json:"rc,omitzero"` // rows, as the provider says
	ReportedSum string `json:"rs,omitzero"`
	Done        bool   `json:"d,omitzero"`
	Reconciled  bool   `json:"r,omitzero"`
}

// newState is the state of an import that the event in r hands over.
func newState(e schemas.AccountsFetched, r *pipeline.Record) *state {
	st := &state{
		Version: flow.NewVersion(), Phase: reading, Run: e.Run, UserID: e.UserID, ConnectionID: e.BankConnectionID,
		Categorized: e.Categorized, StartedAt: e.StartedAt, Since: schemas.At(flow.EventTime(r)),
	}
	for _, a := range e.Accounts {
		st.Accounts = append(st.Accounts, account{
			Key: a.AccountKey, ID: a.ProviderAccountID, Type: a.AccountType, Loaded: a.Loaded, Failure: a.Failure,
		})
	}
	return st
}

// next begins the next run of an import that was given up. Accounts that are
// finished stay so; the others are read from the start, under the next number.
func (s *state) next(t pipeline.Trigger) (pipeline.Result, error) {
	s.Phase, s.Run, s.StartedAt, s.Since, s.Statuses = reading, s.Run+1, schemas.At(t.Now), schemas.At(t.Now), 0
	for i := range s.Accounts {
		if a := &s.Accounts[i]; !a.Done {
			a.restart()
			a.Rereads = 0
		}
	}
	out := flow.NewOutbox(Name, t)
	out.Add(s.status(t))
	return out.Result(s, pipeline.WakeAt(t.Now))
}

// unfinished returns the account to read, nil when there is none.
func (s *state) unfinished() *account {
	for i := range s.Accounts {
		if a := &s.Accounts[i]; a.Loaded && !a.Done {
			return a
		}
	}
	return nil
}

// deleted notes accounts that are not there any more and have no rows: the
// provider answers for them as for one that never had any.
func (s *state) deleted(there []int64) {
	for i := range s.Accounts {
		if a := &s.Accounts[i]; a.Loaded && a.Count == 0 && !slices.Contains(there, a.ID) {
			a.Loaded, a.Failure = false, schemas.FailureDeleted
		}
	}
}

// begin starts the next read of the account. Readers tell newer reads by when
// they started, so that time rises also where clocks do not agree.
func (a *account) begin(now time.Time) {
	a.Read++
	if next := a.StartedAt.Add(time.Millisecond); a.StartedAt.IsZero() || now.After(next) {
		a.StartedAt = schemas.At(now)
	} else {
		a.StartedAt = schemas.At(next)
	}
	a.Page = 1
}

// restart forgets what the newest read has found.
func (a *account) restart() {
	a.Page, a.Last, a.Count, a.Sum, a.First, a.Latest, a.Reported, a.ReportedSum = 0, 0, 0, "", "", "", 0, ""
}

// done is what remains of the state once the import has ended.
func (s *state) done(p phase) *state {
	return &state{Version: flow.NewVersion(), Phase: p, Run: s.Run}
}

func (s *state) importOf(key string) flow.Import {
	return flow.Import{ID: key, Run: s.Run, UserID: s.UserID, StartedAt: s.StartedAt, ConnectionID: s.ConnectionID}
}

// progress is how many rows are read, and of how many as far as the provider
// has told: it counts an account's rows only when its reading begins.
func (s *state) progress() (read, total int) {
	for _, a := range s.Accounts {
		read += a.Count
		total += max(a.Count, a.Reported)
	}
	return read, total
}

// status tells how far the reading is.
func (s *state) status(t pipeline.Trigger) schemas.ImportStatus {
	s.Statuses++
	read, total := s.progress()
	status := s.importOf(t.Key).Status(schemas.StepReadingTransactions, schemas.WaitingForUs, s.Since.Time, t.Now)
	status.Counter = s.Statuses
	status.Accounts, status.TransactionsRead = new(len(s.Accounts)), new(read)
	if total > 0 {
		status.TransactionsTotal = new(total)
	}
	return status
}

// completed is the good end of the import.
func (s *state) completed(t pipeline.Trigger) schemas.ImportCompleted {
	e := schemas.ImportCompleted{
		ImportID: t.Key, Run: s.Run, UserID: s.UserID, BankConnectionID: s.ConnectionID, Categorized: s.Categorized,
		StartedAt: s.StartedAt, CompletedAt: schemas.At(t.Now),
	}
	for _, a := range s.Accounts {
		c := schemas.CompletedAccount{
			AccountKey: a.Key, ProviderAccountID: a.ID, AccountType: a.Type, Loaded: a.Loaded, Failure: a.Failure,
		}
		if a.Loaded {
			c.AccountRead = a.figures()
		}
		e.Accounts = append(e.Accounts, c)
		e.Partial = e.Partial || !a.Loaded
		e.Transactions += a.Count
	}
	return e
}

func (a account) figures() *schemas.AccountRead {
	return &schemas.AccountRead{
		Read: a.Read, ReadStartedAt: a.StartedAt, Count: a.Count, Sum: a.sum(),
		FirstBookingDate: a.First, LastBookingDate: a.Latest,
		ReportedCount: a.Reported, ReportedSum: a.ReportedSum, Reconciled: a.Reconciled,
	}
}

func (a account) sum() string {
	if a.Sum == "" {
		return "0"
	}
	return a.Sum
}
