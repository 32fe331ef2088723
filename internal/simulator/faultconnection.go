package simulator

import (
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// forever is longer than anything here lasts.
const forever = 100 * 365 * 24 * time.Hour

// connectionFaults are about connections and their accounts. Most strike when a
// connection is made or updated, with the mutex held, and stay with it until its
// next update.
func connectionFaults() []*faultKind {
	return []*faultKind{
		{name: "download-never-ends", what: "updateStatus stays IN_PROGRESS.", connect: func(_ *Simulator, c *connection, _ Fault) {
			c.plan(forever, 0)
			c.stuck = true
		}},
		{name: "download-slow", what: "The download takes the delay.", standard: Fault{Delay: 10 * time.Minute}, connect: func(_ *Simulator, c *connection, x Fault) {
			c.plan(x.Delay, c.categorized.Sub(c.ready))
		}},
		{name: "download-again", what: "After the delay the finished download runs again, for as long: READY becomes IN_PROGRESS.", standard: Fault{Delay: time.Second}, connect: func(_ *Simulator, c *connection, x Fault) {
			c.again = x.Delay
		}},
		{name: "ready-before-pending", what: "Both statuses are READY for the delay before categorising is PENDING.", standard: Fault{Delay: time.Second}, connect: func(_ *Simulator, c *connection, x Fault) {
			c.pending, c.running, c.categorized = c.pending.Add(x.Delay), c.running.Add(x.Delay), c.categorized.Add(x.Delay)
		}},
		{name: "categorization-never-ends", what: "categorizationStatus stays IN_PROGRESS, rows stay without a category.", connect: func(_ *Simulator, c *connection, _ Fault) {
			c.categorized = c.ready.Add(forever)
			c.stuck = true
		}},
		{name: "categorization-off", what: "Nothing is categorised: the provider's setting without auto-categorisation.", connect: func(_ *Simulator, c *connection, _ Fault) {
			c.plan(c.ready.Sub(c.started), 0)
			c.bare = true
		}},
		{name: "no-accounts", what: "The connection is made without an account.", once: true, connect: func(_ *Simulator, c *connection, _ Fault) { c.accounts = nil }},
		{name: "accounts-failed", what: "The last n accounts end as DOWNLOAD_FAILED; the update's result is OK all the same.", standard: Fault{N: 1}, mostN: 1000, connect: func(_ *Simulator, c *connection, x Fault) {
			for _, a := range c.accounts[max(0, len(c.accounts)-x.N):] {
				a.failed = true
			}
		}},
		{name: "all-accounts-failed", what: "All accounts end as DOWNLOAD_FAILED; the update's result is OK all the same.", connect: func(_ *Simulator, c *connection, _ Fault) {
			for _, a := range c.accounts {
				a.failed = true
			}
		}},
		{name: "account-fixed", what: "The first account ends as UPDATED_FIXED, with an adjusting entry.", connect: func(_ *Simulator, c *connection, _ Fault) {
			for _, a := range c.accounts[:min(1, len(c.accounts))] {
				a.standing = api.AccountInterfaceStatusUpdatedFixed
				a.add(extraRow{like: a.last(), cents: 12_345, adjusting: true})
			}
		}},
		{name: "account-deprecated", what: "The last account is DEPRECATED: the bank does not know it any more, its rows stay.", connect: func(_ *Simulator, c *connection, _ Fault) {
			for _, a := range c.accounts[max(0, len(c.accounts)-1):] {
				a.standing = api.AccountInterfaceStatusDeprecated
			}
		}},
		{name: "user-action-required", what: "The user must act at the bank: userActionRequired.", connect: func(_ *Simulator, c *connection, _ Fault) { c.actionRequired = true }},
		{name: "update-rejected", what: "The bank rejects the login in the end: lastManualUpdate says BANK_SERVER_REJECTION, all accounts fail.", connect: func(_ *Simulator, c *connection, _ Fault) {
			c.rejected = true
			for _, a := range c.accounts {
				a.failed = true
			}
		}},
		{
			name: "connection-deleted", what: "Somebody deletes the connection before this call: 404, and nothing of it in lists.",
			ops: []string{"get-connection", "list-accounts", "list-transactions"}, needs: aConnection,
			standard: Fault{Operation: "list-transactions", After: 1, Count: 1}, call: func(x *exchange) {
				x.s.mu.Lock()
				if c := x.s.connections[x.at.connection]; c != nil {
					x.s.forgetConnection(c)
				}
				x.s.mu.Unlock()
				x.next(x.w)
			},
		},
		{name: "iban-missing", what: "Accounts have lost their IBAN and the leading digits of their number.", ops: []string{"list-accounts"}, edit: func(e *edit) {
			for _, a := range e.objects("accounts") {
				delete(a, "iban")
				if n, ok := a["accountNumber"].(string); ok && len(n) > 3 {
					a["accountNumber"] = n[2:]
				}
			}
		}},
		{name: "accounts-alike", what: "The last n accounts have the type, number and IBAN of the first.", standard: Fault{N: 1}, mostN: 1000, ops: []string{"list-accounts"}, edit: func(e *edit) {
			all := e.objects("accounts")
			for _, a := range all[min(len(all), max(1, len(all)-e.fault.N)):] {
				for _, like := range []string{"accountType", "accountNumber", "subAccountNumber", "iban"} {
					a[like] = all[0][like]
				}
			}
		}},
	}
}
