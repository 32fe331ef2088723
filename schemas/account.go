package schemas

// Account is a bank account as the provider last saw it. The newest record of
// a key is the truth. It holds personal data.
//
// Amounts are decimal text, exactly as the provider wrote it, in Currency.
type Account struct {
	// AccountKey stays the same across imports and renewed consents.
	AccountKey string `json:"account_key"`
	// KeyDoubtful says that two accounts of the import could not be told apart,
	// so the key contains the provider's id and may change.
	KeyDoubtful       bool    `json:"key_doubtful,omitzero"`
	ImportID          string  `json:"import_id"`
	Run               int     `json:"run"`
	UserID            string  `json:"user_id"`
	BankConnectionID  int64   `json:"bank_connection_id"`
	ProviderAccountID int64   `json:"provider_account_id"`
	BankID            int64   `json:"bank_id"`
	BankName          string  `json:"bank_name,omitempty"`
	BIC               string  `json:"bic,omitempty"`
	AccountType       string  `json:"type"` // see [AccountTypes]; the provider may add some
	Name              string  `json:"name,omitempty"`
	Holder            string  `json:"holder,omitempty"`
	IBAN              string  `json:"iban,omitempty"`
	AccountNumber     string  `json:"account_number,omitempty"`
	SubAccountNumber  string  `json:"sub_account_number,omitempty"`
	Currency          string  `json:"currency,omitempty"` // ISO 4217
	Balance           string  `json:"balance,omitempty"`
	OverdraftLimit    string  `json:"overdraft_limit,omitempty"`
	AvailableFunds    string  `json:"available_funds,omitempty"`
	Loaded            bool    `json:"loaded"`
	LastUpdateAt      Instant `json:"last_update_at,omitzero"` // last download that worked
	SeenAt            Instant `json:"seen_at"`
}

// Type implements [Event].
func (Account) Type() string { return TypeAccount }

// Topic implements [Event].
func (Account) Topic() string { return TopicAccounts }

// Key implements [Event].
func (a Account) Key() string { return a.AccountKey }

// Subject implements [Event].
func (a Account) Subject() string { return a.ImportID }

// ID implements [Event]. Its subject is the account.
func (a Account) ID() string { return eventID(a.ImportID, a.Type(), a.Run, a.AccountKey) }
