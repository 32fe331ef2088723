package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

// readForm looks whether the form has ended, and ends it where its deadline has
// passed.
func (h *handler) readForm(ctx context.Context, t pipeline.Trigger, st *state) (pipeline.Result, error) {
	if soonest := st.earliestRead(); t.Now.Before(soonest) {
		return pipeline.Result{Wake: pipeline.WakeAt(soonest)}, nil
	}
	user := h.provider.User(st.UserID)
	form, err := h.provider.Form(ctx, user, st.FormID)
	switch {
	case err != nil || form.Status.Final():
	case h.late(t, st, form):
		form, err = h.endForm(ctx, user, st)
	case st.Cancelled:
		form, err = h.cancelAgain(ctx, user, form)
	}
	switch {
	case flow.Busy(err) && !h.late(t, st, form):
		return h.formOpen(t, st, form)
	case err != nil:
		return h.formRefused(t, st, err)
	case !form.Status.Final() && !h.late(t, st, form):
		return h.formOpen(t, st, form)
	case !form.Status.Final(): // it cannot be ended, and nobody will
		return h.fail(t, st, flow.Ending{Reason: expired(st), Code: string(form.Status)})
	}
	if end, over := flow.OfForm(form, st.Cancelled, h.late(t, st, form)); over {
		st.ConnectionID = form.ConnectionID
		return h.fail(t, st, end)
	}
	return h.startDownload(flow.NewOutbox(Name, t), t, st, form.ConnectionID, t.Now)
}

// endForm asks the provider to end a form whose deadline has passed. Its answer
// is the truth: the user may have finished in the last moment. If it refuses,
// for whatever reason, one more read is, also where the answer owes the connection
// that was made. A provider that is busy with the form may be making it: then the
// attempt counts and there is another one, unless upstream has cancelled.
func (h *handler) endForm(ctx context.Context, user finapi.User, st *state) (finapi.Form, error) {
	form, err := h.provider.CancelForm(ctx, user, st.FormID)
	switch {
	case err == nil && !owes(form):
		return form, nil
	case err != nil && !flow.CancelRefused(err):
		return finapi.Form{}, fmt.Errorf("cancel web form: %w", err)
	}
	form, again := h.provider.Form(ctx, user, st.FormID)
	if again == nil && !form.Status.Final() && flow.Busy(err) && !st.Cancelled {
		return finapi.Form{}, fmt.Errorf("cancel web form: %w", err)
	}
	return form, again
}

// cancelAgain ends a form that upstream has cancelled and that is open all the
// same: the provider may have been busy with it. If it refuses again, for whatever
// reason, the form stays as it was read.
func (h *handler) cancelAgain(ctx context.Context, user finapi.User, open finapi.Form) (finapi.Form, error) {
	form, err := h.provider.CancelForm(ctx, user, open.ID)
	switch {
	case err == nil && !owes(form):
		return form, nil
	case err == nil || flow.CancelRefused(err):
		return open, nil
	default:
		return finapi.Form{}, fmt.Errorf("cancel web form: %w", err)
	}
}

// owes reports whether a form that was cancelled does not name what it has made:
// it completes only where there is a connection.
func owes(f finapi.Form) bool { return f.Status == finapi.FormCompleted && f.ConnectionID == 0 }

// formRefused handles a read that gave no form.
func (h *handler) formRefused(t pipeline.Trigger, st *state, err error) (pipeline.Result, error) {
	end, err := flow.OfError(err, schemas.ReasonFormGone)
	if err != nil {
		return pipeline.Result{}, fmt.Errorf("read web form: %w", err)
	}
	if st.Cancelled {
		end.Reason = schemas.ReasonCancelled
	}
	return h.fail(t, st, end)
}

// formOpen goes on waiting. The form is empty where the provider was busy.
func (h *handler) formOpen(t pipeline.Trigger, st *state, form finapi.Form) (pipeline.Result, error) {
	st.ReadAt = schemas.At(t.Now)
	h.looked(t, st)
	out := flow.NewOutbox(Name, t)
	if at := schemas.At(form.ExpiresAt); !at.IsZero() && !at.Equal(st.ExpiresAt.Time) {
		st.ExpiresAt = at
		out.Add(h.formStatus(t, st))
	}
	return out.Result(st, pipeline.WakeAt(h.nextRead(t, st)))
}

// looked moves on what a hint has left to do.
func (h *handler) looked(t pipeline.Trigger, st *state) {
	switch {
	case st.Look == firstLook:
		st.Look, st.LookedAt = secondLook, schemas.At(t.Now)
	case st.Look == secondLook && !t.Now.Before(st.LookedAt.Add(h.timing.SecondLook)):
		st.Look = thirdLook
	case st.Look == thirdLook && !t.Now.Before(st.LookedAt.Add(h.timing.ThirdLook)):
		st.Look, st.LookedAt = noLook, schemas.Instant{}
	}
}

// nextRead is when the form is read again if nobody hints: the regular poll,
// what a hint has left to do, or the deadline, whichever is first.
func (h *handler) nextRead(t pipeline.Trigger, st *state) time.Time {
	next := t.Now.Add(h.pollAfter(t))
	switch st.Look {
	case secondLook:
		next = earlier(next, st.LookedAt.Add(h.timing.SecondLook))
	case thirdLook:
		next = earlier(next, st.LookedAt.Add(h.timing.ThirdLook))
	}
	if deadline := h.formDeadline(st, finapi.Form{}); deadline.After(t.Now) {
		next = earlier(next, deadline)
	}
	return later(next, st.earliestRead())
}

// pollAfter is how long to wait for the next regular poll.
func (h *handler) pollAfter(t pipeline.Trigger) time.Duration {
	return flow.Jitter(h.timing.FormPoll, t.Key, t.Now.UnixMilli())
}

// late reports whether the form's deadline has passed: the one that the form
// just read says, else the newest that is known.
func (h *handler) late(t pipeline.Trigger, st *state, form finapi.Form) bool {
	return !t.Now.Before(h.formDeadline(st, form))
}

func (h *handler) formDeadline(st *state, form finapi.Form) time.Time {
	expires := schemas.At(form.ExpiresAt)
	if expires.IsZero() {
		expires = st.ExpiresAt
	}
	if expires.IsZero() { // nobody has said when it ends, so it is not endless
		expires = schemas.At(st.Since.Add(unknownFormLife))
	}
	return expires.Add(h.timing.FormGrace)
}

// unknownFormLife is taken for the life of a form that names no end.
const unknownFormLife = 20 * time.Minute

// formStatus tells that the import waits for the user in the form.
func (h *handler) formStatus(t pipeline.Trigger, st *state) schemas.ImportStatus {
	st.Statuses++
	status := st.importOf(t.Key).Status(schemas.StepFormOpen, schemas.WaitingForUser, st.Since.Time, t.Now)
	status.Counter = st.Statuses
	status.FormExpiresAt = st.ExpiresAt
	status.UntilAt = schemas.At(h.formDeadline(st, finapi.Form{}))
	return status
}

// expired is the reason for a form that its deadline ends.
func expired(st *state) schemas.Reason {
	if st.Cancelled {
		return schemas.ReasonCancelled
	}
	return schemas.ReasonFormExpired
}
