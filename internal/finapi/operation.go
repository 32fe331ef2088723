package finapi

// operation is one kind of call: its name in errors and metrics, and how it is
// treated.
type operation struct {
	name string
	// poll: asks whether something has happened; gives way to real work.
	poll bool
	// onWebForm: goes to the Web Form API instead of Access.
	onWebForm bool
	// product: 403 says that our contract with the provider does not cover the
	// call (Web Form not enabled, wrong API version, the admin's client). No
	// single import is to blame for that.
	product bool
}

var (
	opClientToken      = operation{name: "client_token", product: true}
	opUserToken        = operation{name: "user_token"}
	opRefreshToken     = operation{name: "refresh_token"}
	opCreateUser       = operation{name: "create_user", product: true}
	opCreateForm       = operation{name: "create_form", onWebForm: true, product: true}
	opGetForm          = operation{name: "get_form", onWebForm: true, poll: true}
	opCancelForm       = operation{name: "cancel_form", onWebForm: true}
	opGetConnection    = operation{name: "get_connection", poll: true}
	opListAccounts     = operation{name: "list_accounts"}
	opListTransactions = operation{name: "list_transactions"}
)

func operations() []operation {
	return []operation{
		opClientToken, opUserToken, opRefreshToken, opCreateUser, opCreateForm,
		opGetForm, opCancelForm, opGetConnection, opListAccounts, opListTransactions,
	}
}
