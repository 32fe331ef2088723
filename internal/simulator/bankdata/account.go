package bankdata

import (
	"fmt"
	"sync"
)

// Account types, as Access spells them.
const (
	Checking   = "Checking"
	Savings    = "Savings"
	CreditCard = "CreditCard"
)

// The window that an account's rows cover when all are downloaded.
const (
	Days   = 730
	Months = 24
)

// Account is one account at a bank.
type Account struct {
	Type, Name, Holder      string
	IBAN, Number, SubNumber string
	Currency                string
	Balance, OverdraftLimit Cents
	// Fails says that the bank lists the account and delivers nothing of it.
	Fails  bool
	Ledger *Ledger
}

// Generator makes the accounts of banks. It is safe for concurrent use and keeps
// what it made, so that all users of a bank share one ledger per account.
type Generator struct {
	seed  uint64
	words *vocabulary

	mu    sync.Mutex
	banks map[int64][]Account // by bank id
}

// NewGenerator returns a generator whose data depend on the seed alone.
func NewGenerator(seed uint64) *Generator {
	return &Generator{seed: seed, words: newVocabulary(), banks: make(map[int64][]Account)}
}

// Accounts are the accounts at a bank, the same for every user.
func (g *Generator) Accounts(b Bank) []Account {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a, ok := g.banks[b.ID]; ok {
		return a
	}
	a := g.generate(b)
	if b.planned != nil {
		a = g.plan(b)
	}
	g.banks[b.ID] = a
	return a
}

func (g *Generator) generate(b Bank) []Account {
	accounts := make([]Account, b.Accounts)
	for i := range accounts {
		t := [...]string{Checking, Savings, CreditCard}[i%3]
		a := b.account(i, t, fmt.Sprintf("%s %d", germanType(t), i+1))
		a.Fails = i >= b.Accounts-b.FailedAccounts
		a.Ledger = g.ledger(b, i, formula{
			seed: chanceSeed(g.seed, b.ID, i), rows: b.RowsPerAccount, days: Days,
			draw: g.words.drawFor(t), words: g.words,
		})
		accounts[i] = a
	}
	return accounts
}

func (g *Generator) ledger(b Bank, account int, e entries) *Ledger {
	return &Ledger{seed: chanceSeed(g.seed, b.ID, account), words: g.words, entries: e}
}

func chanceSeed(seed uint64, bank int64, account int) uint64 {
	c := chanceOf(seed, uint64(bank), uint64(account))
	return c.next()
}

// account is account i of the bank, without rows. Its numbers do not depend on
// the seed: they are what the account is known by.
func (b Bank) account(i int, accountType, name string) Account {
	c := chanceOf(uint64(b.ID), uint64(i))
	number := fmt.Sprint(1_000_000_000 + c.below(8_000_000)*1000 + i)
	a := Account{
		Type: accountType, Name: name, Holder: "Robin Beispiel", Number: number, Currency: "EUR",
		IBAN: germanIBAN(b.code(), number), Balance: Cents(c.between(-40_000, 2_500_000)),
	}
	switch accountType {
	case Checking:
		a.OverdraftLimit = 100_000
	case Savings:
		a.SubNumber = "01"
		a.Balance = max(a.Balance, -a.Balance)
	case CreditCard:
		a.IBAN, a.Number = "", "999900XXXXXX"+number[len(number)-4:]
		a.Balance = min(a.Balance, -a.Balance) / 10
	}
	return a
}

func germanType(accountType string) string {
	switch accountType {
	case Savings:
		return "Tagesgeld"
	case CreditCard:
		return "Kreditkarte"
	default:
		return "Girokonto"
	}
}
