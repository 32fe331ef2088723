// Package accounts publishes the accounts of a bank connection that is ready.
//
//	connection-ready → account (one each), accounts-fetched
//
// It needs no timer: the record that hands an import over is handled in one
// step, and what is remembered afterwards is only that it was. Accounts that are
// not loaded are published too, and say so.
package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

const (
	// Name of the stage.
	Name = "accounts"

	input = schemas.TopicConnectionReady
)

// provider is the part of the provider this stage needs.
type provider interface {
	User(upstreamUserID string) finapi.User
	Connection(ctx context.Context, user finapi.User, id int64) (finapi.Connection, error)
	Accounts(ctx context.Context, user finapi.User, connectionID int64) ([]finapi.Account, error)
}

// New returns the stage. The key is the secret of the account keys, at least 32
// bytes; it never changes, or every account gets a new key. Handling a record
// twice reads the accounts twice and publishes them once.
func New(p provider, key []byte) (pipeline.Stage, error) {
	if p == nil {
		return pipeline.Stage{}, errors.New("accounts: no provider")
	}
	if len(key) < minKey {
		return pipeline.Stage{}, fmt.Errorf("accounts: the account key has %d bytes, want at least %d", len(key), minKey)
	}
	return pipeline.Stage{
		Name:  Name,
		Input: input,
		Outputs: []string{
			schemas.TopicAccounts, schemas.TopicAccountsFetched,
			schemas.TopicImportFailed, schemas.TopicImportStatus,
		},
		Classes: flow.Classes(),
		Handler: &handler{provider: p, keys: keyring(slices.Clone(key))},
	}, nil
}

type handler struct {
	provider provider
	keys     keyring
}

type phase string

const (
	handedOn phase = "handed_on"
	failed   phase = "failed"
	gaveUp   phase = "gave_up" // the record that is redriven holds the rest
)

// state is what the stage remembers of an import.
type state struct {
	flow.Version

	Phase phase `json:"phase"`
	Run   int   `json:"run"`
}

// take says in which run a record is to be handled, with e changed accordingly;
// false means that there is nothing to do.
func take(t pipeline.Trigger, st *state, e *schemas.ConnectionReady) bool {
	switch {
	case st == nil || e.Run > st.Run:
		return true
	case st.Phase == gaveUp && t.Redrive > 0:
		e.Run, e.StartedAt = st.Run+1, schemas.At(t.Now)
		return true
	default:
		return false
	}
}

// Handle implements [pipeline.Handler].
func (h *handler) Handle(ctx context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil || t.Event == nil {
		return pipeline.Result{}, err
	}
	e, err := flow.Decode[schemas.ConnectionReady](t.Event)
	if err != nil || !take(t, st, &e) {
		return pipeline.Result{}, err
	}
	user := h.provider.User(e.UserID)
	bank, accounts, err := h.read(ctx, user, e.BankConnectionID)
	if err != nil {
		end, err := flow.OfError(err, schemas.ReasonConnectionDeleted)
		if err != nil {
			return pipeline.Result{}, fmt.Errorf("read accounts: %w", err)
		}
		return fail(t, e, end)
	}
	switch loaded := func(a finapi.Account) bool { return failureOf(e, a) == "" }; {
	case len(accounts) == 0: // there were some a moment ago
		return fail(t, e, flow.Ending{Reason: schemas.ReasonConnectionDeleted})
	case !slices.ContainsFunc(accounts, loaded):
		return fail(t, e, flow.Ending{Reason: schemas.ReasonAllAccountsFailed})
	}
	out := flow.NewOutbox(Name, t)
	h.publish(out, e, user, bank, accounts)
	return out.Result(state{Version: flow.NewVersion(), Phase: handedOn, Run: e.Run}, pipeline.ClearWake())
}

// read reads the connection again, for its bank and because a list of accounts
// does not tell a connection that is gone from one that is empty.
func (h *handler) read(ctx context.Context, user finapi.User, id int64) (finapi.Bank, []finapi.Account, error) {
	connection, err := h.provider.Connection(ctx, user, id)
	if err != nil {
		return finapi.Bank{}, nil, err
	}
	accounts, err := h.provider.Accounts(ctx, user, id)
	if err != nil {
		return finapi.Bank{}, nil, err
	}
	return connection.Bank, flow.InOrder(accounts), nil
}

// publish adds the accounts and what hands the import to the transactions stage.
func (h *handler) publish(out *flow.Outbox, e schemas.ConnectionReady, user finapi.User, bank finapi.Bank, accounts []finapi.Account) {
	fetched := schemas.AccountsFetched{
		ImportID: e.ImportID, Run: e.Run, UserID: e.UserID, BankConnectionID: e.BankConnectionID,
		Categorized: e.Categorized, StartedAt: e.StartedAt,
	}
	keys := h.keys.keys(user, e.BankID, accounts)
	for i, a := range accounts {
		failure := failureOf(e, a)
		out.Add(account(out, e, bank, a, keys[i], failure == ""))
		fetched.Accounts = append(fetched.Accounts, schemas.FetchedAccount{
			AccountKey: keys[i].key, ProviderAccountID: a.ID, AccountType: a.Type, Loaded: failure == "", Failure: failure,
		})
	}
	status := importOf(e).Status(schemas.StepReadingTransactions, schemas.WaitingForUs, out.Now(), out.Now())
	status.Accounts, status.TransactionsRead = new(len(accounts)), new(0)
	out.Add(fetched, status)
}

// failureOf says why an account is not loaded, "" if it is: what connection-ready
// has told everybody, also if the provider has changed its mind since.
func failureOf(e schemas.ConnectionReady, a finapi.Account) schemas.Failure {
	for _, known := range e.Accounts {
		switch {
		case known.ProviderAccountID != a.ID:
		case known.Loaded:
			return ""
		case known.Failure == "":
			return schemas.FailureNotDownloaded
		default:
			return known.Failure
		}
	}
	return flow.Failure(a, false)
}

func account(out *flow.Outbox, e schemas.ConnectionReady, bank finapi.Bank, a finapi.Account, key accountKey, loaded bool) schemas.Account {
	r := schemas.Account{
		AccountKey: key.key, KeyDoubtful: key.doubtful,
		ImportID: e.ImportID, Run: e.Run, UserID: e.UserID, BankConnectionID: e.BankConnectionID, ProviderAccountID: a.ID,
		BankID: e.BankID, BankName: e.BankName, BIC: bank.BIC,
		AccountType: a.Type, Name: a.Name, Holder: a.Holder, IBAN: a.IBAN, AccountNumber: a.Number, SubAccountNumber: a.SubNumber,
		Currency: a.Currency, Balance: a.Balance, OverdraftLimit: a.OverdraftLimit, AvailableFunds: a.AvailableFunds,
		Loaded: loaded, SeenAt: schemas.At(out.Now()),
	}
	for _, i := range a.Interfaces {
		if i.LastSuccessfulUpdate.After(r.LastUpdateAt.Time) {
			r.LastUpdateAt = schemas.At(i.LastSuccessfulUpdate)
		}
	}
	return r
}

func importOf(e schemas.ConnectionReady) flow.Import {
	return flow.Import{ID: e.ImportID, Run: e.Run, UserID: e.UserID, StartedAt: e.StartedAt, ConnectionID: e.BankConnectionID}
}

func fail(t pipeline.Trigger, e schemas.ConnectionReady, end flow.Ending) (pipeline.Result, error) {
	out := flow.NewOutbox(Name, t)
	out.Fail(importOf(e), end, 1)
	return out.Result(state{Version: flow.NewVersion(), Phase: failed, Run: e.Run}, pipeline.ClearWake())
}

// GaveUp implements [pipeline.Handler].
func (h *handler) GaveUp(t pipeline.Trigger, s pipeline.State, cause error) pipeline.Result {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil || t.Event == nil {
		return pipeline.Result{}
	}
	e, err := flow.Decode[schemas.ConnectionReady](t.Event)
	if err != nil || !take(t, st, &e) {
		return pipeline.Result{}
	}
	out := flow.NewOutbox(Name, t)
	out.GaveUp(importOf(e), cause, 1)
	r, err := out.Result(state{Version: flow.NewVersion(), Phase: gaveUp, Run: e.Run}, pipeline.ClearWake())
	if err != nil {
		return pipeline.Result{}
	}
	return r
}
