package simulator

import (
	"slices"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// updateRequest is what POST /api/tasks/backgroundUpdate asks for.
type updateRequest struct {
	connection      int64
	newAccounts     bool // are looked for
	managesSettings bool // which takes the user, so a form
	finalised       string
	webFormRequired string
	form            api.ImportFormRequest // what the form has if one is needed, and the download
}

// updating says that an import or an update of the connection runs.
func (c *connection) updating(now time.Time) bool {
	return c.updateStatus(now) == api.UpdateStatusInProgress
}

// update lets the download of a connection run again. Its accounts keep their ids
// and what they have. The made-up banks book nothing new: rows come with the faults
// that bring some, or to an account that had none. Readers may hold the connection
// without the mutex, so a copy takes its place. The caller holds the mutex.
func (s *Simulator) update(old *connection, r updateRequest, now time.Time) {
	c := *old
	c.started, c.before, c.troubles = now, old.lastUpdate(now), troubles{}
	c.plan(s.config.DownloadTime, s.config.CategorizationTime)
	c.accounts = nil
	for _, a := range old.accounts {
		c.accounts = append(c.accounts, a.again(&c, r.form, now))
	}
	if r.newAccounts {
		s.addAccounts(&c, r.form)
	}
	s.strike(c.target(), func(k *faultKind) bool { return k.connect != nil && !k.once }, func(k *faultKind, x Fault) { k.connect(s, &c, x) })
	s.enter(&c)
	s.oldest[slices.Index(s.oldest, old)] = &c
	c.user.connections = slices.Clone(c.user.connections)
	c.user.connections[slices.Index(c.user.connections, old)] = &c
	s.changed()
}

// again is the account in the connection's next download.
func (a *account) again(c *connection, r api.ImportFormRequest, now time.Time) *account {
	b := *a
	b.connection, b.before = c, a.updated(now)
	b.failed, b.standing = false, ""
	b.balances = a.balances || !r.SkipBalancesDownload
	switch {
	case a.rows == 0 && !r.SkipPositionsDownload:
		b.fetch()
		b.firstRow, b.imported = 0, time.Time{}
	case a.loaded(now):
		b.imported = a.importedAt()
	}
	return &b
}

// addAccounts adds the accounts that the user has at the bank and has not
// connected. The documents let it depend on the bank's consent whether that works;
// here all consents allow it, so CONDITIONAL and FORCED are the same.
func (s *Simulator) addAccounts(c *connection, r api.ImportFormRequest) {
	for _, data := range s.data.Accounts(c.bank) {
		there := slices.ContainsFunc(c.accounts, func(a *account) bool { return a.Number == data.Number && a.SubNumber == data.SubNumber })
		if !there && wants(r, data) {
			c.accounts = append(c.accounts, s.newAccount(c, data, r))
		}
	}
}

// wants reports whether a request is for accounts of this type.
func wants(r api.ImportFormRequest, a bankdata.Account) bool {
	return r.AccountTypes == nil || slices.Contains(r.AccountTypes, formType(a.Type))
}

// completeUpdate updates the connection whose user has logged in to the bank in a
// form, if nothing has come in between. The caller holds the mutex.
func (s *Simulator) completeUpdate(f *form, now time.Time) {
	c := s.connections[f.task.connection]
	switch {
	case !f.token.alive(now):
		s.end(f, api.WebFormStatusCompletedWithError, codeInvalidToken, now)
	case c == nil || c.updating(now) || s.taskRuns(c): // gone, or locked by another task
		s.end(f, api.WebFormStatusCompletedWithError, codeOddAnswer, now)
	default:
		s.finish(f, now, func() { s.update(c, f.task.request, now) })
	}
}
