package schemas

// WebformCreated hands upstream the address of the form for its user. Whoever
// knows URL can open the form: it stands in no other event and in no log.
type WebformCreated struct {
	ImportID  string  `json:"import_id"`
	Run       int     `json:"run"`
	UserID    string  `json:"user_id"`
	FormID    string  `json:"form_id"`
	URL       string  `json:"url"`
	ExpiresAt Instant `json:"expires_at"`
}

// Type implements [Event].
func (WebformCreated) Type() string { return TypeWebformCreated }

// Topic implements [Event].
func (WebformCreated) Topic() string { return TopicWebformCreated }

// Key implements [Event].
func (e WebformCreated) Key() string { return e.ImportID }

// Subject implements [Event].
func (e WebformCreated) Subject() string { return e.ImportID }

// ID implements [Event].
func (e WebformCreated) ID() string { return eventID(e.ImportID, e.Type(), e.Run, e.FormID) }
