package webform

import (
	"context"
	"fmt"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

// openForm creates the form of a request and hands the import to the connection
// stage.
func (h *handler) openForm(ctx context.Context, t pipeline.Trigger, st state) (pipeline.Result, error) {
	form, err := h.createForm(ctx, t, st)
	if finapi.UserGone(err) { // since the last import: the next attempt creates it anew
		return pipeline.Result{}, fmt.Errorf("open web form: %w", err)
	}
	if err != nil {
		// A form can refer to nothing that may be missing but the profile.
		unknown := schemas.ReasonProviderError
		if st.Request.ProfileID != "" {
			unknown = schemas.ReasonInvalidRequest
		}
		end, err := flow.OfError(err, unknown)
		if err != nil {
			return pipeline.Result{}, fmt.Errorf("open web form: %w", err)
		}
		return h.fail(t, st, end)
	}
	out := flow.NewOutbox(Name, t)
	out.Add(h.opened(t, st, form)...)
	return out.Result(state{
		Version: flow.NewVersion(), Phase: formOpen, Run: st.Run, Hash: st.Hash,
		UserID: st.Request.UserID, FormID: form.ID,
	}, pipeline.ClearWake())
}

// fail ends an import that this stage holds.
func (h *handler) fail(t pipeline.Trigger, st state, end flow.Ending) (pipeline.Result, error) {
	out := flow.NewOutbox(Name, t)
	out.Fail(st.importOf(t.Key), end, st.Statuses+1)
	return out.Result(state{Version: flow.NewVersion(), Phase: failed, Run: st.Run, Hash: st.Hash}, pipeline.ClearWake())
}

// reread hands an import of a connection that exists to the connection stage.
// Whether it is this user's shows there: it is read with the user's own token.
func (h *handler) reread(ctx context.Context, t pipeline.Trigger, st state) (pipeline.Result, error) {
	if err := h.Provider.EnsureUser(ctx, h.Provider.User(st.Request.UserID)); err != nil {
		end, err := flow.OfError(err, schemas.ReasonProviderError)
		if err != nil {
			return pipeline.Result{}, fmt.Errorf("read a connection again: %w", err)
		}
		return h.fail(t, st, end)
	}
	out := flow.NewOutbox(Name, t)
	out.Add(schemas.WebformAwaited{
		ImportID: t.Key, Run: st.Run, UserID: st.Request.UserID, BankConnectionID: st.Request.BankConnectionID, StartedAt: st.StartedAt,
	})
	return out.Result(state{Version: flow.NewVersion(), Phase: formOpen, Run: st.Run, Hash: st.Hash, UserID: st.Request.UserID}, pipeline.ClearWake())
}

func (h *handler) createForm(ctx context.Context, t pipeline.Trigger, st state) (finapi.Form, error) {
	user := h.Provider.User(st.Request.UserID)
	if err := h.Provider.EnsureUser(ctx, user); err != nil {
		return finapi.Form{}, err
	}
	token, err := h.Callbacks.Seal(callback.Token{ImportID: t.Key, Run: st.Run, Expires: t.Now.Add(callbackLife)})
	if err != nil {
		return finapi.Form{}, err
	}
	r := st.Request
	request := finapi.FormRequest{
		BankID: r.BankID, BankSearch: r.BankSearch, ConnectionName: r.ConnectionName, AccountTypes: r.AccountTypes,
		ProfileID: r.ProfileID, CallbackURL: h.CallbackBaseURL + "/callbacks/finapi/" + token,
	}
	if len(request.AccountTypes) == 0 {
		request.AccountTypes = h.AccountTypes
	}
	if r.MaxDays != nil {
		request.MaxDays = *r.MaxDays
	}
	return h.Provider.CreateForm(ctx, user, request)
}

// opened are the events that hand the form to upstream and the import to the
// connection stage.
func (h *handler) opened(t pipeline.Trigger, st state, form finapi.Form) []schemas.Event {
	expires := schemas.At(form.ExpiresAt)
	status := st.importOf(t.Key).Status(schemas.StepFormOpen, schemas.WaitingForUser, t.Now, t.Now)
	status.FormExpiresAt = expires
	if !expires.IsZero() {
		status.UntilAt = schemas.At(expires.Add(h.FormGrace))
	}
	return []schemas.Event{
		schemas.WebformCreated{
			ImportID: t.Key, Run: st.Run, UserID: st.Request.UserID, FormID: form.ID, URL: form.URL, ExpiresAt: expires,
		},
		schemas.WebformAwaited{
			ImportID: t.Key, Run: st.Run, UserID: st.Request.UserID, FormID: form.ID, ExpiresAt: expires, StartedAt: st.StartedAt,
		},
		status,
	}
}
