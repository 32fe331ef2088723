package check

import (
	"math/big"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// rowsOf names one read of one account in one run.
type rowsOf struct {
	run        run
	accountKey string
	read       int
}

func (c *checker) accounts(records []judge.Record) {
	for _, r := range records {
		body, ok := decode[account](c, eventOf(r))
		if !ok {
			continue
		}
		c.figures.Accounts++
		of := c.accts[body.run()]
		if of == nil {
			of = make(map[string]account)
			c.accts[body.run()] = of
		}
		if _, again := of[body.AccountKey]; again {
			c.violate("account", "%v has account %s twice", body.run(), body.AccountKey)
		}
		of[body.AccountKey] = body
	}
}

func (c *checker) transactions(records []judge.Record) {
	for _, r := range records {
		body, ok := decode[transaction](c, eventOf(r))
		if !ok {
			continue
		}
		c.figures.Rows++
		of := rowsOf{body.run(), body.AccountKey, body.Read}
		c.rows[of] = append(c.rows[of], body)
	}
}

// complete compares accounts and rows of each run with what its final event
// says and with what the provider has. What then remains belongs to nobody.
func (c *checker) complete() {
	for r, done := range c.done {
		truth := c.outcome(r, c.truth.Requests[r.ImportID])
		if done.BankConnectionID != truth.connectionID {
			c.violate("final", "%v names connection %d, want %d", r, done.BankConnectionID, truth.connectionID)
			continue
		}
		want := make(map[int64]Account, len(truth.accounts))
		partial := false
		for _, a := range truth.accounts {
			want[a.ID] = a
			partial = partial || !a.Loaded
		}
		if done.Partial != partial {
			c.violate("final", "%v says partial %v, want %v", r, done.Partial, partial)
		}
		total := 0
		for _, a := range done.Accounts {
			w, there := want[a.ProviderAccountID]
			if !there {
				c.violate("account", "%v lists account %d, which its connection does not have (or twice)", r, a.ProviderAccountID)
				continue
			}
			delete(want, a.ProviderAccountID)
			total += a.Count
			c.account(r, a, w)
		}
		for id := range want {
			c.violate("account", "%v does not list account %d", r, id)
		}
		if done.Transactions != total {
			c.violate("count", "%v says %d transactions, its accounts say %d", r, done.Transactions, total)
		}
	}
	for r, of := range c.accts {
		for key := range of {
			c.violate("account", "%v has account %s, which no import-completed lists", r, key)
		}
	}
	for of, rows := range c.rows {
		c.unfinished(of, rows)
	}
}

// account checks one account of a completed run and takes its record and its
// rows away.
func (c *checker) account(r run, got completedAccount, want Account) {
	accounts := c.accountsOf(r)
	record, there := accounts[got.AccountKey]
	switch {
	case !there:
		c.violate("account", "%v lists account %s, but there is no record of it", r, got.AccountKey)
	case record.ProviderAccountID != want.ID || record.Loaded != want.Loaded:
		c.violate("account", "%v account %s: the record says %d loaded %v, want %d loaded %v",
			r, got.AccountKey, record.ProviderAccountID, record.Loaded, want.ID, want.Loaded)
	}
	delete(accounts, got.AccountKey)
	if got.Loaded != want.Loaded {
		c.violate("final", "%v account %s: loaded %v, want %v", r, got.AccountKey, got.Loaded, want.Loaded)
	}
	if !want.Loaded {
		return
	}
	c.loaded[accountOf{r.ImportID, got.AccountKey}] = want.Rows
	of := c.readOf(r, got.AccountKey, got.Read)
	rows := c.rows[of]
	delete(c.rows, of)
	c.each(of, rows, want.Rows)

	sum := new(big.Rat)
	for _, w := range want.Rows {
		sum.Add(sum, c.amount(of, w.Amount))
	}
	for what, n := range map[string]int{"count": got.Count, "reported_count": got.ReportedCount} {
		if n != len(want.Rows) {
			c.violate("count", "%v account %s: %s %d, want %d", r, got.AccountKey, what, n, len(want.Rows))
		}
	}
	for what, s := range map[string]string{"sum": got.Sum, "reported_sum": got.ReportedSum} {
		if c.amount(of, s).Cmp(sum) != 0 {
			c.violate("sum", "%v account %s: %s %s, want %s", r, got.AccountKey, what, s, sum.FloatString(2))
		}
	}
	if !got.Reconciled {
		c.violate("sum", "%v account %s: not reconciled", r, got.AccountKey)
	}
}

// each checks that the rows are the provider's, each once.
func (c *checker) each(of rowsOf, got []transaction, want []Row) {
	seen := make(map[int64]int, len(got))
	keys := make(map[string]int64, len(got))
	amounts := make(map[int64]string, len(want))
	for _, w := range want {
		amounts[w.ID] = w.Amount
	}
	for _, g := range got {
		seen[g.ProviderTransactionID]++
		if other, again := keys[g.TransactionKey]; again && other != g.ProviderTransactionID {
			c.violate("key", "%v: rows %d and %d share the key %s", of.run, other, g.ProviderTransactionID, g.TransactionKey)
		}
		keys[g.TransactionKey] = g.ProviderTransactionID
		amount, there := amounts[g.ProviderTransactionID]
		switch {
		case !there:
			c.violate("row", "%v account %s has row %d, which the provider does not have", of.run, of.accountKey, g.ProviderTransactionID)
		case g.Amount != amount:
			c.violate("row", "%v account %s row %d: amount %s, want %s", of.run, of.accountKey, g.ProviderTransactionID, g.Amount, amount)
		}
	}
	for _, w := range want {
		if n := seen[w.ID]; n != 1 {
			c.violate("row", "%v account %s has row %d %d times, want once", of.run, of.accountKey, w.ID, n)
		}
	}
}

// amount reads a decimal without rounding; what is none counts as zero and is
// a violation.
func (c *checker) amount(of rowsOf, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		c.violate("shape", "%v account %s: amount %q is no decimal", of.run, of.accountKey, s)
		return new(big.Rat)
	}
	return r
}
