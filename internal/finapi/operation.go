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
	opPingAccess       operation = "ping_access"
	opPingWebForm      operation = "ping_webform"
)

func operations() []operation {
	return []operation{
		opClientToken, opUserToken, opRefreshToken, opCreateUser, opCreateForm,
		opGetForm, opCancelForm, opGetConnection, opListAccounts, opListTransactions,
		opPingAccess, opPingWebForm,
	}
}

// isPoll: the call asks whether something has happened, and gives way to real
// work.
func (o operation) isPoll() bool { return o == opGetForm || o == opGetConnection }

// onWebForm: the call goes to the Web Form API instead of Access.
func (o operation) onWebForm() bool {
	return o == opCreateForm || o == opGetForm || o == opCancelForm || o == opPingWebForm
}

// isLogin: the call goes to the token endpoint.
func (o operation) isLogin() bool {
	return o == opClientToken || o == opUserToken || o == opRefreshToken
}

// isRead: the call changes nothing, so that it may be made again whatever became
// of it.
func (o operation) isRead() bool {
	return o == opGetForm || o == opGetConnection || o == opListAccounts || o == opListTransactions
}

// needsContract: 403 says that our contract with the provider may not cover the
// call. To cancel a form is refused where it has ended.
func (o operation) needsContract() bool {
	return o == opCreateUser || o == opCreateForm || o.isRead()
}
