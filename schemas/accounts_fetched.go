package schemas

// AccountsFetched says that every account of a connection is on the topic
// accounts. It is committed together with them.
type AccountsFetched struct {
	ImportID         string           `json:"import_id"`
	Run              int              `json:"run"`
	UserID           string           `json:"user_id"`
	BankConnectionID int64            `json:"bank_connection_id"`
	Categorized      bool             `json:"categorized"`
	StartedAt        Instant          `json:"started_at"`
	Accounts         []FetchedAccount `json:"accounts"`
}

// FetchedAccount is one account whose record is published.
type FetchedAccount struct {
	AccountKey        string  `json:"account_key"`
	ProviderAccountID int64   `json:"provider_account_id"`
	AccountType       string  `json:"account_type"`
	Loaded            bool    `json:"loaded"`
	Failure           Failure `json:"failure,omitempty"` // why it is not loaded
}

// Type implements [Event].
func (AccountsFetched) Type() string { return TypeAccountsFetched }

// Topic implements [Event].
func (AccountsFetched) Topic() string { return TopicAccountsFetched }

// Key implements [Event].
func (e AccountsFetched) Key() string { return e.ImportID }

// Subject implements [Event].
func (e AccountsFetched) Subject() string { return e.ImportID }

// ID implements [Event].
func (e AccountsFetched) ID() string { return eventID(e.ImportID, e.Type(), e.Run) }
