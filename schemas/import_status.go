package schemas

import "strconv"

// ImportStatus says where an import stands. The stage that holds the import
// writes it; the newest record of a key is the truth.
type ImportStatus struct {
	ImportID string `json:"import_id"`
	Run      int    `json:"run"`
	UserID   string `json:"user_id,omitempty"`
	Step     Step   `json:"step"`
	// StepNo is Step.Number(): it never falls within a run.
	StepNo            int        `json:"step_no"`
	WaitingFor        WaitingFor `json:"waiting_for"`
	SinceAt           Instant    `json:"since_at"`          // since when it waits
	UntilAt           Instant    `json:"until_at,omitzero"` // at most until then
	FormExpiresAt     Instant    `json:"form_expires_at,omitzero"`
	Accounts          *int       `json:"accounts,omitempty"`           // how many there are
	TransactionsRead  *int       `json:"transactions_read,omitempty"`  // rows so far
	TransactionsTotal *int       `json:"transactions_total,omitempty"` // of how many
	Reason            Reason     `json:"reason,omitempty"`             // with step failed
	LastError         string     `json:"last_error,omitempty"`         // what went wrong last; no personal data
	UpdatedAt         Instant    `json:"updated_at"`

	// Counter tells the statuses of one step apart and is part of the event id;
	// it is not published. The stage that announces a step to its successor
	// leaves it 0. The stage that holds the import counts from 1 in its state.
	Counter int `json:"-"`
}

// Type implements [Event].
func (ImportStatus) Type() string { return TypeImportStatus }

// Topic implements [Event].
func (ImportStatus) Topic() string { return TopicImportStatus }

// Key implements [Event].
func (e ImportStatus) Key() string { return e.ImportID }

// Subject implements [Event].
func (e ImportStatus) Subject() string { return e.ImportID }

// ID implements [Event]. Its subject is the step and the counter.
func (e ImportStatus) ID() string {
	return eventID(e.ImportID, e.Type(), e.Run, string(e.Step), strconv.Itoa(e.Counter))
}
