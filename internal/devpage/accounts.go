package devpage

import (
	"cmp"
	"slices"

	"github.com/bankimport/bankimport/schemas"
)

const (
	maxAccounts = 50
	maxRows     = 10
	maxText     = 160 // characters kept of a text that comes from outside
)

// accounts are those of one import, in the order they were first heard of. The
// zero value has none.
type accounts struct {
	list []*account
	more map[string]bool // keys beyond those in the list, as many again at most
}

// account is one account of an import with its first rows. Its events come over
// several topics, in any order.
type account struct {
	key     string
	record  *schemas.Account // nil: not seen yet
	loaded  bool
	failure schemas.Failure
	run     int   // the newest run that said whether it is loaded
	read    int   // the newest read seen
	rows    []row // the first of that read
	count   int   // rows seen of that read
}

// row is what is kept of a transaction.
type row struct {
	id                              int64
	date, counterpart, purpose, typ string
	amount, currency                string
}

// of returns the account with a key, nil where there are too many.
func (a *accounts) of(key string) *account {
	for _, x := range a.list {
		if x.key == key {
			return x
		}
	}
	if len(a.list) >= maxAccounts {
		if a.more == nil {
			a.more = map[string]bool{}
		}
		if len(a.more) < maxAccounts {
			a.more[key] = true
		}
		return nil
	}
	x := &account{key: key, loaded: true}
	a.list = append(a.list, x)
	return x
}

func (a *accounts) announce(e schemas.Account) {
	x := a.of(e.AccountKey)
	if x == nil || x.record != nil && x.record.Run > e.Run {
		return
	}
	if e.Run >= x.run {
		x.run, x.loaded = e.Run, e.Loaded
	}
	e.Name, e.Holder, e.IBAN, e.AccountNumber = clip(e.Name), clip(e.Holder), clip(e.IBAN), clip(e.AccountNumber)
	x.record = &e
}

func (a *accounts) fetched(run int, e schemas.FetchedAccount) {
	if x := a.of(e.AccountKey); x != nil && run >= x.run {
		x.run, x.loaded, x.failure = run, e.Loaded, e.Failure
	}
}

// addRow keeps the first rows of the newest read. First are those with the
// lowest ids at the provider: that is the order in which they are read, while
// rows of several partitions arrive mixed.
func (a *accounts) addRow(t schemas.Transaction) {
	x := a.of(t.AccountKey)
	if x == nil || t.Read < x.read {
		return
	}
	if t.Read > x.read {
		x.read, x.rows, x.count = t.Read, nil, 0
	}
	at, there := slices.BinarySearchFunc(x.rows, t.ProviderTransactionID, func(r row, id int64) int { return cmp.Compare(r.id, id) })
	if there {
		return
	}
	x.count++
	if at == maxRows {
		return
	}
	x.rows = slices.Insert(x.rows, at, row{
		id: t.ProviderTransactionID, date: t.BookingDate, counterpart: clip(t.CounterpartName), purpose: clip(t.Purpose),
		typ: clip(t.TransactionType), amount: clip(t.Amount), currency: clip(t.Currency),
	})
	if len(x.rows) > maxRows {
		x.rows = x.rows[:maxRows]
	}
}

// clip shortens a text that comes from outside to what is worth keeping.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := 0
	for i := range s {
		if n == maxText {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
