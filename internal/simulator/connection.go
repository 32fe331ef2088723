package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// connection is a bank that a user has connected. It does not change once it is
// made: how far the download is follows from the time alone. An update puts a copy
// in its place; see update.go.
//
//	made ── downloading ──▶ ready ── categorizing ──▶ categorized
//	        no balances,            rows without
//	        no rows                 categories
type connection struct {
	id          int64
	user        *user
	bank        Bank
	name        string
	via         string // the banking interface
	maxDays     int
	made        time.Time
	started     time.Time // the download, which is an update's if it is not made
	ready       time.Time
	pending     time.Time // when categorizing is queued: ready, but for a fault
	running     time.Time // when it then runs
	categorized time.Time
	accounts    []*account
	before      api.UpdateResult // until the download has ended

	troubles
}

// troubles are what faults do to a connection, until its next update.
type troubles struct {
	stuck          bool          // it never gets there
	again          time.Duration // after which the download runs again, for as long; 0: never
	bare           bool          // nothing is ever categorized
	actionRequired bool
	rejected       bool // the bank refused the login in the end
}

// plan sets how long the download and then categorizing take.
func (c *connection) plan(download, categorizing time.Duration) {
	c.ready = c.started.Add(download)
	c.pending, c.running, c.categorized = c.ready, c.ready.Add(categorizing/2), c.ready.Add(categorizing)
}

// account is an account of a connection. Faults change its rows, with the mutex
// held; readers without it use a copy.
type account struct {
	id         int64
	connection *connection
	bankdata.Account
	balances bool  // whether its balance was asked for
	from     int   // position of its first row in the ledger
	rows     int   // how many there are from there on
	firstRow int64 // id of that row; the ids of the others follow
	totals   bankdata.Totals
	before   time.Time // when the data came that an update replaces; zero: there are none

	// By faults.
	failed   bool             // the download
	extra    []extraRow       // behind the others
	toCome   int              // more of them
	parts    int              // of them are parts of rows that were split
	odd      []bankdata.Cents // amounts of the first rows
	imported time.Time        // zero: when the connection was ready
	standing api.AccountInterfaceStatus

	pending      int   // rows that are not booked yet
	firstPending int64 // id of the first of them
}

// importedAt is when the rows came.
func (a *account) importedAt() time.Time {
	if a.imported.IsZero() {
		return a.connection.ready
	}
	return a.imported
}

func (c *connection) downloading(now time.Time) bool { return now.Before(c.ready) }

// busy says that nothing about the connection may be changed.
func (c *connection) busy(now time.Time) bool { return now.Before(c.categorized) }

func (c *connection) updateStatus(now time.Time) api.UpdateStatus {
	since := now.Sub(c.ready)
	if c.downloading(now) || c.again > 0 && since >= c.again && since < 2*c.again {
		return api.UpdateStatusInProgress
	}
	return api.UpdateStatusReady
}

// categorizationStatus means something only once the download is ready. Until
// then it stays what it is for a connection that has nothing to categorize.
func (c *connection) categorizationStatus(now time.Time) api.CategorizationStatus {
	switch {
	case now.Before(c.pending), !now.Before(c.categorized):
		return api.CategorizationStatusReady
	case now.Before(c.running):
		return api.CategorizationStatusPending
	default:
		return api.CategorizationStatusInProgress
	}
}

// fails says that the download does not bring the account's data.
func (a *account) fails() bool { return a.Fails || a.failed }

// loads says that the account has its data when the download has ended.
func (a *account) loads() bool { return !a.fails() || !a.before.IsZero() }

// updated is when its data came, the zero time while it has none. An update that
// runs or fails leaves what was there.
func (a *account) updated(now time.Time) time.Time {
	if a.fails() || a.connection.downloading(now) {
		return a.before
	}
	return a.connection.ready
}

// loaded says that the account has its data.
func (a *account) loaded(now time.Time) bool { return !a.updated(now).IsZero() }

// visibleRows is how many rows a reader sees.
func (a *account) visibleRows(now time.Time) int {
	if !a.loaded(now) {
		return 0
	}
	return a.rows + len(a.extra)
}

func (a *account) status(now time.Time) api.AccountInterfaceStatus {
	switch {
	case a.connection.downloading(now):
		return api.AccountInterfaceStatusDownloadInProgress
	case a.fails():
		return api.AccountInterfaceStatusDownloadFailed
	case a.standing != "":
		return a.standing
	default:
		return api.AccountInterfaceStatusUpdated
	}
}

// connect makes a connection of what the user has chosen in a form. The caller
// holds the mutex.
func (s *Simulator) connect(f *form, chosen []bankdata.Account, now time.Time) *connection {
	c := &connection{
		id: s.id(), user: f.user, bank: f.bank, name: f.request.BankConnectionName, via: f.via(),
		maxDays: f.request.MaxDaysForDownload,
		made:    now, started: now,
	}
	c.plan(s.config.DownloadTime, s.config.CategorizationTime)
	for _, data := range chosen {
		c.accounts = append(c.accounts, s.newAccount(c, data, f.request))
	}
	s.strike(c.target(), func(k *faultKind) bool { return k.connect != nil }, func(k *faultKind, x Fault) { k.connect(s, c, x) })
	s.enter(c)
	f.user.connections = append(f.user.connections, c)
	s.oldest = append(s.oldest, c)
	for len(s.connections) > s.config.MaxConnections || s.connections[s.oldest[0].id] == nil {
		s.forgetConnection(s.oldest[0]) // or it is gone already
		s.oldest = s.oldest[1:]
	}
	s.changed()
	return c
}

// newAccount makes an account of a connection. The caller holds the mutex.
func (s *Simulator) newAccount(c *connection, data bankdata.Account, r api.ImportFormRequest) *account {
	a := &account{id: s.id(), connection: c, Account: data, balances: !r.SkipBalancesDownload}
	if !r.SkipPositionsDownload {
		a.fetch()
	}
	return a
}

// fetch gives the account the rows that its bank has.
func (a *account) fetch() {
	a.from = a.Ledger.Since(a.connection.maxDays)
	a.rows = a.Ledger.Len() - a.from
	a.totals = a.Ledger.Totals(a.from)
}

// enter puts a connection where all are found, in the place of the one with its
// id. Rows that have no ids get them. The caller holds the mutex.
func (s *Simulator) enter(c *connection) {
	for _, a := range c.accounts {
		if a.firstRow == 0 {
			a.firstRow = s.ids(a.rows)
		}
		s.accounts[a.id] = a
	}
	s.connections[c.id] = c
}

func (c *connection) target() target { return target{user: c.user.id, bank: c.bank.ID} }

// connectionTo finds a user's connection to a bank. The caller holds the mutex.
func (s *Simulator) connectionTo(u *user, bank int64) *connection {
	for _, c := range u.connections {
		if c.bank.ID == bank {
			return c
		}
	}
	return nil
}

// forgetConnection takes a connection out. The caller holds the mutex.
func (s *Simulator) forgetConnection(c *connection) {
	delete(s.connections, c.id)
	for _, a := range c.accounts {
		delete(s.accounts, a.id)
	}
	c.user.connections = slices.DeleteFunc(slices.Clone(c.user.connections), func(other *connection) bool { return other == c })
	s.changed()
}

// ownConnection finds the connection that the path names. The caller holds the
// mutex.
func (s *Simulator) ownConnection(c *call) (*connection, *refusal) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, badRequest("Die ID ist keine Zahl.", "The id is not a number.")
	}
	conn := s.connections[id]
	if conn == nil || conn.user != c.user() {
		return nil, unknownEntity()
	}
	return conn, nil
}

// getConnection is GET /api/v2/bankConnections/{id}.
func (s *Simulator) getConnection(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, no := s.ownConnection(c)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, s.writtenConnection(conn, c.now), nil
}

type connectionList struct {
	Connections []api.BankConnection `json:"connections"`
}

// listConnections is GET /api/v2/bankConnections. It has no pages.
func (s *Simulator) listConnections(c *call) (int, any, *refusal) {
	q := c.query()
	ids := q.ids("ids")
	if q.no != nil {
		return 0, nil, q.no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := connectionList{Connections: []api.BankConnection{}}
	for _, conn := range c.user().connections {
		if ids == nil || ids[conn.id] {
			list.Connections = append(list.Connections, s.writtenConnection(conn, c.now))
		}
	}
	return http.StatusOK, list, nil
}

// deleteConnection is DELETE /api/v2/bankConnections/{id}.
func (s *Simulator) deleteConnection(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, no := s.ownConnection(c)
	if no != nil {
		return 0, nil, no
	}
	if conn.busy(c.now) || s.taskRuns(conn) {
		return 0, nil, locked()
	}
	s.forgetConnection(conn)
	return http.StatusOK, nil, nil
}

// lastUpdate is what the last download that has ended came to. OK says that the
// login worked, whatever became of the accounts.
func (c *connection) lastUpdate(now time.Time) api.UpdateResult {
	if c.downloading(now) {
		return c.before
	}
	r := api.UpdateResult{Result: api.UpdateResultCodeOK, Timestamp: accessTime(c.ready)}
	if c.rejected {
		r.Result = api.UpdateResultCodeBankServerRejection
		r.ErrorType, r.ErrorMessage = string(api.ErrorTypeBusiness), errorMessage(codeBankRejection)
	}
	return r
}

func (s *Simulator) writtenConnection(c *connection, now time.Time) api.BankConnection {
	via := api.BankConnectionInterface{
		BankingInterface:   api.BankingInterface(c.via),
		LoginCredentials:   []map[string]any{{"label": loginLabel, "value": nil}, {"label": passwordLabel, "value": nil}},
		TwoStepProcedures:  []map[string]any{},
		UserActionRequired: &c.actionRequired,
		MaxDaysForDownload: api.UnreadInt(c.maxDays),
		LastManualUpdate:   c.lastUpdate(now),
	}
	written := api.BankConnection{
		ID: c.id, Name: api.UnreadText(c.name), Bank: s.writtenBank(c.bank),
		UpdateStatus: c.updateStatus(now), CategorizationStatus: c.categorizationStatus(now),
		Interfaces: []api.BankConnectionInterface{via},
		AccountIds: []int64{},
	}
	for _, a := range c.accounts {
		written.AccountIds = append(written.AccountIds, a.id)
	}
	return written
}
