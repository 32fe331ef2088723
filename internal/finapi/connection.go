package finapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// Values of Connection.UpdateStatus and Connection.CategorizationStatus.
const (
	StatusPending    = "PENDING" // categorization only
	StatusInProgress = "IN_PROGRESS"
	StatusReady      = "READY"
)

// Connection is a bank connection. UpdateStatus READY says that the download
// has ended, not that it went well: that is in the accounts.
type Connection struct {
	ID                   int64
	Bank                 Bank
	UpdateStatus         string
	CategorizationStatus string // means something only once UpdateStatus is READY
	AccountIDs           []int64
	UserActionRequired   bool // an interface waits for the user
}

// Bank is the bank of a connection.
type Bank struct {
	ID   int64
	Name string
	BIC  string // empty: none
}

// Connection reads a bank connection of the user. [NotFound] tells that there
// is none.
func (c *Client) Connection(ctx context.Context, user User, id int64) (Connection, error) {
	if !user.valid() || id <= 0 {
		return Connection{}, invalid(opGetConnection, "no user or no connection id")
	}
	var answer api.BankConnection
	var connection Connection
	err := c.call(ctx, c.tokens.of(user), request{
		op: opGetConnection, method: http.MethodGet, path: "/api/v2/bankConnections/" + strconv.FormatInt(id, 10),
		answer: &answer, check: func() (p problem) {
			connection, p = readConnection(answer, id)
			return p
		},
	})
	if err != nil {
		return Connection{}, err
	}
	return connection, nil
}

func readConnection(a api.BankConnection, id int64) (Connection, problem) {
	switch {
	case a.ID != id:
		return Connection{}, "id is missing or another connection's"
	case a.UpdateStatus == "" || a.CategorizationStatus == "":
		return Connection{}, "updateStatus or categorizationStatus is missing"
	case a.Bank.ID <= 0:
		return Connection{}, "bank.id is missing"
	case a.AccountIds == nil:
		return Connection{}, "accountIds is missing"
	case slices.ContainsFunc(a.AccountIds, func(id int64) bool { return id <= 0 }):
		return Connection{}, "accountIds holds what is no id"
	case a.Interfaces == nil:
		return Connection{}, "interfaces is missing"
	}
	connection := Connection{
		ID:                   a.ID,
		Bank:                 Bank{ID: a.Bank.ID, Name: a.Bank.Name, BIC: a.Bank.Bic},
		UpdateStatus:         string(a.UpdateStatus),
		CategorizationStatus: string(a.CategorizationStatus),
		AccountIDs:           a.AccountIds,
	}
	for _, i := range a.Interfaces {
		if i.UserActionRequired == nil {
			return Connection{}, "interfaces[].userActionRequired is missing"
		}
		connection.UserActionRequired = connection.UserActionRequired || *i.UserActionRequired
	}
	return connection, ""
}
