package simulator

import (
	"net/http"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// listAccounts is GET /api/v2/accounts. It has no pages.
func (s *Simulator) listAccounts(c *call) (int, any, *refusal) {
	q := c.query()
	wanted := accountFilter{
		now: c.now,
		ids: q.ids("ids"), connections: q.ids("bankConnectionIds"),
		types:      q.words("accountTypes", "Checking", "Savings", "CreditCard", "Security", "Loan", "Membership", "Bausparen"),
		search:     strings.Fields(strings.ToLower(q.values.Get("search"))),
		minBalance: q.cents("minBalance"), maxBalance: q.cents("maxBalance"),
		minUpdate: q.date("minLastSuccessfulUpdate"), maxUpdate: q.date("maxLastSuccessfulUpdate"),
	}
	if q.no != nil {
		return 0, nil, q.no
	}
	s.mu.Lock()
	connections := c.user().connections // never changed in place
	s.mu.Unlock()
	list := api.AccountList{Accounts: []api.Account{}}
	for _, conn := range connections {
		for _, a := range conn.accounts {
			if wanted.has(a) {
				list.Accounts = append(list.Accounts, a.written(c.now))
			}
		}
	}
	return http.StatusOK, list, nil
}

// accountFilter is what a call wants to see; zero values want everything.
type accountFilter struct {
	now                    time.Time
	ids, connections       map[int64]bool
	types                  map[string]bool
	search                 []string
	minBalance, maxBalance *bankdata.Cents
	minUpdate, maxUpdate   string
}

func (f accountFilter) has(a *account) bool {
	if f.ids != nil && !f.ids[a.id] || f.connections != nil && !f.connections[a.connection.id] || f.types != nil && !f.types[a.Type] {
		return false
	}
	if !containsAll(a.Name+"\n"+a.IBAN+"\n"+a.Number+"\n"+a.SubNumber+"\n"+a.Holder, f.search) {
		return false
	}
	known := a.loaded(f.now) && a.balances
	if (f.minBalance != nil || f.maxBalance != nil) && !known ||
		f.minBalance != nil && a.Balance < *f.minBalance || f.maxBalance != nil && a.Balance > *f.maxBalance {
		return false
	}
	if f.minUpdate == "" && f.maxUpdate == "" {
		return true
	}
	updated := day(a.updated(f.now)).Format(time.DateOnly)
	return a.loaded(f.now) && updated >= f.minUpdate && (f.maxUpdate == "" || updated <= f.maxUpdate)
}

// containsAll reports whether all the words, in lower case, are in a text.
func containsAll(text string, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text = strings.ToLower(text)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (a *account) written(now time.Time) api.Account {
	via := api.AccountInterface{
		BankingInterface: api.BankingInterface(a.connection.via), Status: a.status(now),
		Capabilities: []string{"DATA_DOWNLOAD"}, PaymentCapabilities: noPayments(),
		LastUpdateAttempt: api.UnreadTime{Time: accessTime(a.connection.started)},
	}
	written := api.Account{
		ID: a.id, BankConnectionID: a.connection.id, AccountName: a.Name, AccountHolderName: a.Holder, AccountHolderID: "XXXXX",
		Iban: a.IBAN, AccountNumber: a.Number, SubAccountNumber: a.SubNumber, AccountCurrency: a.Currency,
		AccountType: api.AccountType(a.Type), IsNew: true,
	}
	if a.loaded(now) {
		via.LastSuccessfulUpdate = accessTime(a.updated(now))
		if a.balances {
			written.Balance = number(a.Balance)
			if a.OverdraftLimit != 0 {
				written.OverdraftLimit = number(a.OverdraftLimit)
				written.AvailableFunds = number(a.Balance + a.OverdraftLimit)
			}
		}
	}
	written.Interfaces = []api.AccountInterface{via}
	return written
}

func number(c bankdata.Cents) api.Number { return api.Number(c.String()) }

// noPayments says that an account can only be read.
func noPayments() map[string]any {
	return map[string]any{
		"sepaInstantMoneyTransfer": false, "sepaFutureMoneyTransfer": false, "sepaFutureCollectiveMoneyTransfer": false,
		"domesticMoneyTransfer": false, "domesticCollectiveMoneyTransfer": false,
		"domesticFutureMoneyTransfer": false, "domesticFutureCollectiveMoneyTransfer": false,
	}
}
