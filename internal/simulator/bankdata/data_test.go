package bankdata

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)

func testBank(seed uint64) []Account {
	return NewGenerator(seed).Accounts(TestBanks()[0].WithDefaults())
}

// The figures that an integrator saw on the real test bank, for any seed.
func TestTheTestBankAddsUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		var sum Totals
		bare := 0
		for _, a := range testBank(seed) {
			total := a.Ledger.Totals(0)
			sum.Count += total.Count
			sum.Income += total.Income
			sum.Spending += total.Spending
			for i := range a.Ledger.Len() {
				if a.Ledger.Row(i, today).Category == nil {
					bare++
				}
			}
		}
		if sum.Count != 1612 || sum.Income.String() != "256627.36" || sum.Spending.String() != "-270214.46" || sum.Balance().String() != "-13587.1" {
			t.Errorf("seed %d: got %d rows, income %s, spending %s, balance %s", seed, sum.Count, sum.Income, sum.Spending, sum.Balance())
		}
		if bare != 1612-1543 {
			t.Errorf("seed %d: %d rows have no category, want %d", seed, bare, 1612-1543)
		}
	}
}

func TestTheTestBanksAccounts(t *testing.T) {
	t.Parallel()
	want := []struct {
		accountType, balance string
		rows                 int
	}{{Checking, "16978.51", 806}, {Checking, "1204.4", 512}, {Savings, "42000.0", 50}, {CreditCard, "-411.1", 244}}
	got := testBank(1)
	if len(got) != len(want) {
		t.Fatalf("got %d accounts, want %d", len(got), len(want))
	}
	for i, a := range got {
		if a.Type != want[i].accountType || a.Balance.String() != want[i].balance || a.Ledger.Len() != want[i].rows {
			t.Errorf("account %d: got %s, balance %s, %d rows; want %+v", i, a.Type, a.Balance, a.Ledger.Len(), want[i])
		}
		if a.IBAN != "" && !validIBAN(a.IBAN) {
			t.Errorf("account %d: the check digits of %s are wrong", i, a.IBAN)
		}
	}
	if got[3].IBAN != "" {
		t.Error("a credit card has no IBAN")
	}
}

// A scaled amount must stay believable: no row changes its sign, and groceries do
// not cost a fortune.
func TestPlannedAmountsStayNearTheirTemplates(t *testing.T) {
	t.Parallel()
	words := newVocabulary()
	for seed := range uint64(20) {
		for n, a := range testBank(seed) {
			for i := range a.Ledger.Len() {
				e := a.Ledger.entries.at(i)
				tpl := words.templates[e.template]
				lo, hi := tpl.from, tpl.to
				if lo < 0 {
					lo, hi = -hi, -lo
				}
				c := max(e.cents, -e.cents)
				if (e.cents < 0) != (tpl.from < 0) || c < lo/2-100 || c > hi*2+100 {
					t.Errorf("seed %d, account %d, row %d (%s %s): %s", seed, n, i, tpl.name, tpl.purpose, e.cents)
				}
			}
		}
	}
}

func TestRowsAreTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	bank := Bank{ID: 300001, Accounts: 3, RowsPerAccount: 500}.WithDefaults()
	for _, b := range []Bank{bank, TestBanks()[0]} {
		one, other, third := NewGenerator(7).Accounts(b), NewGenerator(7).Accounts(b), NewGenerator(8).Accounts(b)
		different := false
		for i := range one {
			for j := one[i].Ledger.Len() - 1; j >= 0; j-- { // from the end: no row may depend on another
				r := one[i].Ledger.Row(j, today)
				if got := other[i].Ledger.Row(j, today); !reflect.DeepEqual(got, r) {
					t.Fatalf("bank %d, account %d, row %d: %+v and %+v", b.ID, i, j, r, got)
				}
				different = different || r.Amount != third[i].Ledger.Cents(j)
			}
			if one[i].IBAN != third[i].IBAN || one[i].Number != third[i].Number {
				t.Error("an account's numbers must not depend on the seed")
			}
		}
		if !different {
			t.Errorf("bank %d: another seed gives the same rows", b.ID)
		}
	}
}

// Every day of a year as the day of the download, with weekends and months of all
// lengths: what the dates do must change no count and no sum.
func TestRowsOnAnyDay(t *testing.T) {
	t.Parallel()
	for n, a := range testBank(1) {
		for d := range 366 {
			day := today.AddDate(0, 0, d)
			rents := make(map[string]bool)
			var before Row
			for i := range a.Ledger.Len() {
				r := a.Ledger.Row(i, day)
				if r.Booked.Before(before.Booked) || r.Booked.After(day) || r.Booked.Before(day.AddDate(0, 0, -Days)) {
					t.Fatalf("download on %s, account %d, row %d: booked on %s after a row of %s", day.Format(time.DateOnly), n, i, r.Booked, before.Booked)
				}
				if strings.HasPrefix(r.Purpose, "MIETE") {
					if rents[r.Purpose] {
						t.Errorf("download on %s: twice %s", day.Format(time.DateOnly), r.Purpose)
					}
					rents[r.Purpose] = true
				}
				before = r
			}
			if n == 0 && len(rents) != Months {
				t.Errorf("download on %s: %d months of rent, want %d", day.Format(time.DateOnly), len(rents), Months)
			}
			if testing.Short() && d > 31 {
				break
			}
		}
	}
}

func TestRowsKeepTheProvidersLimits(t *testing.T) {
	t.Parallel()
	g := NewGenerator(3)
	accounts := append(g.Accounts(TestBanks()[0].WithDefaults()), g.Accounts(Bank{ID: 5, Accounts: 3, RowsPerAccount: 2000}.WithDefaults())...)
	currencies := make(map[string]int)
	purposes, names := make(map[string]bool), make(map[string]bool)
	for n, a := range accounts {
		for i := range a.Ledger.Len() {
			r := a.Ledger.Row(i, today)
			currencies[r.Currency]++
			purposes[r.Purpose], names[r.Counterpart.Name] = true, true
			if len([]rune(r.Purpose)) > 2000 || len([]rune(r.Counterpart.Name)) > 80 || r.Purpose == "" || strings.ContainsAny(r.Purpose, "{}") {
				t.Errorf("account %d, row %d: purpose %q, counterpart %q", n, i, r.Purpose, r.Counterpart.Name)
			}
			if iban := r.Counterpart.IBAN; iban != "" && (!validIBAN(iban) || iban[4] != '9') {
				t.Errorf("account %d, row %d: IBAN %s", n, i, iban)
			}
			if (r.OriginalCurrency != "") != (r.Original != 0) || (r.FeeCurrency != "") != (r.Fee != 0) {
				t.Errorf("account %d, row %d: %+v", n, i, r)
			}
		}
	}
	if currencies["EUR"] == 0 || currencies[""] == 0 {
		t.Errorf("rows by currency: %v; some must have none", currencies)
	}
	if len(purposes) < 40 || len(names) < 30 {
		t.Errorf("%d purposes and %d counterparts are too few to look real", len(purposes), len(names))
	}
}

func TestGeneratedBank(t *testing.T) {
	t.Parallel()
	accounts := NewGenerator(1).Accounts(Bank{ID: 9, Accounts: 7, RowsPerAccount: 11, FailedAccounts: 2}.WithDefaults())
	numbers := make(map[string]bool)
	for i, a := range accounts {
		if a.Ledger.Len() != 11 {
			t.Errorf("account %d: %d rows, want 11", i, a.Ledger.Len())
		}
		if want := i >= 5; a.Fails != want {
			t.Errorf("account %d: fails %t, want %t", i, a.Fails, want)
		}
		numbers[a.Number] = true
	}
	if len(accounts) != 7 || len(numbers) != 7 {
		t.Errorf("got %d accounts with %d numbers, want 7", len(accounts), len(numbers))
	}
	empty := NewGenerator(1).Accounts(Bank{ID: 9, Accounts: 1}.WithDefaults())[0].Ledger
	if empty.Len() != 0 || empty.Since(30) != 0 || empty.Totals(0) != (Totals{}) {
		t.Error("an account without rows must be empty")
	}
}

func TestSinceCutsOffOldRows(t *testing.T) {
	t.Parallel()
	g := NewGenerator(1)
	for _, l := range []*Ledger{testBank(1)[0].Ledger, g.Accounts(Bank{ID: 9, RowsPerAccount: 3000}.WithDefaults())[0].Ledger} {
		for _, days := range []int{0, 14, 90, 3650} {
			from := l.Since(days)
			var want Totals
			for i := range l.Len() {
				if age := int(l.entries.at(i).age); days == 0 || age < days {
					want.Add(l.Cents(i))
				} else if i >= from {
					t.Errorf("%d days: row %d is %d days old", days, i, age)
				}
			}
			if got := l.Totals(from); got != want {
				t.Errorf("%d days: got %+v, want %+v", days, got, want)
			}
		}
	}
}

func BenchmarkTotals(b *testing.B) {
	accounts := NewGenerator(1).Accounts(Bank{ID: 9, RowsPerAccount: 1_000_000}.WithDefaults())
	b.ReportAllocs()
	for b.Loop() {
		accounts[0].Ledger.sum(0)
	}
}

func BenchmarkRow(b *testing.B) {
	l := NewGenerator(1).Accounts(Bank{ID: 9, RowsPerAccount: 1_000_000}.WithDefaults())[0].Ledger
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.Row(i%l.Len(), today)
		i++
	}
}

func Example() {
	accounts := NewGenerator(1).Accounts(TestBanks()[0].WithDefaults())
	for _, a := range accounts {
		total := a.Ledger.Totals(0)
		fmt.Println(a.Name, total.Count, "rows, together", total.Balance())
	}
	// Output:
	// Girokonto 806 rows, together -6793.55
	// Haushaltskonto 512 rows, together -1150.0
	// Tagesgeld 50 rows, together -6163.24
	// Kreditkarte 244 rows, together 519.69
}
