package simulator

import (
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// rowFilter is what a call wants to see of the rows; zero values want everything.
type rowFilter struct {
	ids                      map[int64]bool
	direction                string // "" for both
	minAmount, maxAmount     *bankdata.Cents
	categories               map[int64]bool // 0: rows without one
	withChildren             bool           // categories below those too
	search, other, purpose   []string       // words
	minBooked, maxBooked     string         // days
	minFinapi, maxFinapi     string
	minImported, maxImported string
	labels                   map[int64]bool
	isNew, duplicate, adjust *bool

	userView bool // parts of rows that were split instead of these
	split    bool // there are such rows
}

func (q *query) rowFilter() rowFilter {
	words := func(name string) []string { return strings.Fields(strings.ToLower(q.values.Get(name))) }
	f := rowFilter{
		ids: q.ids("ids"), direction: q.one("direction", "all", "income", "spending"),
		minAmount: q.cents("minAmount"), maxAmount: q.cents("maxAmount"),
		categories: q.ids("categoryIds"), withChildren: true, labels: q.ids("labelIds"),
		search: words("search"), other: words("counterpart"), purpose: words("purpose"),
		minBooked: q.date("minBankBookingDate"), maxBooked: q.date("maxBankBookingDate"),
		minFinapi: q.date("minFinapiBookingDate"), maxFinapi: q.date("maxFinapiBookingDate"),
		minImported: q.date("minImportDate"), maxImported: q.date("maxImportDate"),
		isNew: q.flag("isNew"), duplicate: q.flag("isPotentialDuplicate"), adjust: q.flag("isAdjustingEntry"),
	}
	if f.direction == "all" {
		f.direction = ""
	}
	if with := q.flag("includeChildCategories"); with != nil {
		f.withChildren = *with
	}
	return f
}

// everything says that no row is left out.
func (f rowFilter) everything() bool { return !f.split && !f.byKernel() && !f.byText() }

// byKernel says that ids, amounts or flags matter.
func (f rowFilter) byKernel() bool {
	return f.ids != nil || f.direction != "" || f.minAmount != nil || f.maxAmount != nil || f.labels != nil ||
		f.isNew != nil || f.duplicate != nil || f.adjust != nil || f.minImported+f.maxImported != ""
}

// byText says that rows must be rendered to be judged.
func (f rowFilter) byText() bool {
	return f.categories != nil || len(f.search)+len(f.other)+len(f.purpose) > 0 || f.minBooked+f.maxBooked+f.minFinapi+f.maxFinapi != ""
}

// pickedRows are the rows that a filter let through.
type pickedRows struct {
	rows []row
	sums bankdata.Totals
}

func (p *pickedRows) totals() bankdata.Totals { return p.sums }
func (p *pickedRows) at(i int) row            { return p.rows[i] }

// pick goes through all rows of some accounts.
func (f rowFilter) pick(accounts []*account, c *call) rowSet {
	p := &pickedRows{}
	for _, a := range accounts {
		for i := a.from; i < a.from+a.visibleRows(c.now); i++ {
			r := row{a, i}
			if f.split && r.hidden(f.userView) {
				continue
			}
			if cents := a.cents(i); f.fitsKernel(r, cents) && (!f.byText() || f.fitsText(r, c.now)) {
				p.rows = append(p.rows, r)
				p.sums.Add(cents)
			}
		}
	}
	return p
}

func (f rowFilter) fitsKernel(r row, cents bankdata.Cents) bool {
	if f.ids != nil && !f.ids[r.id()] || f.labels != nil { // no row has a label
		return false
	}
	if f.direction == "income" && cents < 0 || f.direction == "spending" && cents >= 0 ||
		f.minAmount != nil && cents < *f.minAmount || f.maxAmount != nil && cents > *f.maxAmount {
		return false
	}
	_, extra := r.like()
	if f.isNew != nil && !*f.isNew || f.duplicate != nil && *f.duplicate != extra.duplicate || f.adjust != nil && *f.adjust != extra.adjusting {
		return false // all rows are new
	}
	return inside(day(r.importedAt()), f.minImported, f.maxImported)
}

func (f rowFilter) fitsText(r row, now time.Time) bool {
	d := r.data()
	p := d.Counterpart
	counterpart := strings.Join([]string{p.Name, p.IBAN, p.Number, p.BLZ, p.BIC}, "\n")
	return containsAll(d.Purpose, f.purpose) && containsAll(counterpart, f.other) &&
		containsAll(d.Purpose+"\n"+counterpart+"\n"+d.Type, f.search) &&
		inside(d.Booked, f.minBooked, f.maxBooked) && inside(d.Booked, f.minFinapi, f.maxFinapi) &&
		f.fitsCategory(r.category(d, now))
}

func (f rowFilter) fitsCategory(c *bankdata.Category) bool {
	switch {
	case f.categories == nil:
		return true
	case c == nil:
		return f.categories[0]
	default:
		return f.categories[c.ID] || f.withChildren && f.categories[c.ParentID] && c.ParentID != 0
	}
}

// inside reports whether a day is between two, both included; "" is no limit.
func inside(t time.Time, first, last string) bool {
	if first == "" && last == "" {
		return true
	}
	text := t.Format(time.DateOnly)
	return text >= first && (last == "" || text <= last)
}
