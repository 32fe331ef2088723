package schemas

import "strconv"

// WebformAwaited hands an import from the webform stage to the connection
// stage: it names the form to wait for, or the connection to read where there
// is no form. Exactly one of the two ids is set.
type WebformAwaited struct {
	ImportID         string  `json:"import_id"`
	Run              int     `json:"run"`
	UserID           string  `json:"user_id"`
	FormID           string  `json:"form_id,omitempty"`
	BankConnectionID int64   `json:"bank_connection_id,omitzero"`
	ExpiresAt        Instant `json:"expires_at,omitzero"` // of the form
	StartedAt        Instant `json:"started_at"`          // of the run
}

// Type implements [Event].
func (WebformAwaited) Type() string { return TypeWebformAwaited }

// Topic implements [Event].
func (WebformAwaited) Topic() string { return TopicWebformCompleted }

// Key implements [Event].
func (e WebformAwaited) Key() string { return e.ImportID }

// Subject implements [Event].
func (e WebformAwaited) Subject() string { return e.ImportID }

// ID implements [Event]. Its subject is the form, or the connection where
// there is none.
func (e WebformAwaited) ID() string {
	if e.FormID == "" {
		return eventID(e.ImportID, e.Type(), e.Run, "connection", strconv.FormatInt(e.BankConnectionID, 10))
	}
	return eventID(e.ImportID, e.Type(), e.Run, e.FormID)
}
