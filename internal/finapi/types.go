package finapi

import "time"

// FormRequest is what a web form is created with. The zero value lets the user
// choose the bank and imports all accounts.
type FormRequest struct {
	BankID         int64    // fixed bank; excludes BankSearch
	BankSearch     string   // IBAN, BIC, name or city that leads to one bank
	ConnectionName string   // name of the new connection, at most 64 characters
	AccountTypes   []string // our words, e.g. "credit_card"; empty: all
	MaxDays        int      // days of history; 0: all there is
	ProfileID      string   // look of the form; empty: the client's default
	CallbackURL    string   // called once when the form has ended; a secret
}

// FormStatus is where a web form stands. The provider may add values; an
// unknown one is kept as it is and is not final.
type FormStatus string

const (
	FormNotYetOpened       FormStatus = "NOT_YET_OPENED"
	FormInProgress         FormStatus = "IN_PROGRESS"
	FormCompleted          FormStatus = "COMPLETED"
	FormCompletedWithError FormStatus = "COMPLETED_WITH_ERROR"
	FormExpired            FormStatus = "EXPIRED"
	FormAborted            FormStatus = "ABORTED"
	FormCancelled          FormStatus = "CANCELLED"
)

// Final reports whether the form has ended and will not change any more.
func (s FormStatus) Final() bool {
	switch s {
	case FormCompleted, FormCompletedWithError, FormExpired, FormAborted, FormCancelled:
		return true
	}
	return false
}

// Form is a web form. Its URL opens it, so it is a secret until it is used.
type Form struct {
	ID           string
	URL          string
	Status       FormStatus
	CreatedAt    time.Time
	ExpiresAt    time.Time
	ConnectionID int64  // the bank connection it made; 0: none (known)
	ErrorCode    string // why it ended badly, the provider's code; empty: none
}

// Values of Connection.UpdateStatus and Connection.CategorizationStatus.
const (
	StatusPending    = "PENDING" // categorization only
	StatusInProgress = "IN_PROGRESS"
	StatusReady      = "READY"
)

// Connection is a bank connection. UpdateStatus READY says that the download
// has ended, not that it went well: that is in the accounts.
type Connection struct {
	ID                   int64
	Bank                 Bank
	UpdateStatus         string
	CategorizationStatus string // means something only once UpdateStatus is READY
	AccountIDs           []int64
	UserActionRequired   bool // an interface waits for the user
}

// Bank is the bank of a connection.
type Bank struct {
	ID   int64
	Name string
	BIC  string // empty: none
}

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
	Currency       string
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
	Currency                     string // empty: the account's
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

// TransactionPage is one page of an account's transactions, in the order of
// their ids.
type TransactionPage struct {
	Transactions []Transaction
	Page         int
	PageCount    int    // may change between pages: trust the latest
	TotalCount   int    // rows on all pages
	Balance      string // sum over all pages, not the account's balance
}
