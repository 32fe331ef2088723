package finapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const rowsPerPage = 500 // the provider's maximum

// Transaction is one row of an account. Empty texts mean that the provider
// named nothing. Amounts are decimal numbers exactly as written; dates are
// YYYY-MM-DD.
type Transaction struct {
	ID                           int64
	AccountID                    int64
	BankBookingDate              string
	ValueDate                    string
	FinapiBookingDate            string // moves while a booking lies in the future
	Amount                       string // negative: spending
	Currency                     string // three capital letters; empty: the account's
	Purpose                      string
	CounterpartName              string
	CounterpartIBAN              string
	CounterpartAccountNumber     string
	CounterpartBIC               string
	CounterpartBankName          string
	CounterpartMandateReference  string
	CounterpartCreditorID        string
	CounterpartDebitorID         string
	CounterpartCustomerReference string
	EndToEndReference            string
	Type                         string // the bank's own wording
	TypeCodeZKA                  string
	TypeCodeSWIFT                string
	SEPAPurposeCode              string
	BankTransactionCode          string
	Primanota                    string
	Category                     *Category // nil: none, which is not "not yet"
	OriginalAmount               string
	OriginalCurrency             string
	FeeAmount                    string
	FeeCurrency                  string
	CompensationAmount           string
	PotentialDuplicate           bool
	AdjustingEntry               bool // made up by the provider to match the balance
	ImportedAt                   time.Time
}

// Category of a transaction. The provider's category ids differ between
// environments, so only names are kept.
type Category struct {
	Name       string
	ParentName string // empty: none
	Custom     bool   // made by the user
}

// TransactionPage is one page of an account's transactions, in the order in
// which the provider sent them: it is asked for that of their ids. Rows that
// arrive while pages are read may shift the pages.
type TransactionPage struct {
	Transactions []Transaction
	Page         int
	PageCount    int    // may change between pages: trust the latest
	TotalCount   int    // rows on all pages
	Balance      string // sum over all pages, not the account's balance
}

// Transactions reads one page of an account, 500 rows at most, the first page
// being 1. Rows are as the bank sent them, not as the user split them.
func (c *Client) Transactions(ctx context.Context, user User, accountID int64, page int) (TransactionPage, error) {
	if !user.valid() || accountID <= 0 || page < 1 {
		return TransactionPage{}, invalid(opListTransactions, "no user, no account id or no page")
	}
	var answer api.TransactionList
	var rows TransactionPage
	err := c.call(ctx, c.tokens.of(user), request{
		op: opListTransactions, method: http.MethodGet, path: "/api/v2/transactions",
		query: url.Values{
			"view":       {string(api.TransactionViewBankView)},
			"accountIds": {strconv.FormatInt(accountID, 10)},
			"order":      {"id,asc"},
			"page":       {strconv.Itoa(page)},
			"perPage":    {strconv.Itoa(rowsPerPage)},
		},
		answer: &answer, check: func() (p problem) {
			rows, p = readPage(answer, accountID, page)
			return p
		},
	})
	if err != nil {
		return TransactionPage{}, err
	}
	return rows, nil
}

func readPage(a api.TransactionList, accountID int64, asked int) (TransactionPage, problem) {
	if a.Transactions == nil {
		return TransactionPage{}, "transactions is missing"
	}
	if p := checkPaging(a.Paging, asked, len(a.Transactions)); p != "" {
		return TransactionPage{}, p
	}
	balance, ok := decimal(a.Balance)
	if balance == "" || !ok {
		return TransactionPage{}, "balance is missing or no decimal number of sensible size"
	}
	page := TransactionPage{
		Transactions: make([]Transaction, 0, len(a.Transactions)),
		Page:         *a.Paging.Page,
		PageCount:    *a.Paging.PageCount,
		TotalCount:   *a.Paging.TotalCount,
		Balance:      balance,
	}
	for i := range a.Transactions {
		row, p := readTransaction(&a.Transactions[i])
		if p != "" {
			return TransactionPage{}, p
		}
		if row.AccountID != accountID {
			return TransactionPage{}, "transactions[].accountId is missing or another account's"
		}
		page.Transactions = append(page.Transactions, row)
	}
	return page, ""
}

// checkPaging refuses an answer from which the end of the rows could not be
// told, or not be told truly.
func checkPaging(p api.Paging, asked, rows int) problem {
	if p.Page == nil || p.PageCount == nil || p.TotalCount == nil {
		return "paging is missing"
	}
	page, pages, total := *p.Page, *p.PageCount, *p.TotalCount
	switch {
	case page < 1 || pages < 0 || total < 0:
		return "paging is out of range"
	case rows > rowsPerPage:
		return "more rows than a page can have"
	case rows > total:
		return "more rows than paging.totalCount"
	case asked > pages: // the set has shrunk: there is nothing to compare with
		return ""
	case page != asked:
		return "paging.page is not the page asked for"
	case rows == 0 && total > 0:
		return "an empty page before the end"
	}
	return ""
}

func readTransaction(a *api.Transaction) (Transaction, problem) {
	switch {
	case a.ID <= 0:
		return Transaction{}, "transactions[].id is missing"
	case a.BankBookingDate == "" || a.ValueDate == "" || a.FinapiBookingDate == "":
		return Transaction{}, "a date of transactions[] is missing"
	case a.Amount == "":
		return Transaction{}, "transactions[].amount is missing"
	case a.IsPotentialDuplicate == nil || a.IsAdjustingEntry == nil:
		return Transaction{}, "a flag of transactions[] is missing"
	case a.ImportDate.IsZero():
		return Transaction{}, "transactions[].importDate is missing"
	}
	t := Transaction{
		ID:                           a.ID,
		AccountID:                    a.AccountID,
		BankBookingDate:              string(a.BankBookingDate),
		ValueDate:                    string(a.ValueDate),
		FinapiBookingDate:            string(a.FinapiBookingDate),
		Purpose:                      a.Purpose,
		CounterpartName:              a.CounterpartName,
		CounterpartIBAN:              a.CounterpartIban,
		CounterpartAccountNumber:     a.CounterpartAccountNumber,
		CounterpartBIC:               a.CounterpartBic,
		CounterpartBankName:          a.CounterpartBankName,
		CounterpartMandateReference:  a.CounterpartMandateReference,
		CounterpartCreditorID:        a.CounterpartCreditorID,
		CounterpartDebitorID:         a.CounterpartDebitorID,
		CounterpartCustomerReference: a.CounterpartCustomerReference,
		EndToEndReference:            a.EndToEndReference,
		Type:                         a.Type,
		TypeCodeZKA:                  a.TypeCodeZka,
		TypeCodeSWIFT:                a.TypeCodeSwift,
		SEPAPurposeCode:              a.SepaPurposeCode,
		BankTransactionCode:          a.BankTransactionCode,
		Primanota:                    a.Primanota,
		PotentialDuplicate:           *a.IsPotentialDuplicate,
		AdjustingEntry:               *a.IsAdjustingEntry,
		ImportedAt:                   a.ImportDate.Time,
	}
	for _, code := range []struct {
		to   *string
		from string
	}{
		{&t.Currency, a.Currency},
		{&t.OriginalCurrency, a.OriginalCurrency},
		{&t.FeeCurrency, a.FeeCurrency},
	} {
		var ok bool
		if *code.to, ok = currency(code.from); !ok {
			return Transaction{}, "transactions[] holds a currency that is not a code of three letters"
		}
	}
	for _, amount := range []struct {
		to   *string
		from api.Number
	}{
		{&t.Amount, a.Amount},
		{&t.OriginalAmount, a.OriginalAmount},
		{&t.FeeAmount, a.FeeAmount},
		{&t.CompensationAmount, a.CompensationAmount},
	} {
		var ok bool
		if *amount.to, ok = decimal(amount.from); !ok {
			return Transaction{}, "transactions[] holds an amount that is no decimal number of sensible size"
		}
	}
	if category := a.Category; category.Name != "" {
		t.Category = &Category{
			Name:       category.Name,
			ParentName: category.ParentName,
			Custom:     category.IsCustom != nil && *category.IsCustom,
		}
	}
	return t, ""
}
