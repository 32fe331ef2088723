package webform

import (
	"context"
	"fmt"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

// cancel ends an import as far as that is still possible: one that is not there
// yet as soon as it comes, one without a form at once, one with an open form by
// way of the provider. Later, or a second time, it changes nothing.
func (h *handler) cancel(ctx context.Context, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	e, err := flow.Decode[schemas.ImportCancelRequested](t.Event)
	switch {
	case err != nil:
		return pipeline.Result{}, err
	case st == nil:
		return flow.NewOutbox(Name, t).Result(state{Version: flow.NewVersion(), Phase: cancelled}, pipeline.WakeChange{})
	case st.Phase == requested:
		return h.fail(t, *st, flow.Ending{Reason: schemas.ReasonCancelled})
	case st.Phase == formOpen && st.FormID != "" && !st.Cancelled:
		return h.cancelForm(ctx, t, *st, e)
	default:
		return pipeline.Result{}, nil
	}
}

// cancelForm asks the provider to end the form, and tells the connection stage to
// look. Where the provider refuses, the user may have finished, or it has no such
// call: then the hint only changes the reason of an end without a connection. It
// may also be busy: the connection stage asks it again.
func (h *handler) cancelForm(ctx context.Context, t pipeline.Trigger, st state, e schemas.ImportCancelRequested) (pipeline.Result, error) {
	hint := schemas.WebformCompleted{
		ImportID: e.ImportID, Run: st.Run, FormID: st.FormID, EndedBy: schemas.EndedByCancel, ObservedAt: schemas.At(t.Now),
	}
	switch form, err := h.Provider.CancelForm(ctx, h.Provider.User(st.UserID), st.FormID); {
	case err == nil:
		hint.ToldStatus = string(form.Status)
	case !flow.CancelRefused(err):
		if _, err := flow.OfError(err, schemas.ReasonFormGone); err != nil {
			return pipeline.Result{}, fmt.Errorf("cancel web form: %w", err)
		}
	}
	st.Cancelled = true
	out := flow.NewOutbox(Name, t)
	out.Add(hint)
	return out.Result(st, pipeline.WakeChange{})
}

// cancelledBefore ends a request whose cancel came first.
func cancelledBefore(t pipeline.Trigger, c content) (pipeline.Result, error) {
	end := flow.Ending{Reason: schemas.ReasonCancelled}
	if c.problem != nil {
		end = flow.Ending{Reason: schemas.ReasonInvalidRequest, Error: c.problem.Error()}
	}
	out := flow.NewOutbox(Name, t)
	out.Fail(flow.Import{ID: c.importID, Run: 1, UserID: c.userID}, end, 1)
	return out.Result(state{Version: flow.NewVersion(), Phase: failed, Run: 1, Hash: c.hash}, pipeline.ClearWake())
}
