package bankdata

import (
	"sort"
	"sync"
)

// entry is the kernel of a row: everything that is not text.
type entry struct {
	age      int32 // days before the download; never rises from one entry to the next
	template uint8
	bare     bool // the provider does not know a category
	cents    Cents
}

// entries are the kernels of an account's rows, oldest first.
type entries interface {
	len() int
	at(i int) entry
}

// list keeps its entries.
type list []entry

func (l list) len() int       { return len(l) }
func (l list) at(i int) entry { return l[i] }

// formula computes its entries from their position.
type formula struct {
	seed  uint64
	rows  int
	days  int
	draw  draw
	words *vocabulary
}

func (f formula) len() int { return f.rows }

func (f formula) at(i int) entry {
	c := chanceOf(f.seed, uint64(i))
	t := f.draw[c.below(len(f.draw))]
	return entry{
		age:      int32(f.days - 1 - i*f.days/f.rows),
		template: t,
		bare:     c.below(1000) < 43,
		cents:    f.words.templates[t].amount(&c),
	}
}

// Totals are the sums over some rows.
type Totals struct {
	Count            int
	Income, Spending Cents
}

// Balance is what the rows add up to.
func (t Totals) Balance() Cents { return t.Income + t.Spending }

// Add counts one row. Zero is income, as the provider has it.
func (t *Totals) Add(c Cents) {
	t.Count++
	if c < 0 {
		t.Spending += c
	} else {
		t.Income += c
	}
}

// Remove takes back what Add has counted.
func (t *Totals) Remove(c Cents) {
	t.Count--
	if c < 0 {
		t.Spending -= c
	} else {
		t.Income -= c
	}
}

// Ledger is the rows of one account, oldest first. It is safe for concurrent use.
type Ledger struct {
	seed    uint64
	words   *vocabulary
	entries entries

	once   sync.Once
	totals Totals
}

// Len is how many rows there are.
func (l *Ledger) Len() int { return l.entries.len() }

// Cents is the amount of row i.
func (l *Ledger) Cents(i int) Cents { return l.entries.at(i).cents }

// Since is the position of the first row that is less than so many days old; 0
// days stand for all rows.
func (l *Ledger) Since(days int) int {
	if days == 0 {
		return 0
	}
	return sort.Search(l.Len(), func(i int) bool { return int(l.entries.at(i).age) < days })
}

// Totals are the sums over the rows from a position to the end. Those over all
// rows are computed once.
func (l *Ledger) Totals(from int) Totals {
	if from == 0 {
		l.once.Do(func() { l.totals = l.sum(0) })
		return l.totals
	}
	return l.sum(from)
}

func (l *Ledger) sum(from int) Totals {
	var t Totals
	for i := from; i < l.Len(); i++ {
		t.Add(l.Cents(i))
	}
	return t
}
