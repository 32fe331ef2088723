package devpage

import (
	"cmp"

	"github.com/bankimport/bankimport/schemas"
)

// ending is a reason for a bad end, for a person.
type ending struct {
	short string // follows "failed: "
	what  string // happened
	look  string // where to look, or what to change
}

const (
	lookAtRequest   = "Look at the request: topic import-requested, in the events below."
	lookAtSimulator = "The simulator's front page shows the form and the connection, and which faults are switched on."
	lookAtLog       = "Look at the log of bankimport dev and at the provider's code above."
)

// endingOf puts a reason into words. One that is not known is named as it is.
func endingOf(r schemas.Reason) ending {
	switch r {
	case schemas.ReasonInvalidRequest:
		return ending{"invalid request", "The request breaks a rule of the contract, or names a bank that cannot be told apart.", lookAtRequest}
	case schemas.ReasonCancelled:
		return ending{"cancelled", "The import was cancelled before the user had finished the form.", "The events below show who cancelled and when."}
	case schemas.ReasonUserAborted:
		return ending{"user aborted", "The user left the web form with Cancel.", "Nothing is broken. Start again and finish the form."}
	case schemas.ReasonFormExpired:
		return ending{"form expired", "Nobody finished the web form in time.", "Nothing is broken. Start again; how long a form lives is shown while it is open."}
	case schemas.ReasonInterrupted:
		return ending{"interrupted", "The web form was reloaded at a step that does not allow it.", "Nothing is broken. Start again and do not reload the form."}
	case schemas.ReasonFormGone:
		return ending{"form gone", "The provider does not know the web form any more.", lookAtSimulator}
	case schemas.ReasonBankRejected:
		return ending{"bank rejected", "The bank ended it, for example after a wrong login or a wrong TAN.", "In the simulator: login demo / demo, TAN 123456."}
	case schemas.ReasonBankUnsupported:
		return ending{"bank not supported", "The provider does not support this bank, or not what was asked of it.", "Choose another bank."}
	case schemas.ReasonNoMatchingAccounts:
		return ending{"no matching accounts", "The bank has no account of the wanted kinds.", lookAtRequest}
	case schemas.ReasonAlreadyConnected:
		return ending{"already connected", "This user has connected this bank already.", "Start it for another user, or read the connection again: a request with its id as bank_connection_id."}
	case schemas.ReasonConnectionDeleted:
		return ending{"connection deleted", "The provider does not know the bank connection any more.", lookAtSimulator}
	case schemas.ReasonUserActionRequired:
		return ending{"user action required", "The user must do something at the bank first, or renew a consent.", lookAtSimulator}
	case schemas.ReasonAllAccountsFailed:
		return ending{"all accounts failed", "The bank let the user in, but none of the accounts could be downloaded.", lookAtSimulator}
	case schemas.ReasonDownloadTimeout:
		return ending{"download timeout", "The bank's download did not end in time.", lookAtSimulator}
	case schemas.ReasonIncompleteRead:
		return ending{"incomplete read", "The provider handed out fewer transactions than it says there are, several times in a row.", lookAtSimulator}
	case schemas.ReasonProviderMisconfigured:
		return ending{"provider misconfigured", "The contract with the provider is set up wrongly.", "Look at the settings BANKIMPORT_FINAPI_… and at the provider's code above."}
	case schemas.ReasonProviderError:
		return ending{"provider error", "The provider failed.", lookAtLog}
	case schemas.ReasonGaveUp:
		return ending{"gave up", "A step kept failing, or got an answer that makes no sense, so it was given up.", "The topic dead-letters holds what it was working on and why it failed. The log says more."}
	default:
		return ending{cmp.Or(clip(string(r)), "no reason given"), "It ended for a reason this page does not know.", lookAtLog}
	}
}

// stepName is the name of a step on the line of steps.
func stepName(s schemas.Step) string {
	switch s {
	case schemas.StepRequested:
		return "Requested"
	case schemas.StepFormOpen:
		return "Form open"
	case schemas.StepDownloading:
		return "Downloading"
	case schemas.StepReadingAccounts:
		return "Reading accounts"
	case schemas.StepReadingTransactions:
		return "Reading transactions"
	default:
		return "Done"
	}
}

// waiting says what an import is doing and who must act, in a headline and a
// sentence.
func waiting(step schemas.Step, on schemas.WaitingFor) (headline, sentence string) {
	switch step {
	case schemas.StepFormOpen:
		return "Waiting for the user", "The user logs in at the bank in the web form. When the form ends, the import goes on by itself."
	case schemas.StepDownloading:
		if on == schemas.WaitingForProvider {
			return "Waiting for the provider", "The bank's data has arrived; the provider sorts it into categories."
		}
		return "Waiting for the bank", "The form is finished. The provider downloads accounts and transactions from the bank."
	case schemas.StepReadingAccounts:
		return "Reading accounts", "The accounts are read from the provider and published."
	case schemas.StepReadingTransactions:
		return "Reading transactions", "Page after page is read from the provider and published."
	default:
		return "Requested", "The request has arrived. The web form is being made at the provider."
	}
}

// failureOf says why an account is not loaded.
func failureOf(f schemas.Failure) string {
	switch f {
	case schemas.FailureDownloadFailed:
		return "the bank's download failed"
	case schemas.FailureNotDownloaded:
		return "nothing was downloaded"
	case schemas.FailureDeprecated:
		return "the bank does not list it any more"
	case schemas.FailureDeleted:
		return "it was deleted at the provider meanwhile"
	case schemas.FailureUserActionRequired:
		return "the user must act at the bank"
	default:
		return ""
	}
}

// accountTypeName is the word for a kind of account; the provider may add kinds.
func accountTypeName(t string) string {
	switch t {
	case schemas.AccountTypeBausparen:
		return "building savings"
	case schemas.AccountTypeCreditCard:
		return "credit card"
	case "":
		return "account"
	default:
		return clip(t)
	}
}
