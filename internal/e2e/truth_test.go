package e2e_test

import (
	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// requests are the messages that ask for the imports, every second one with
// the headers of CloudEvents. Called twice it gives the same content.
func (w *world) requests(imports []wanted) []kafka.Message {
	w.Helper()
	var all []kafka.Message
	for n, i := range imports {
		m := request(w.T, i.importID, map[string]any{"import_id": i.importID, "user_id": i.userID, "bank_id": i.bankID})
		if n%2 == 0 {
			m = withHeaders(m)
		}
		all = append(all, m)
	}
	return all
}

// truth is what was asked for, and what the provider has really done.
func (w *world) truth(imports []wanted) check.Truth {
	w.Helper()
	t := check.Truth{
		Requests:    make(map[string]check.Request),
		Forms:       make(map[string]check.Form),
		Connections: make(map[int64]check.Connection),
	}
	for _, i := range imports {
		t.Requests[i.importID] = check.Request{UserID: i.userID, ProviderUser: w.providerUser(i.userID)}
	}
	journal := w.sim.Journal()
	for _, f := range journal.Forms {
		t.Forms[f.ID] = check.Form{ProviderUser: f.User, Status: f.Status, ErrorCode: f.ErrorCode, ConnectionID: f.ConnectionID}
	}
	for _, c := range journal.Connections {
		var accounts []check.Account
		for _, a := range c.Accounts {
			account := check.Account{ID: a.ID, Loaded: a.Loaded}
			for r := range w.sim.Rows(a.ID) {
				account.Rows = append(account.Rows, check.Row{ID: r.ID, Amount: r.Amount})
			}
			accounts = append(accounts, account)
		}
		t.Connections[c.ID] = check.Connection{Accounts: accounts}
	}
	return t
}

// eventType is what a record says it carries.
func eventType(r judge.Record) string {
	const before, after = len("bankimport."), len(".v1")
	full := r.Header("ce_type")
	if len(full) <= before+after {
		return full
	}
	return full[before : len(full)-after]
}
