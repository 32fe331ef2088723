package bankdata

import "slices"

// The two test banks of the provider's sandbox, by id.
const (
	TestBank         int64 = 280001
	TestRedirectBank int64 = 280002
)

// TestBanks are the banks that every simulator has.
//
// The first one's four accounts have 1,612 rows over 24 months: income 256627.36,
// spending -270214.46, balance -13587.10, whatever the seed. 1,543 rows (95.7 %)
// have a category.
func TestBanks() []Bank {
	return []Bank{
		{
			ID: TestBank, Name: "finAPI Test Bank", BLZ: "DEMO0001", BIC: "DEMODEB0001", City: "Musterbach", TestBank: true,
			Interfaces: []string{XS2A, FinTS}, planned: plans(),
		},
		{
			ID: TestRedirectBank, Name: "finAPI Test Redirect Bank", BLZ: "DEMO0002", BIC: "DEMODEB0002", City: "Musterbach", TestBank: true,
			Redirect: true, Accounts: 2, RowsPerAccount: 60,
		},
	}
}

// plan is an account whose sums are known before its rows are.
type plan struct {
	name, accountType string
	balance           Cents
	rows              int
	income, spending  Cents
	monthly           []uint8 // templates
	quarterly         []uint8
	draw              func(*vocabulary) draw // for the rows that are left
}

// uncategorized is how many rows of the planned accounts have no category.
const uncategorized = 69

func plans() []plan {
	return []plan{
		{
			name: "Girokonto", accountType: Checking, balance: 1697851, rows: 806, income: 12364020, spending: -13043375,
			monthly: []uint8{
				tplSalary, tplFamily, tplRent, tplKindergarten, tplToHousehold, tplToSavings, tplEnergy,
				tplPhone, tplInternet, tplInsurance, tplMedia, tplClub, tplCardBill, tplAccountFee,
			},
			quarterly: []uint8{tplStatement},
			draw:      func(v *vocabulary) draw { return v.main },
		},
		{
			name: "Haushaltskonto", accountType: Checking, balance: 120440, rows: 512, income: 10385000, spending: -10500000,
			monthly: []uint8{
				tplFromMain, tplSecondSalary, tplLoan, tplLeasing, tplMusic, tplHealth, tplPension,
				tplMedia, tplClub, tplAccountFee,
			},
			quarterly: []uint8{tplStatement},
			draw:      func(v *vocabulary) draw { return v.household },
		},
		{
			name: "Tagesgeld", accountType: Savings, balance: 4200000, rows: 50, income: 1668716, spending: -2285040,
			monthly: []uint8{tplSaved}, quarterly: []uint8{tplInterest},
			draw: func(v *vocabulary) draw { return v.savings },
		},
		{
			name: "Kreditkarte", accountType: CreditCard, balance: -41110, rows: 244, income: 1245000, spending: -1193031,
			monthly: []uint8{tplCardSettled},
			draw:    func(v *vocabulary) draw { return v.card },
		},
	}
}

func (g *Generator) plan(b Bank) []Account {
	drawn := 0
	for _, p := range b.planned {
		drawn += p.drawn()
	}
	accounts := make([]Account, len(b.planned))
	seen := 0
	for i, p := range b.planned {
		a := b.account(i, p.accountType, p.name)
		a.Balance = p.balance
		rows := p.draft(g.words, chanceOf(g.seed, uint64(b.ID), uint64(i)))
		// The rows without a category are spread over all that were drawn.
		for j := range rows {
			if !rows[j].regular {
				rows[j].bare = (seen+1)*uncategorized/drawn > seen*uncategorized/drawn
				seen++
			}
		}
		a.Ledger = g.ledger(b, i, p.settle(rows))
		accounts[i] = a
	}
	return accounts
}

// drawn is how many rows are not regular payments.
func (p plan) drawn() int { return p.rows - Months*len(p.monthly) - Months/3*len(p.quarterly) }

// draft is an entry whose amount may still change.
type draft struct {
	entry
	regular bool // a payment that comes again and again
	fixed   bool // its amount must not change
}

func (p plan) draft(v *vocabulary, c chance) []draft {
	var rows []draft
	regular := func(templates []uint8, every int) {
		for i, t := range templates {
			for m := 0; m < Months; m += every {
				day := m*Days/Months + (int(t)*7+i)%28
				rows = append(rows, draft{
					entry:   entry{age: int32(Days - 1 - day), template: t, cents: v.templates[t].amount(&c)},
					regular: true, fixed: v.templates[t].from == v.templates[t].to,
				})
			}
		}
	}
	regular(p.monthly, 1)
	regular(p.quarterly, 3)

	// Each template gets its share, so that sums are near the plan for any seed.
	pool, n := p.draw(v), p.drawn()
	for i := range n {
		t := pool[i*len(pool)/n]
		rows = append(rows, draft{
			entry: entry{age: int32(c.below(Days)), template: t, cents: v.templates[t].amount(&c)},
			fixed: v.templates[t].booking == cash,
		})
	}
	slices.SortStableFunc(rows, func(a, b draft) int { return int(b.age) - int(a.age) })
	return rows
}

// settle changes amounts that may change until income and spending are those of
// the plan.
func (p plan) settle(rows []draft) list {
	p.fit(rows, p.income, func(c Cents) bool { return c > 0 })
	p.fit(rows, p.spending, func(c Cents) bool { return c < 0 })
	l := make(list, len(rows))
	for i, r := range rows {
		l[i] = r.entry
	}
	return l
}

// fit scales the free amounts on one side of zero. The last one takes what
// rounding left over.
func (p plan) fit(rows []draft, target Cents, side func(Cents) bool) {
	var free Cents
	last := -1
	for i, r := range rows {
		switch {
		case !side(r.cents):
		case r.fixed:
			target -= r.cents
		default:
			free += r.cents
			last = i
		}
	}
	rest := target
	for i, r := range rows {
		if side(r.cents) && !r.fixed {
			rows[i].cents = r.cents * target / free
			rest -= rows[i].cents
		}
	}
	rows[last].cents += rest
}
