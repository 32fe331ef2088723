package schemas

// Reason says why an import ended badly. The set is closed; the provider's own
// code stands beside it where there is one.
type Reason string

// The reasons.
const (
	ReasonInvalidRequest        Reason = "invalid_request"        // the request breaks a rule of the contract
	ReasonCancelled             Reason = "cancelled"              // upstream cancelled, or the provider before the form's deadline
	ReasonUserAborted           Reason = "user_aborted"           // the user left the form
	ReasonFormExpired           Reason = "form_expired"           // nobody finished the form in time
	ReasonInterrupted           Reason = "interrupted"            // the form was reloaded at a step that does not allow it
	ReasonFormGone              Reason = "form_gone"              // the provider does not know the form any more
	ReasonBankRejected          Reason = "bank_rejected"          // the bank ended it, for example after wrong credentials
	ReasonBankUnsupported       Reason = "bank_unsupported"       // the provider does not support the bank or the feature
	ReasonNoMatchingAccounts    Reason = "no_matching_accounts"   // no account of the wanted types
	ReasonAlreadyConnected      Reason = "already_connected"      // the user has this connection already
	ReasonConnectionDeleted     Reason = "connection_deleted"     // the provider does not know the connection any more
	ReasonUserActionRequired    Reason = "user_action_required"   // the user must act at the bank or renew a consent
	ReasonAllAccountsFailed     Reason = "all_accounts_failed"    // no account could be downloaded
	ReasonDownloadTimeout       Reason = "download_timeout"       // the bank's download did not end in time
	ReasonIncompleteRead        Reason = "incomplete_read"        // the provider's list stayed shorter than its count
	ReasonProviderMisconfigured Reason = "provider_misconfigured" // the contract with the provider is set up wrongly
	ReasonProviderError         Reason = "provider_error"         // the provider failed
	ReasonGaveUp                Reason = "gave_up"                // retries are spent or an answer made no sense; there is a dead letter
)

// Reasons returns the closed set in the order of the design.
func Reasons() []Reason {
	return []Reason{
		ReasonInvalidRequest, ReasonCancelled, ReasonUserAborted,
		ReasonFormExpired, ReasonInterrupted, ReasonFormGone,
		ReasonBankRejected, ReasonBankUnsupported, ReasonNoMatchingAccounts,
		ReasonAlreadyConnected, ReasonConnectionDeleted, ReasonUserActionRequired,
		ReasonAllAccountsFailed, ReasonDownloadTimeout, ReasonIncompleteRead,
		ReasonProviderMisconfigured, ReasonProviderError, ReasonGaveUp,
	}
}

// Retryable says whether a new import may succeed although nobody changed
// anything: not the request, not the contract with the provider, not what the
// user has at the bank.
func (r Reason) Retryable() bool {
	switch r {
	case ReasonInvalidRequest, ReasonBankUnsupported, ReasonNoMatchingAccounts, ReasonAlreadyConnected,
		ReasonConnectionDeleted, ReasonUserActionRequired, ReasonProviderMisconfigured:
		return false
	default:
		return true
	}
}
