package finapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// Values of AccountInterface.Status.
const (
	InterfaceUpdated            = "UPDATED"
	InterfaceUpdatedFixed       = "UPDATED_FIXED" // loaded, with an adjusting entry
	InterfaceDownloadInProgress = "DOWNLOAD_IN_PROGRESS"
	InterfaceDownloadFailed     = "DOWNLOAD_FAILED"
	InterfaceDeprecated         = "DEPRECATED" // no longer matched at the bank
)

// Account is an account of a bank connection. Empty texts mean that the
// provider named nothing. Amounts are decimal numbers exactly as written.
type Account struct {
	ID             int64
	ConnectionID   int64
	Type           string // our word: "checking", "credit_card", …; an unknown type in the same spelling
	Name           string
	Holder         string
	IBAN           string
	Number         string // leading zeros may come and go
	SubNumber      string
	Currency       string // three capital letters
	Balance        string
	OverdraftLimit string
	AvailableFunds string
	Interfaces     []AccountInterface
}

// AccountInterface is one of the ways in which an account is loaded.
type AccountInterface struct {
	Status               string    // an unknown value is kept as it is
	LastSuccessfulUpdate time.Time // zero: never
}

// Accounts reads all accounts of a bank connection. They come in one answer; a
// connection that does not exist has none.
func (c *Client) Accounts(ctx context.Context, user User, connectionID int64) ([]Account, error) {
	if !user.valid() || connectionID <= 0 {
		return nil, invalid(opListAccounts, "no user or no connection id")
	}
	var answer api.AccountList
	var accounts []Account
	err := c.call(ctx, c.tokens.of(user), request{
		op: opListAccounts, method: http.MethodGet, path: "/api/v2/accounts",
		query:  url.Values{"bankConnectionIds": {strconv.FormatInt(connectionID, 10)}},
		answer: &answer, check: func() (p problem) {
			accounts, p = readAccounts(answer, connectionID)
			return p
		},
	})
	if err != nil {
		return nil, err
	}
	return accounts, nil
}

func readAccounts(a api.AccountList, connectionID int64) ([]Account, problem) {
	if a.Accounts == nil {
		return nil, "accounts is missing"
	}
	accounts := make([]Account, 0, len(a.Accounts))
	seen := make(map[int64]bool, len(a.Accounts)) // by account id
	for _, a := range a.Accounts {
		account, p := readAccount(a)
		switch {
		case p != "":
			return nil, p
		case a.BankConnectionID != connectionID:
			return nil, "accounts[].bankConnectionId is missing or another connection's"
		case seen[a.ID]:
			return nil, "accounts[] holds the same account twice"
		}
		seen[a.ID] = true
		accounts = append(accounts, account)
	}
	return accounts, ""
}

func readAccount(a api.Account) (Account, problem) {
	switch {
	case a.ID <= 0:
		return Account{}, "accounts[].id is missing"
	case a.AccountType == "":
		return Account{}, "accounts[].accountType is missing"
	case a.AccountNumber == "":
		return Account{}, "accounts[].accountNumber is missing"
	case a.Interfaces == nil:
		return Account{}, "accounts[].interfaces is missing"
	}
	account := Account{
		ID:           a.ID,
		ConnectionID: a.BankConnectionID,
		Type:         accountWord(a.AccountType),
		Name:         a.AccountName,
		Holder:       a.AccountHolderName,
		IBAN:         a.Iban,
		Number:       a.AccountNumber,
		SubNumber:    a.SubAccountNumber,
		Interfaces:   make([]AccountInterface, 0, len(a.Interfaces)),
	}
	if account.Type == "" {
		return Account{}, "accounts[].accountType is not a word"
	}
	var ok bool
	if account.Currency, ok = currency(a.AccountCurrency); !ok {
		return Account{}, "accounts[].accountCurrency is not a code of three letters"
	}
	for _, amount := range []struct {
		to   *string
		from api.Number
	}{
		{&account.Balance, a.Balance},
		{&account.OverdraftLimit, a.OverdraftLimit},
		{&account.AvailableFunds, a.AvailableFunds},
	} {
		if *amount.to, ok = decimal(amount.from); !ok {
			return Account{}, "accounts[] holds an amount that is no decimal number of sensible size"
		}
	}
	for _, i := range a.Interfaces {
		if i.Status == "" {
			return Account{}, "accounts[].interfaces[].status is missing"
		}
		account.Interfaces = append(account.Interfaces, AccountInterface{
			Status:               string(i.Status),
			LastSuccessfulUpdate: i.LastSuccessfulUpdate.Time,
		})
	}
	return account, ""
}
