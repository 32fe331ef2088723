package schemas

// WebformCompleted is a hint that a form may have ended. It comes from outside
// and is never believed: whoever gets it reads the form. Kafka may hold the
// same hint twice.
type WebformCompleted struct {
	ImportID string  `json:"import_id"`
	Run      int     `json:"run"`
	FormID   string  `json:"form_id,omitempty"` // absent when the callback's body could not be read
	EndedBy  EndedBy `json:"ended_by"`
	// ToldStatus is the status word the callback carried.
	ToldStatus string  `json:"told_status,omitempty"`
	ObservedAt Instant `json:"observed_at"`
}

// Type implements [Event].
func (WebformCompleted) Type() string { return TypeWebformCompleted }

// Topic implements [Event].
func (WebformCompleted) Topic() string { return TopicWebformCompleted }

// Key implements [Event].
func (e WebformCompleted) Key() string { return e.ImportID }

// Subject implements [Event].
func (e WebformCompleted) Subject() string { return e.ImportID }

// ID implements [Event]. Its subject is the form and who reported its end.
func (e WebformCompleted) ID() string {
	return eventID(e.ImportID, e.Type(), e.Run, e.FormID, string(e.EndedBy))
}
