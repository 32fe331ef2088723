package schemas

// Step is where an import stands.
type Step string

// The steps, in order.
const (
	StepRequested           Step = "requested"            // the request has arrived
	StepFormOpen            Step = "form_open"            // the web form waits for the user
	StepDownloading         Step = "downloading"          // the bank's data is on its way to the provider
	StepReadingAccounts     Step = "reading_accounts"     // the accounts are being read
	StepReadingTransactions Step = "reading_transactions" // the transactions are being read
	StepCompleted           Step = "completed"            // ended well
	StepFailed              Step = "failed"               // ended badly
)

// Steps returns every step, in order.
func Steps() []Step {
	return []Step{
		StepRequested, StepFormOpen, StepDownloading, StepReadingAccounts,
		StepReadingTransactions, StepCompleted, StepFailed,
	}
}

// Number returns the number of the step, 1 to 6; both ends are 6. It never
// falls within a run. A step that is not known gives 0.
func (s Step) Number() int {
	switch s {
	case StepRequested:
		return 1
	case StepFormOpen:
		return 2
	case StepDownloading:
		return 3
	case StepReadingAccounts:
		return 4
	case StepReadingTransactions:
		return 5
	case StepCompleted, StepFailed:
		return 6
	default:
		return 0
	}
}

// WaitingFor says who must do something before an import goes on.
type WaitingFor string

// Those an import can wait for.
const (
	WaitingForUser     WaitingFor = "user"     // in the web form
	WaitingForBank     WaitingFor = "bank"     // to answer the provider
	WaitingForProvider WaitingFor = "provider" // to answer us
	WaitingForUs       WaitingFor = "us"       // our turn
	WaitingForNobody   WaitingFor = "nobody"   // the import has ended
)

// WaitingFors returns the closed set.
func WaitingFors() []WaitingFor {
	return []WaitingFor{WaitingForUser, WaitingForBank, WaitingForProvider, WaitingForUs, WaitingForNobody}
}

// EndedBy says who reported that a web form may have ended.
type EndedBy string

// Those who report the end of a form.
const (
	EndedByCallback EndedBy = "callback" // the provider called the webhook bridge
	EndedByCancel   EndedBy = "cancel"   // upstream cancelled the import
)

// EndedBys returns the closed set.
func EndedBys() []EndedBy { return []EndedBy{EndedByCallback, EndedByCancel} }
