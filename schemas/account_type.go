package schemas

// Kinds of bank account.
const (
	AccountTypeBausparen  = "bausparen" // German building savings
	AccountTypeChecking   = "checking"
	AccountTypeCreditCard = "credit_card"
	AccountTypeLoan       = "loan"
	AccountTypeMembership = "membership" // share in a cooperative bank
	AccountTypeSavings    = "savings"
	AccountTypeSecurity   = "security"
)

// AccountTypes returns the kinds of account in alphabetical order. A request can
// ask for these and no others. Accounts may come with further ones, as the
// provider adds them.
func AccountTypes() []string {
	return []string{
		AccountTypeBausparen, AccountTypeChecking, AccountTypeCreditCard, AccountTypeLoan,
		AccountTypeMembership, AccountTypeSavings, AccountTypeSecurity,
	}
}

// Failure says why an account of an import is not loaded.
type Failure string

// The failures of an account.
const (
	FailureDownloadFailed     Failure = "download_failed"      // the last download of every interface failed
	FailureNotDownloaded      Failure = "not_downloaded"       // no interface has downloaded anything, or none says so
	FailureDeprecated         Failure = "deprecated"           // the bank does not list the account any more
	FailureDeleted            Failure = "deleted"              // the provider does not know the account any more
	FailureUserActionRequired Failure = "user_action_required" // the user must act at the bank or renew a consent
)

// Failures returns the closed set.
func Failures() []Failure {
	return []Failure{FailureDownloadFailed, FailureNotDownloaded, FailureDeprecated, FailureDeleted, FailureUserActionRequired}
}
