package finapi

// operation is one kind of call, by its name in errors and metrics.
type operation string

const (
	opClientToken      operation = "client_token"
	opUserToken        operation = "user_token"
	opRefreshToken     operation = "refresh_token"
	opCreateUser       operation = "create_user"
	opCreateForm       operation = "create_form"
	opGetForm          operation = "get_form"
	opCancelForm       operation = "cancel_form"
	opGetConnection    operation = "get_connection"
	opListAccounts     operation = "list_accounts"
	opListTransactions operation = "list_transactions"
)

func operations() []operation {
	return []operation{
		opClientToken, opUserToken, opRefreshToken, opCreateUser, opCreateForm,
		opGetForm, opCancelForm, opGetConnection, opListAccounts, opListTransactions,
	}
}

// isPoll: the call asks whether something has happened, and gives way to real
// work.
func (o operation) isPoll() bool { return o == opGetForm || o == opGetConnection }

// onWebForm: the call goes to the Web Form API instead of Access.
func (o operation) onWebForm() bool {
	return o == opCreateForm || o == opGetForm || o == opCancelForm
}

// needsContract: 403 says that our contract with the provider does not cover
// the call: Web Form is not enabled, the client is the admin's, or bound to
// another API version. No single import is to blame for that.
func (o operation) needsContract() bool { return o == opCreateUser || o == opCreateForm }
