// Package stages lists the steps of an import. It is the table of contents of
// the flow; how one step works is in the folder of its name.
//
//	import-requested ──▶ webform ──▶ webform-completed ──▶ connection ──▶ connection-ready
//	  ──▶ accounts ──▶ accounts-fetched ──▶ transactions ──▶ import-completed
//
// A stage is a function from a trigger and an import's state to events, new
// state and a time to be woken. It has one input topic and knows no other stage.
// At any moment one stage holds an import: only that one writes its status and
// only that one ends it.
package stages

import (
	"context"
	"errors"
	"slices"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages/accounts"
	"github.com/bankimport/bankimport/stages/connection"
	"github.com/bankimport/bankimport/stages/transactions"
	"github.com/bankimport/bankimport/stages/webform"
)

// Provider is what the stages ask of the provider. *[finapi.Client] is one. The
// stages call it from many goroutines at once.
type Provider interface {
	User(upstreamUserID string) finapi.User
	EnsureUser(ctx context.Context, user finapi.User) error
	CreateForm(ctx context.Context, user finapi.User, request finapi.FormRequest) (finapi.Form, error)
	Form(ctx context.Context, user finapi.User, id string) (finapi.Form, error)
	CancelForm(ctx context.Context, user finapi.User, id string) (finapi.Form, error)
	Connection(ctx context.Context, user finapi.User, id int64) (finapi.Connection, error)
	Accounts(ctx context.Context, user finapi.User, connectionID int64) ([]finapi.Account, error)
	Transactions(ctx context.Context, user finapi.User, accountID int64, page int) (finapi.TransactionPage, error)
}

// Sealer makes the secret part of callback URLs. *[callback.Sealer] is one.
type Sealer interface {
	Seal(t callback.Token) (string, error)
}

// Deps is what the stages need from outside.
type Deps struct {
	// Provider is asked for everything about banks. Required.
	Provider Provider
	// Callbacks seals callback URLs. Required by webform.
	Callbacks Sealer
	// CallbackBaseURL is where the webhook bridge is reached from outside, like
	// https://bridge.example.com. Required by webform.
	CallbackBaseURL string
	// AccountKey is the secret of the account keys, at least 32 bytes. It never
	// changes. Required by accounts.
	AccountKey []byte
	// AccountTypes are asked for where a request names none. Default: all.
	AccountTypes []string
	// Timing is how long the connection stage waits for what.
	Timing connection.Timing
	// Reading is how the transactions stage reads.
	Reading transactions.Config
}

// All returns the stages in the order data flows, or all that is wrong with d.
func All(d Deps) ([]pipeline.Stage, error) { return Named(d) }

// Named returns the stages with these names (none: all), in the order data
// flows, for a process that runs only some. Of d it needs what these need.
func Named(d Deps, names ...string) ([]pipeline.Stage, error) {
	if d.Provider == nil { // a nil in an interface of the stages' own is not nil any more
		return nil, errors.New("stages: a provider is required")
	}
	var chosen []pipeline.Stage
	var wrong []error
	for _, stage := range []struct {
		name string
		make func(Deps) (pipeline.Stage, error)
	}{
		{webform.Name, newWebform},           // import-requested → webform-created, webform-awaited
		{connection.Name, newConnection},     // webform-awaited, webform-completed → connection-ready
		{accounts.Name, newAccounts},         // connection-ready → account, accounts-fetched
		{transactions.Name, newTransactions}, // accounts-fetched → transaction, import-completed
	} {
		if len(names) > 0 && !slices.Contains(names, stage.name) {
			continue
		}
		made, err := stage.make(d)
		chosen, wrong = append(chosen, made), append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return chosen, nil
}

func newWebform(d Deps) (pipeline.Stage, error) {
	if d.Callbacks == nil { // as with the provider
		return pipeline.Stage{}, errors.New("stages: webform needs a sealer of callbacks")
	}
	return webform.New(webform.Config{
		Provider: d.Provider, Callbacks: d.Callbacks, CallbackBaseURL: d.CallbackBaseURL,
		AccountTypes: d.AccountTypes, FormGrace: d.Timing.WithDefaults().FormGrace,
	})
}

func newConnection(d Deps) (pipeline.Stage, error) { return connection.New(d.Provider, d.Timing) }

func newAccounts(d Deps) (pipeline.Stage, error) { return accounts.New(d.Provider, d.AccountKey) }

func newTransactions(d Deps) (pipeline.Stage, error) { return transactions.New(d.Provider, d.Reading) }
