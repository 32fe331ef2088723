package connection

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

// startDownload begins the wait for the bank's data. The deadline counts from
// since.
func (h *handler) startDownload(out *flow.Outbox, t pipeline.Trigger, st *state, connectionID int64, since time.Time) (pipeline.Result, error) {
	next := &state{
		Version: flow.NewVersion(), Phase: downloading, Run: st.Run, UserID: st.UserID, StartedAt: st.StartedAt,
		Since: schemas.At(since), Statuses: st.Statuses, ConnectionID: connectionID,
	}
	out.Add(h.downloadStatus(t, next))
	return out.Result(next, pipeline.WakeAt(t.Now))
}

// readConnection looks how far the provider is with the bank's data.
func (h *handler) readConnection(ctx context.Context, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	user := h.provider.User(st.UserID)
	connection, err := h.provider.Connection(ctx, user, st.ConnectionID)
	switch {
	case err != nil:
		return h.connectionRefused(t, st, err)
	case connection.UpdateStatus != finapi.StatusReady:
		return h.notYet(t, st, connection.UpdateStatus)
	}
	accounts, err := h.provider.Accounts(ctx, user, st.ConnectionID)
	switch {
	case err != nil:
		return h.connectionRefused(t, st, err)
	case slices.ContainsFunc(accounts, flow.Downloading):
		return h.notYet(t, st, finapi.InterfaceDownloadInProgress)
	case st.Phase == downloading:
		return h.startCategories(t, st)
	}
	return h.loaded(t, st, connection, flow.InOrder(accounts))
}

// connectionRefused handles a look that showed nothing. A connection that is
// busy is no failure while there is time; after the deadline it is one, so that
// attempts are counted and the import ends.
func (h *handler) connectionRefused(t pipeline.Trigger, st *state, err error) (pipeline.Result, error) {
	if flow.Busy(err) && t.Now.Before(h.downloadDeadline(st)) {
		return h.lookAgain(flow.NewOutbox(Name, t), t, st)
	}
	end, err := flow.OfError(err, schemas.ReasonConnectionDeleted)
	if err != nil {
		return pipeline.Result{}, fmt.Errorf("read bank connection: %w", err)
	}
	return h.fail(t, st, end)
}

// notYet waits on for the bank's data, unless it has been waited for too long.
// The provider has just said that the data is not there, so the deadline may
// end the import.
func (h *handler) notYet(t pipeline.Trigger, st *state, code string) (pipeline.Result, error) {
	if !t.Now.Before(h.downloadDeadline(st)) {
		return h.fail(t, st, flow.Ending{Reason: schemas.ReasonDownloadTimeout, Code: code})
	}
	out := flow.NewOutbox(Name, t)
	if st.Phase == categorizing { // the bank's data is on its way again
		st.Phase, st.LoadedAt, st.Looks = downloading, schemas.Instant{}, 0
		out.Add(h.downloadStatus(t, st))
	}
	return h.lookAgain(out, t, st)
}

// lookAgain waits for the next look.
func (h *handler) lookAgain(out *flow.Outbox, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	wait := h.timing.CategoryPoll
	if st.Phase == downloading {
		wait = h.timing.downloadWait(st.Looks)
		st.Looks++
	}
	return out.Result(st, pipeline.WakeAt(earlier(t.Now.Add(wait), h.downloadDeadline(st))))
}

func (h *handler) downloadDeadline(st *state) time.Time {
	return st.Since.Add(h.timing.DownloadDeadline)
}

// startCategories begins the wait for categories. What a connection says in the
// moment its download ends is not to be trusted: it may call itself categorised
// before it has begun, and there is always a second look.
func (h *handler) startCategories(t pipeline.Trigger, st *state) (pipeline.Result, error) {
	st.Phase, st.LoadedAt, st.Looks = categorizing, schemas.At(t.Now), 0
	st.Statuses++
	status := st.importOf(t.Key).Status(schemas.StepDownloading, schemas.WaitingForProvider, t.Now, t.Now)
	status.Counter = st.Statuses
	status.UntilAt = schemas.At(h.categoryDeadline(st))
	out := flow.NewOutbox(Name, t)
	out.Add(status)
	return out.Result(st, pipeline.WakeAt(t.Now.Add(h.timing.CategoryPoll)))
}

func (h *handler) categoryDeadline(st *state) time.Time {
	return st.LoadedAt.Add(h.timing.CategoryDeadline)
}

// loaded decides what the second and later looks at loaded data lead to.
func (h *handler) loaded(t pipeline.Trigger, st *state, c finapi.Connection, accounts []finapi.Account) (pipeline.Result, error) {
	switch {
	case len(accounts) == 0:
		return h.fail(t, st, flow.Ending{Reason: schemas.ReasonNoMatchingAccounts})
	case !slices.ContainsFunc(accounts, flow.Loaded) && c.UserActionRequired:
		return h.fail(t, st, flow.Ending{Reason: schemas.ReasonUserActionRequired, Code: interfaceStatus(accounts)})
	case !slices.ContainsFunc(accounts, flow.Loaded):
		return h.fail(t, st, flow.Ending{Reason: schemas.ReasonAllAccountsFailed, Code: interfaceStatus(accounts)})
	}
	categorized := c.CategorizationStatus == finapi.StatusReady
	if deadline := h.categoryDeadline(st); !categorized && t.Now.Before(deadline) {
		return pipeline.Result{Wake: pipeline.WakeAt(earlier(t.Now.Add(h.timing.CategoryPoll), deadline))}, nil
	}
	out := flow.NewOutbox(Name, t)
	out.Add(ready(t, st, c, accounts, categorized), handOver(t, st, len(accounts)))
	return out.Result(st.done(handedOn), pipeline.ClearWake())
}

// interfaceStatus is what the provider says of accounts none of which is loaded.
func interfaceStatus(accounts []finapi.Account) string {
	for _, a := range accounts {
		for _, i := range a.Interfaces {
			return i.Status
		}
	}
	return ""
}

func ready(t pipeline.Trigger, st *state, c finapi.Connection, accounts []finapi.Account, categorized bool) schemas.ConnectionReady {
	e := schemas.ConnectionReady{
		ImportID: t.Key, Run: st.Run, UserID: st.UserID, BankConnectionID: st.ConnectionID,
		BankID: c.Bank.ID, BankName: c.Bank.Name, Categorized: categorized, StartedAt: st.StartedAt,
	}
	for _, a := range accounts {
		e.Accounts = append(e.Accounts, schemas.ConnectionAccount{
			ProviderAccountID: a.ID, Loaded: flow.Loaded(a), Failure: flow.Failure(a, c.UserActionRequired),
		})
	}
	return e
}

// handOver tells that the accounts stage is next.
func handOver(t pipeline.Trigger, st *state, accounts int) schemas.ImportStatus {
	status := st.importOf(t.Key).Status(schemas.StepReadingAccounts, schemas.WaitingForUs, t.Now, t.Now)
	status.Accounts = new(accounts)
	return status
}

// downloadStatus tells that the import waits for the bank.
func (h *handler) downloadStatus(t pipeline.Trigger, st *state) schemas.ImportStatus {
	st.Statuses++
	status := st.importOf(t.Key).Status(schemas.StepDownloading, schemas.WaitingForBank, st.Since.Time, t.Now)
	status.Counter = st.Statuses
	status.UntilAt = schemas.At(h.downloadDeadline(st))
	return status
}
