package bankdata

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	maxAccounts = 1_000
	maxRows     = 10_000_000 // of one account
)

// Interfaces through which a bank can be reached, as the provider spells them.
const (
	XS2A  = "XS2A"
	FinTS = "FINTS_SERVER"
)

// Bank is a bank that users can connect. With Accounts and RowsPerAccount its
// contents are generated; the built-in test banks ([TestBanks]) are planned.
type Bank struct {
	ID   int64
	Name string // default "Generated Bank <ID>"
	BLZ  string // default: the bank code in the IBANs of its accounts
	BIC  string
	City string

	// TestBank marks a bank that requests can hide with allowTestBank=false.
	TestBank bool
	// Redirect is for a bank whose login is on a page of its own and which asks
	// for no second factor.
	Redirect bool
	// Interfaces are XS2A or FinTS or both, the preferred one first; default XS2A.
	Interfaces []string

	Accounts       int // default 1, at most 1,000
	RowsPerAccount int // at most 10,000,000
	// FailedAccounts is how many accounts, the last ones, cannot be downloaded.
	FailedAccounts int

	// planned are the accounts of a bank whose rows were planned one by one.
	planned []plan
}

// WithDefaults fills in what was left out.
func (b Bank) WithDefaults() Bank {
	if b.Name == "" {
		b.Name = fmt.Sprintf("Generated Bank %d", b.ID)
	}
	if b.BLZ == "" {
		b.BLZ = b.code()
	}
	if b.Accounts == 0 {
		b.Accounts = max(1, len(b.planned))
	}
	if len(b.Interfaces) == 0 {
		b.Interfaces = []string{XS2A}
	}
	return b
}

// Validate says everything that is wrong with a bank.
func (b Bank) Validate() error {
	var problems []error
	complain := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("bank %d: "+format, append([]any{b.ID}, args...)...))
	}
	if b.ID <= 0 {
		complain("the id must be above 0")
	}
	if b.Accounts < 1 || b.Accounts > maxAccounts {
		complain("%d accounts; 1 to %d are possible", b.Accounts, maxAccounts)
	}
	if b.RowsPerAccount < 0 || b.RowsPerAccount > maxRows {
		complain("%d rows per account; 0 to %d are possible", b.RowsPerAccount, maxRows)
	}
	if b.FailedAccounts < 0 || b.FailedAccounts > b.Accounts {
		complain("%d failed accounts of %d", b.FailedAccounts, b.Accounts)
	}
	for _, i := range b.Interfaces {
		if i != XS2A && i != FinTS {
			complain("interface %q is not known; there are %s and %s", i, XS2A, FinTS)
		}
	}
	return errors.Join(problems...)
}

// code is the bank code in the IBANs of the bank's accounts.
func (b Bank) code() string { return fmt.Sprintf("9%07d", b.ID%10_000_000) }

// Has reports whether the bank can be reached through one of the interfaces;
// an empty list stands for all.
func (b Bank) Has(interfaces []string) bool {
	return len(interfaces) == 0 || slices.ContainsFunc(b.Interfaces, func(i string) bool { return slices.Contains(interfaces, i) })
}

// matches reports whether all the words are in name, BLZ, BIC or city. Words
// are in lower case.
func (b Bank) matches(words []string) bool {
	text := strings.ToLower(strings.Join([]string{b.Name, b.BLZ, b.code(), b.BIC, b.City}, "\n"))
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// ParseBank reads a bank from a command line: ID:ACCOUNTSxROWS, and optionally
// how many of the accounts fail, e.g. 300001:4x250 or 300002:4x250:1.
func ParseBank(s string) (Bank, error) {
	bad := func() (Bank, error) {
		return Bank{}, fmt.Errorf("bank %q: want ID:ACCOUNTSxROWS or ID:ACCOUNTSxROWS:FAILED, e.g. 300001:4x250", s)
	}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return bad()
	}
	accounts, rows, ok := strings.Cut(parts[1], "x")
	if !ok {
		return bad()
	}
	numbers := make([]int, 0, 4)
	for _, text := range append([]string{parts[0], accounts, rows}, parts[2:]...) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return bad()
		}
		numbers = append(numbers, n)
	}
	b := Bank{ID: int64(numbers[0]), Accounts: numbers[1], RowsPerAccount: numbers[2]}
	if len(numbers) == 4 {
		b.FailedAccounts = numbers[3]
	}
	b = b.WithDefaults()
	return b, b.Validate()
}
