package schemas

// ImportCancelRequested asks to end an import whose form is not finished yet.
// Upstream publishes it, on the topic of the requests so that the two stay in
// order.
type ImportCancelRequested struct {
	ImportID    string  `json:"import_id"`
	RequestedAt Instant `json:"requested_at,omitzero"`
}

// Type implements [Event].
func (ImportCancelRequested) Type() string { return TypeImportCancelRequested }

// Topic implements [Event].
func (ImportCancelRequested) Topic() string { return TopicImportRequested }

// Key implements [Event].
func (c ImportCancelRequested) Key() string { return c.ImportID }

// Subject implements [Event].
func (c ImportCancelRequested) Subject() string { return c.ImportID }

// ID implements [Event]. A second cancel says nothing new, so it has the same
// id.
func (c ImportCancelRequested) ID() string { return eventID(c.ImportID, c.Type(), 1) }
