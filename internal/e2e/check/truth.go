package check

// Truth is what happened outside of Kafka.
type Truth struct {
	// Requests are the imports that were asked for, by import id.
	Requests map[string]Request
	// Forms are the web forms that the provider made, by id.
	Forms map[string]Form
	// Connections are the bank connections that the provider made, by id.
	Connections map[int64]Connection
	// Orphans is how many forms may exist beside those of the imports: one for
	// each creation whose answer a killed process never got.
	Orphans int
	// DeadLetters is how many records and timers had to be given up, by class.
	DeadLetters map[string]int
	// Runs is how many runs an import has, by id, where it is more than one:
	// those before the last one were given up and redriven.
	Runs map[string]int
}

// Amend changes what is known of a request.
func (t Truth) Amend(importID string, f func(*Request)) {
	r := t.Requests[importID]
	f(&r)
	t.Requests[importID] = r
}

// Request is an import that was asked for.
type Request struct {
	UserID string
	// ProviderUser is the provider's id of that user.
	ProviderUser string
	// Refused is the reason with which the import must fail without a form;
	// empty for a good request.
	Refused string
	// Cancelled says that upstream cancelled: every end without a connection is
	// then that.
	Cancelled bool
	// ConnectionID is the connection that is read again, without a form; 0: none.
	ConnectionID int64
}

// Form is a web form as it ended.
type Form struct {
	ProviderUser string
	Status       string // the provider's word
	ErrorCode    string
	ConnectionID int64 // 0: the form made none
}

// Connection is a bank connection with everything that its bank delivered.
type Connection struct {
	Accounts []Account
}

// Account is one account of a connection.
type Account struct {
	ID     int64
	Loaded bool
	Rows   []Row
}

// Row is one transaction.
type Row struct {
	ID     int64
	Amount string // as the provider writes it
}

// outcome is how an import must end.
type outcome struct {
	reason string // of the failure; empty: it completes
	// of an import that completes:
	connectionID int64
	accounts     []Account
}

// outcomeOf says how an import with this form must end.
func (t Truth) outcomeOf(f Form) outcome {
	if f.ErrorCode == "ENTITY_EXISTS" {
		return outcome{reason: "already_connected"}
	}
	if f.ConnectionID == 0 {
		return outcome{reason: reasonWithoutConnection(f)}
	}
	o := outcome{connectionID: f.ConnectionID, accounts: t.Connections[f.ConnectionID].Accounts}
	return o.ofAccounts()
}

// ofAccounts says how an import of these accounts ends.
func (o outcome) ofAccounts() outcome {
	if len(o.accounts) == 0 {
		return outcome{reason: "no_matching_accounts"}
	}
	for _, a := range o.accounts {
		if a.Loaded {
			return o
		}
	}
	return outcome{reason: "all_accounts_failed"}
}

// outcomeOfRequest says how a request with this form (nil: none) must end.
func (t Truth) outcomeOfRequest(r Request, f *Form) outcome {
	switch {
	case r.Refused != "":
		return outcome{reason: r.Refused}
	case r.ConnectionID != 0:
		c, there := t.Connections[r.ConnectionID]
		if !there {
			return outcome{reason: "connection_deleted"}
		}
		return outcome{connectionID: r.ConnectionID, accounts: c.Accounts}.ofAccounts()
	case r.Cancelled && (f == nil || f.ConnectionID == 0):
		return outcome{reason: "cancelled"}
	case f == nil:
		return outcome{reason: "not without a form of its own"}
	default:
		return t.outcomeOf(*f)
	}
}

func reasonWithoutConnection(f Form) string {
	switch f.ErrorCode {
	case "":
	case "BANK_SERVER_REJECTION":
		return "bank_rejected"
	case "INTERRUPTED":
		return "interrupted"
	case "NO_ACCOUNTS_FOR_TYPE_LIST":
		return "no_matching_accounts"
	case "UNDETERMINED_BANK", "BANK_NOT_UNIQUE":
		return "invalid_request"
	case "BANK_NOT_SUPPORTED", "UNSUPPORTED_FEATURE":
		return "bank_unsupported"
	case "MANDATOR_MISCONFIGURATION", "INVALID_REDIRECT_URL":
		return "provider_misconfigured"
	default:
		return "provider_error"
	}
	switch f.Status {
	case "ABORTED":
		return "user_aborted"
	case "EXPIRED", "CANCELLED": // only our own deadline cancels in these tests
		return "form_expired"
	default:
		return "provider_error"
	}
}
