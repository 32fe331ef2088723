package schemas

// ImportCompleted is the good end of an import's run. It says for each account
// what was read, so that a reader knows when it has everything: wait until the
// account has Count rows with this ReadStartedAt or a newer one, then drop rows of
// the account whose read_started_at is older.
type ImportCompleted struct {
	ImportID         string             `json:"import_id"`
	Run              int                `json:"run"`
	UserID           string             `json:"user_id"`
	BankConnectionID int64              `json:"bank_connection_id"`
	Partial          bool               `json:"partial"` // at least one account is not loaded
	Categorized      bool               `json:"categorized"`
	Accounts         []CompletedAccount `json:"accounts"`
	Transactions     int                `json:"transactions"` // sum of the counts
	StartedAt        Instant            `json:"started_at"`
	CompletedAt      Instant            `json:"completed_at"`
}

// CompletedAccount is one account of an import that has ended.
type CompletedAccount struct {
	AccountKey        string  `json:"account_key"`
	ProviderAccountID int64   `json:"provider_account_id"`
	AccountType       string  `json:"account_type"`
	Loaded            bool    `json:"loaded"`
	Failure           Failure `json:"failure,omitempty"` // why it is not loaded
	// AccountRead is set exactly where Loaded is true; its fields stand beside
	// the others.
	*AccountRead
}

// AccountRead is what reading the transactions of an account gave.
type AccountRead struct {
	Read             int     `json:"read"` // number of the read; it rises within an import
	ReadStartedAt    Instant `json:"read_started_at"`
	Count            int     `json:"count"` // rows that the read has published
	Sum              string  `json:"sum"`   // of their amounts
	FirstBookingDate string  `json:"first_booking_date,omitempty"`
	LastBookingDate  string  `json:"last_booking_date,omitempty"`
	ReportedCount    int     `json:"reported_count"` // what the provider says
	ReportedSum      string  `json:"reported_sum"`
	Reconciled       bool    `json:"reconciled"` // the sums are equal
}

// Type implements [Event].
func (ImportCompleted) Type() string { return TypeImportCompleted }

// Topic implements [Event].
func (ImportCompleted) Topic() string { return TopicImportCompleted }

// Key implements [Event].
func (e ImportCompleted) Key() string { return e.ImportID }

// Subject implements [Event].
func (e ImportCompleted) Subject() string { return e.ImportID }

// ID implements [Event].
func (e ImportCompleted) ID() string { return eventID(e.ImportID, e.Type(), e.Run) }
