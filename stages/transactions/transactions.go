// Package transactions publishes the transactions of the accounts of an import
// and ends the import.
//
//	accounts-fetched → transaction (one per row), import-completed
//
// Accounts are read one after the other, page after page; each page's rows and
// the position behind them are committed together, and the next page is a step
// of its own. So a crash repeats one page at most, and memory does not depend on
// how many rows an account has.
//
//	accounts-fetched ──▶ reading ──page──▶ reading ──▶ … ──all read──▶ completed
//	                        │  ▲                                       (or failed)
//	                        ▼  │ redriven: next run, unfinished accounts from page 1
//	                      gave_up
//
// A read that gives fewer rows than the provider counts is done again, under the
// next read number; so is, once, one of several pages whose sum does not fit.
package transactions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

const (
	// Name of the stage.
	Name = "transactions"

	input = schemas.TopicAccountsFetched
)

// provider is the part of the provider this stage needs.
type provider interface {
	User(upstreamUserID string) finapi.User
	Connection(ctx context.Context, user finapi.User, id int64) (finapi.Connection, error)
	Transactions(ctx context.Context, user finapi.User, accountID int64, page int) (finapi.TransactionPage, error)
}

// Config of the stage. Zero values mean the defaults.
type Config struct {
	// RereadAfter is how long to wait before an account whose rows were not
	// complete is read again. Default 2 s.
	RereadAfter time.Duration
	// MaxPages is how many pages a read of an account may have; a provider
	// whose pages do not end is stopped there. Default 20,000, which is ten
	// million rows.
	MaxPages int
}

// maxRereads is how often an account is read again before the import ends.
const maxRereads = 3

// New returns the stage. It only reads from the provider.
func New(p provider, c Config) (pipeline.Stage, error) {
	var errs []error
	if p == nil {
		errs = append(errs, errors.New("transactions: no provider"))
	}
	if c.RereadAfter < 0 {
		errs = append(errs, errors.New("transactions: RereadAfter is negative"))
	}
	if c.MaxPages < 0 {
		errs = append(errs, errors.New("transactions: MaxPages is negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return pipeline.Stage{}, err
	}
	if c.RereadAfter == 0 {
		c.RereadAfter = 2 * time.Second
	}
	if c.MaxPages == 0 {
		c.MaxPages = 20_000
	}
	return pipeline.Stage{
		Name:  Name,
		Input: input,
		Outputs: []string{
			schemas.TopicTransactions, schemas.TopicImportCompleted,
			schemas.TopicImportFailed, schemas.TopicImportStatus,
		},
		Classes: flow.Classes(),
		Handler: &handler{provider: p, config: c},
	}, nil
}

type handler struct {
	provider provider
	config   Config
}

// Handle implements [pipeline.Handler].
func (h *handler) Handle(ctx context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil {
		return pipeline.Result{}, err
	}
	if t.Event == nil {
		return h.wake(ctx, t, st)
	}
	e, err := flow.Decode[schemas.AccountsFetched](t.Event)
	switch {
	case err != nil:
		return pipeline.Result{}, err
	case st != nil && st.Phase == gaveUp && t.Redrive > 0:
		return st.next(t)
	case st != nil && st.Run >= e.Run:
		return pipeline.Result{}, nil // the same event again
	}
	return flow.NewOutbox(Name, t).Result(newState(e, t.Event), pipeline.WakeAt(t.Now))
}

// wake does the step that waits for the timer.
func (h *handler) wake(ctx context.Context, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	switch {
	case st == nil:
		return pipeline.Result{}, nil
	case st.Phase == gaveUp && t.Redrive > 0:
		return st.next(t)
	case st.Phase != reading:
		return pipeline.Result{}, nil
	}
	user := h.provider.User(st.UserID)
	if a := st.unfinished(); a != nil {
		return h.readPage(ctx, t, st, a, user)
	}
	return h.complete(ctx, t, st, user)
}

// complete ends the import well. It looks once more whether the connection and
// its accounts are still there: the rows of one that is gone are not missing,
// there are just none.
func (h *handler) complete(ctx context.Context, t pipeline.Trigger, st *state, user finapi.User) (pipeline.Result, error) {
	connection, err := h.provider.Connection(ctx, user, st.ConnectionID)
	if err != nil {
		return h.refused(t, st, err, "read bank connection")
	}
	st.deleted(connection.AccountIDs)
	read, total := st.progress()
	status := st.importOf(t.Key).Status(schemas.StepCompleted, schemas.WaitingForNobody, t.Now, t.Now)
	status.Counter = st.Statuses + 1
	status.Accounts, status.TransactionsRead, status.TransactionsTotal = new(len(st.Accounts)), new(read), new(total)
	out := flow.NewOutbox(Name, t)
	out.Add(st.completed(t), status)
	return out.Result(st.done(completed), pipeline.ClearWake())
}

// refused handles a call of the provider that failed.
func (h *handler) refused(t pipeline.Trigger, st *state, err error, doing string) (pipeline.Result, error) {
	end, err := flow.OfError(err, schemas.ReasonConnectionDeleted)
	if err != nil {
		return pipeline.Result{}, fmt.Errorf("%s: %w", doing, err)
	}
	return fail(t, st, end)
}

func fail(t pipeline.Trigger, st *state, end flow.Ending) (pipeline.Result, error) {
	out := flow.NewOutbox(Name, t)
	out.Fail(st.importOf(t.Key), end, st.Statuses+1)
	return out.Result(st.done(failed), pipeline.ClearWake())
}

// GaveUp implements [pipeline.Handler]. Only the timer carries an import on, and
// before it the event that hands the import over.
func (h *handler) GaveUp(t pipeline.Trigger, s pipeline.State, cause error) pipeline.Result {
	st, err := flow.DecodeState[state](s.Value)
	if err != nil {
		return pipeline.Result{}
	}
	if t.Event != nil {
		e, err := flow.Decode[schemas.AccountsFetched](t.Event)
		if err != nil || st != nil && st.Run >= e.Run {
			return pipeline.Result{}
		}
		st = newState(e, t.Event)
	}
	if st == nil || st.Phase != reading {
		return pipeline.Result{}
	}
	out := flow.NewOutbox(Name, t)
	st.Statuses++
	out.GaveUp(st.importOf(t.Key), cause, st.Statuses)
	st.Phase = gaveUp
	r, err := out.Result(st, pipeline.ClearWake())
	if err != nil {
		return pipeline.Result{}
	}
	return r
}
