package schemas

// ConnectionReady says that the provider has downloaded a bank connection, and
// which of its accounts came.
type ConnectionReady struct {
	ImportID         string `json:"import_id"`
	Run              int    `json:"run"`
	UserID           string `json:"user_id"`
	BankConnectionID int64  `json:"bank_connection_id"`
	BankID           int64  `json:"bank_id"`
	BankName         string `json:"bank_name,omitempty"`
	// Categorized is false when the provider had not finished its categories
	// in time: those of the transactions may be missing.
	Categorized bool                `json:"categorized"`
	StartedAt   Instant             `json:"started_at"`
	Accounts    []ConnectionAccount `json:"accounts"`
}

// ConnectionAccount is one account of a connection that is ready.
type ConnectionAccount struct {
	ProviderAccountID int64   `json:"provider_account_id"`
	Loaded            bool    `json:"loaded"`
	Failure           Failure `json:"failure,omitempty"` // why it is not loaded
}

// Type implements [Event].
func (ConnectionReady) Type() string { return TypeConnectionReady }

// Topic implements [Event].
func (ConnectionReady) Topic() string { return TopicConnectionReady }

// Key implements [Event].
func (e ConnectionReady) Key() string { return e.ImportID }

// Subject implements [Event].
func (e ConnectionReady) Subject() string { return e.ImportID }

// ID implements [Event].
func (e ConnectionReady) ID() string { return eventID(e.ImportID, e.Type(), e.Run) }
