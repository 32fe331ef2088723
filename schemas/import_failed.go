package schemas

// ImportFailed is the bad end of an import's run.
type ImportFailed struct {
	ImportID string `json:"import_id"`
	Run      int    `json:"run"`
	UserID   string `json:"user_id,omitempty"` // absent when the request's could not be read
	Reason   Reason `json:"reason"`
	// ProviderCode is the provider's own code behind the reason.
	ProviderCode     string  `json:"provider_code,omitempty"`
	BankConnectionID int64   `json:"bank_connection_id,omitzero"`
	Retryable        bool    `json:"retryable"` // see [Reason.Retryable]
	StartedAt        Instant `json:"started_at,omitzero"`
	FailedAt         Instant `json:"failed_at"`
}

// Type implements [Event].
func (ImportFailed) Type() string { return TypeImportFailed }

// Topic implements [Event].
func (ImportFailed) Topic() string { return TopicImportFailed }

// Key implements [Event].
func (e ImportFailed) Key() string { return e.ImportID }

// Subject implements [Event].
func (e ImportFailed) Subject() string { return e.ImportID }

// ID implements [Event].
func (e ImportFailed) ID() string { return eventID(e.ImportID, e.Type(), e.Run) }
