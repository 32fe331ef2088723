package connection

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

func refused(status int, code string, class finapi.Class) error {
	return &finapi.Error{Operation: "x", Status: status, Code: code, Class: class}
}

var (
	errBusy = refused(423, "LOCKED", finapi.ClassWait)
	errDown = refused(503, "", finapi.ClassRetry)
	errGone = refused(404, "NOT_FOUND", finapi.ClassPermanent)
)

// TestFormEnds is the table of the design: what the end of a form means.
func TestFormEnds(t *testing.T) {
	t.Parallel()
	const (
		open  = time.Minute              // before the deadline
		after = expiry + 3*time.Minute   // after it
		code  = "SOME_CODE_NOBODY_KNOWS" //
	)
	goesOn := ending{}
	for name, c := range map[string]struct {
		form      finapi.Form
		when      time.Duration
		cancelled bool
		want      ending
	}{
		"completed":                 {form(finapi.FormCompleted, 77, ""), open, false, goesOn},
		"completed with error":      {form(finapi.FormCompletedWithError, 77, "INTERNAL_ERROR"), open, false, goesOn},
		"C27 expired, connection":   {form(finapi.FormExpired, 77, ""), open, false, goesOn},
		"C27 aborted, connection":   {form(finapi.FormAborted, 77, ""), open, false, goesOn},
		"cancelled, connection":     {form(finapi.FormCancelled, 77, ""), after, true, goesOn},
		"exists, connection":        {form(finapi.FormCompletedWithError, 77, "ENTITY_EXISTS"), open, false, ending{schemas.ReasonAlreadyConnected, "ENTITY_EXISTS", 77}},
		"exists, no connection":     {form(finapi.FormCompletedWithError, 0, "ENTITY_EXISTS"), open, false, ending{schemas.ReasonAlreadyConnected, "ENTITY_EXISTS", 0}},
		"C27 completed, nothing":    {form(finapi.FormCompleted, 0, ""), open, false, ending{schemas.ReasonProviderError, "COMPLETED", 0}},
		"error, nothing":            {form(finapi.FormCompletedWithError, 0, ""), open, false, ending{schemas.ReasonProviderError, "COMPLETED_WITH_ERROR", 0}},
		"aborted":                   {form(finapi.FormAborted, 0, ""), open, false, ending{schemas.ReasonUserAborted, "ABORTED", 0}},
		"expired":                   {form(finapi.FormExpired, 0, ""), open, false, ending{schemas.ReasonFormExpired, "EXPIRED", 0}},
		"cancelled in time":         {form(finapi.FormCancelled, 0, ""), open, false, ending{schemas.ReasonCancelled, "CANCELLED", 0}},
		"cancelled late":            {form(finapi.FormCancelled, 0, ""), after, false, ending{schemas.ReasonFormExpired, "CANCELLED", 0}},
		"aborted with code":         {form(finapi.FormAborted, 0, "INTERRUPTED"), open, false, ending{schemas.ReasonInterrupted, "INTERRUPTED", 0}},
		"rejected":                  {form(finapi.FormCompletedWithError, 0, "BANK_SERVER_REJECTION"), open, false, ending{schemas.ReasonBankRejected, "BANK_SERVER_REJECTION", 0}},
		"no accounts":               {form(finapi.FormCompletedWithError, 0, "NO_ACCOUNTS_FOR_TYPE_LIST"), open, false, ending{schemas.ReasonNoMatchingAccounts, "NO_ACCOUNTS_FOR_TYPE_LIST", 0}},
		"undetermined":              {form(finapi.FormCompletedWithError, 0, "UNDETERMINED_BANK"), open, false, ending{schemas.ReasonInvalidRequest, "UNDETERMINED_BANK", 0}},
		"not unique":                {form(finapi.FormCompletedWithError, 0, "BANK_NOT_UNIQUE"), open, false, ending{schemas.ReasonInvalidRequest, "BANK_NOT_UNIQUE", 0}},
		"not supported":             {form(finapi.FormCompletedWithError, 0, "BANK_NOT_SUPPORTED"), open, false, ending{schemas.ReasonBankUnsupported, "BANK_NOT_SUPPORTED", 0}},
		"feature":                   {form(finapi.FormCompletedWithError, 0, "UNSUPPORTED_FEATURE"), open, false, ending{schemas.ReasonBankUnsupported, "UNSUPPORTED_FEATURE", 0}},
		"misconfigured":             {form(finapi.FormCompletedWithError, 0, "MANDATOR_MISCONFIGURATION"), open, false, ending{schemas.ReasonProviderMisconfigured, "MANDATOR_MISCONFIGURATION", 0}},
		"redirect":                  {form(finapi.FormCompletedWithError, 0, "INVALID_REDIRECT_URL"), open, false, ending{schemas.ReasonProviderMisconfigured, "INVALID_REDIRECT_URL", 0}},
		"token":                     {form(finapi.FormCompletedWithError, 0, "INVALID_TOKEN"), open, false, ending{schemas.ReasonProviderError, "INVALID_TOKEN", 0}},
		"access":                    {form(finapi.FormCompletedWithError, 0, "UNEXPECTED_ACCESS_RESPONSE"), open, false, ending{schemas.ReasonProviderError, "UNEXPECTED_ACCESS_RESPONSE", 0}},
		"order":                     {form(finapi.FormCompletedWithError, 0, "UNSUPPORTED_ORDER"), open, false, ending{schemas.ReasonProviderError, "UNSUPPORTED_ORDER", 0}},
		"internal":                  {form(finapi.FormCompletedWithError, 0, "INTERNAL_ERROR"), open, false, ending{schemas.ReasonProviderError, "INTERNAL_ERROR", 0}},
		"C17 unknown code":          {form(finapi.FormCompletedWithError, 0, code), open, false, ending{schemas.ReasonProviderError, code, 0}},
		"upstream cancelled":        {form(finapi.FormCancelled, 0, ""), open, true, ending{schemas.ReasonCancelled, "CANCELLED", 0}},
		"upstream cancelled, late":  {form(finapi.FormCancelled, 0, ""), after, true, ending{schemas.ReasonCancelled, "CANCELLED", 0}},
		"upstream cancelled, abort": {form(finapi.FormAborted, 0, ""), open, true, ending{schemas.ReasonCancelled, "ABORTED", 0}},
		"upstream cancelled, code":  {form(finapi.FormCompletedWithError, 0, "INTERNAL_ERROR"), open, true, ending{schemas.ReasonCancelled, "INTERNAL_ERROR", 0}},
		"upstream cancelled, exist": {form(finapi.FormCompletedWithError, 0, "ENTITY_EXISTS"), open, true, ending{schemas.ReasonCancelled, "ENTITY_EXISTS", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Timing{})
			mustSend(t, m, awaited())
			m.Now = start.Add(c.when)
			b.form = func() (finapi.Form, error) { return c.form, nil }
			if c.cancelled {
				mustSend(t, m, cancelled())
			} else {
				mustSend(t, m, hint(formID))
			}
			if got := endingOf(t, runOut(t, m)); got != c.want {
				t.Errorf("ended with %+v, want %+v", got, c.want)
			}
			if len(b.formReads) != 1 || len(b.cancels) != 0 {
				t.Errorf("form reads %v, cancels %v; want one read", b.formReads, b.cancels)
			}
			if c.want != goesOn && len(b.looks) != 0 {
				t.Errorf("the connection was read at %v", b.looks)
			}
		})
	}
}

func TestFormGone(t *testing.T) {
	t.Parallel()
	for cancel, want := range map[bool]schemas.Reason{false: schemas.ReasonFormGone, true: schemas.ReasonCancelled} {
		m, b := newMachine(t, Timing{})
		mustSend(t, m, awaited())
		if cancel {
			mustSend(t, m, cancelled())
		}
		b.form = func() (finapi.Form, error) { return finapi.Form{}, errGone }
		if got := endingOf(t, mustFire(t, m)); got != (ending{want, "NOT_FOUND", 0}) {
			t.Errorf("cancelled %v: ended with %+v, want %s", cancel, got, want)
		}
	}
}

// TestPolls: without any hint the form is read every 30 s, give or take a tenth.
func TestPolls(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	for range 30 {
		mustFire(t, m)
	}
	last := time.Duration(0)
	different := map[time.Duration]bool{}
	for _, read := range b.formReads {
		gap := read - last
		if gap < 27*time.Second || gap > 33*time.Second {
			t.Errorf("gap of %s between two polls", gap)
		}
		different[gap] = true
		last = read
	}
	if len(different) < 10 {
		t.Errorf("gaps %v do not vary", different)
	}
}

// TestHintIsAskedAgain: at once, after 3 s and after 10 s, then as usual.
func TestHintIsAskedAgain(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	m.Now = start.Add(2 * time.Second)
	mustSend(t, m, hint(formID))
	for range 4 {
		mustFire(t, m)
	}
	want := []time.Duration{2 * time.Second, 5 * time.Second, 12 * time.Second}
	if !slices.Equal(b.formReads[:3], want) {
		t.Errorf("form reads %v, want %v", b.formReads[:3], want)
	}
	if gap := b.formReads[3] - b.formReads[2]; gap < 27*time.Second || gap > 33*time.Second {
		t.Errorf("then a poll after %s, want about 30 s", gap)
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	foreign := hint("f0000000-0000-4000-8000-000000000009")
	later := hint(formID)
	later.Run = 7
	for name, c := range map[string]struct {
		hint  schemas.WebformCompleted
		reads bool
	}{
		"of this form":           {hint(formID), true},
		"without a form":         {hint(""), true},
		"of another form":        {foreign, false},
		"of another run":         {later, true},
		"a cancel":               {cancelled(), true},
		"told a status we don't": {schemas.WebformCompleted{ImportID: importID, Run: 1, FormID: formID, EndedBy: "x", ToldStatus: "y", ObservedAt: at(0)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Timing{})
			mustSend(t, m, awaited())
			wake := m.Wake
			m.Now = start.Add(2 * time.Second)
			if events := mustSend(t, m, c.hint); len(events) != 0 {
				t.Errorf("events %+v, want none", events)
			}
			if read := m.Wake.Equal(m.Now); read != c.reads || !read && !m.Wake.Equal(wake) {
				t.Errorf("wake at %v, want a read: %v", m.Wake, c.reads)
			}
			if len(b.formReads) != 0 {
				t.Errorf("the hint itself read the form")
			}
		})
	}
}

// TestHintFlood: a thousand hints make one read, and never two in a second.
func TestHintFlood(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	mustSend(t, m, hint(formID))
	state := string(m.Value)
	for range 999 {
		mustSend(t, m, hint(formID))
	}
	if string(m.Value) != state {
		t.Errorf("state changes with every hint: %s, then %s", state, m.Value)
	}
	mustFire(t, m)
	mustSend(t, m, hint(formID))
	mustFire(t, m)
	want := []time.Duration{0, time.Second}
	if !slices.Equal(b.formReads, want) {
		t.Errorf("form reads %v, want %v", b.formReads, want)
	}
}

// TestTimerTooSoon: whatever fires the timer, a form is not read twice a second.
func TestTimerTooSoon(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	mustFire(t, m)
	read := m.Now
	m.Now = read.Add(300 * time.Millisecond)
	redriven := m.Trigger(nil)
	redriven.Redrive = 1
	if _, err := m.Handle(redriven); err != nil {
		t.Fatal(err)
	}
	if len(b.formReads) != 1 || !m.Wake.Equal(read.Add(time.Second)) {
		t.Errorf("reads %v, wake %v; want one read and a wake a second after it", b.formReads, m.Wake)
	}
}

// TestEarlyHint: one bit, whatever hints said it, and then a read at once.
func TestEarlyHint(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, hint("f0000000-0000-4000-8000-000000000009"))
	if got, want := string(m.Value), `{"v":1,"phase":"early"}`; got != want || !m.Wake.IsZero() {
		t.Fatalf("state %s, wake %v; want %s and no timer", got, m.Wake, want)
	}
	mustSend(t, m, hint(formID))
	mustSend(t, m, hint(""))
	m.Now = start.Add(time.Minute)
	mustSend(t, m, awaited())
	if !m.Wake.Equal(m.Now) {
		t.Fatalf("wake at %v, want now", m.Wake)
	}
	for range 3 {
		mustFire(t, m)
	}
	want := []time.Duration{60 * time.Second, 63 * time.Second, 70 * time.Second}
	if !slices.Equal(b.formReads, want) {
		t.Errorf("form reads %v, want %v", b.formReads, want)
	}
}

// TestEarlyHintAndConnection: a hint has nothing to say where there is no form.
func TestEarlyHintAndConnection(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, hint(""))
	mustSend(t, m, existing())
	mustSend(t, m, hint(""))
	if got := endingOf(t, runOut(t, m)); got != (ending{}) || len(b.formReads) != 0 {
		t.Errorf("ended with %+v after form reads %v", got, b.formReads)
	}
}

// TestLateEvents: once the form has ended nothing on the topic changes anything.
func TestLateEvents(t *testing.T) {
	t.Parallel()
	advance := map[string]func(t *testing.T, m *flowtest.Machine, b *bank){
		"downloading": func(t *testing.T, m *flowtest.Machine, _ *bank) { mustFire(t, m) },
		"categories":  func(t *testing.T, m *flowtest.Machine, _ *bank) { mustFire(t, m); mustFire(t, m) },
		"handed on":   func(t *testing.T, m *flowtest.Machine, _ *bank) { runOut(t, m) },
		"failed": func(t *testing.T, m *flowtest.Machine, b *bank) {
			b.form = func() (finapi.Form, error) { return form(finapi.FormAborted, 0, ""), nil }
			runOut(t, m)
		},
		"gave up": func(_ *testing.T, m *flowtest.Machine, _ *bank) { m.GiveUp(m.Trigger(nil), errors.New("x")) },
	}
	for phase, steps := range advance {
		for name, e := range map[string]schemas.Event{
			"awaited": awaited(), "hint": hint(formID), "hint without form": hint(""), "cancel": cancelled(),
		} {
			t.Run(phase+"/"+name, func(t *testing.T) {
				t.Parallel()
				m, b := newMachine(t, Timing{})
				b.form = func() (finapi.Form, error) { return form(finapi.FormCompleted, 77, ""), nil }
				mustSend(t, m, awaited())
				steps(t, m, b)
				value, wake := string(m.Value), m.Wake
				if events := mustSend(t, m, e); len(events) != 0 || string(m.Value) != value || !m.Wake.Equal(wake) {
					t.Errorf("events %+v, state %s, wake %v; want nothing to change", events, m.Value, m.Wake)
				}
			})
		}
	}
}

// TestAwaitedTwice: the wait is not started again while it lasts.
func TestAwaitedTwice(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	value, wake := string(m.Value), m.Wake
	m.Now = start.Add(20 * time.Second)
	if events := mustSend(t, m, awaited()); len(events) != 0 || string(m.Value) != value || !m.Wake.Equal(wake) {
		t.Errorf("events %+v, state %s, wake %v; want nothing to change", events, m.Value, m.Wake)
	}
}

func TestFormDeadline(t *testing.T) {
	t.Parallel()
	final := func(f finapi.Form) func() (finapi.Form, error) { return func() (finapi.Form, error) { return f, nil } }
	fails := func(err error) func() (finapi.Form, error) {
		return func() (finapi.Form, error) { return finapi.Form{}, err }
	}
	for name, c := range map[string]struct {
		cancel func() (finapi.Form, error)
		after  func() (finapi.Form, error) // the read after a refused cancel
		want   ending
		reads  int // at the deadline
	}{
		"cancelled":               {final(form(finapi.FormCancelled, 0, "")), nil, ending{schemas.ReasonFormExpired, "CANCELLED", 0}, 1},
		"completed after all":     {final(form(finapi.FormCompleted, 77, "")), nil, ending{}, 1},
		"cancelled, connection":   {final(form(finapi.FormCancelled, 77, "")), nil, ending{}, 1},
		"completed, says nothing": {final(form(finapi.FormCompleted, 0, "")), final(form(finapi.FormCompleted, 77, "")), ending{}, 2},
		"completed, has nothing":  {final(form(finapi.FormCompleted, 0, "")), final(form(finapi.FormCompleted, 0, "")), ending{schemas.ReasonProviderError, "COMPLETED", 0}, 2},
		"not there":               {fails(errGone), fails(errGone), ending{schemas.ReasonFormGone, "NOT_FOUND", 0}, 2},
		"a gateway's 404":         {fails(refused(404, finapi.CodeUnknownErrorAnswer, finapi.ClassRetry)), openForm, ending{schemas.ReasonFormExpired, "IN_PROGRESS", 0}, 2},
		"already final":           {fails(refused(422, "NOT_ALLOWED", finapi.ClassPermanent)), final(form(finapi.FormCompleted, 77, "")), ending{}, 2},
		"already expired":         {fails(refused(403, "FORBIDDEN", finapi.ClassPermanent)), final(form(finapi.FormExpired, 0, "")), ending{schemas.ReasonFormExpired, "EXPIRED", 0}, 2},
		"cannot be cancelled":     {fails(refused(405, finapi.CodeUnknownErrorAnswer, finapi.ClassPermanent)), openForm, ending{schemas.ReasonFormExpired, "IN_PROGRESS", 0}, 2},
		"busy, and it completed":  {fails(errBusy), final(form(finapi.FormCompleted, 77, "")), ending{}, 2},
		"cancel answers open":     {openForm, nil, ending{schemas.ReasonFormExpired, "IN_PROGRESS", 0}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Timing{})
			b.form = func() (finapi.Form, error) {
				if len(b.cancels) > 0 && c.after != nil {
					return c.after()
				}
				return openForm()
			}
			b.cancel = c.cancel
			mustSend(t, m, awaited())
			if got := endingOf(t, runOut(t, m)); got != c.want {
				t.Errorf("ended with %+v, want %+v", got, c.want)
			}
			deadline := expiry + 2*time.Minute
			if !slices.Equal(b.cancels, []time.Duration{deadline}) {
				t.Errorf("cancel calls at %v, want one at %s", b.cancels, deadline)
			}
			n := 0
			for _, read := range b.formReads {
				if read == deadline {
					n++
				}
			}
			if n != c.reads {
				t.Errorf("%d form reads at the deadline, want %d", n, c.reads)
			}
		})
	}
}

// TestBusyAtTheDeadline: a provider that is busy with the form may be making the
// connection. So nothing ends yet, and the attempt counts.
func TestBusyAtTheDeadline(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	b.cancel = func() (finapi.Form, error) { return finapi.Form{}, errBusy }
	m.Now = start.Add(time.Hour)
	for range 3 {
		if _, err := m.Fire(); !errors.Is(err, errBusy) {
			t.Fatalf("error %v, want the provider's, so that attempts are counted", err)
		}
		m.Now = m.Now.Add(time.Minute)
	}
	b.form = func() (finapi.Form, error) { return form(finapi.FormCompleted, 77, ""), nil }
	if got := endingOf(t, runOut(t, m)); got != (ending{}) {
		t.Errorf("ended with %+v, want connection-ready", got)
	}
}

// TestCancelledAndOpen: a form that is open although upstream has cancelled is
// cancelled again with every read, until the provider does it or the deadline comes.
func TestCancelledAndOpen(t *testing.T) {
	t.Parallel()
	const deadline = expiry + 2*time.Minute
	for name, c := range map[string]struct {
		first func() (finapi.Form, error) // answer to the cancel calls of the first minute
		then  func() (finapi.Form, error)
		want  ending
		most  time.Duration
	}{
		"busy for a minute": {
			func() (finapi.Form, error) { return finapi.Form{}, errBusy },
			func() (finapi.Form, error) { return form(finapi.FormCancelled, 0, ""), nil },
			ending{schemas.ReasonCancelled, "CANCELLED", 0}, 2 * time.Minute,
		},
		"busy for a minute, then made": {
			func() (finapi.Form, error) { return finapi.Form{}, errBusy },
			func() (finapi.Form, error) { return form(finapi.FormCompleted, 77, ""), nil },
			ending{}, 2 * time.Minute,
		},
		"busy for ever": {
			func() (finapi.Form, error) { return finapi.Form{}, errBusy },
			func() (finapi.Form, error) { return finapi.Form{}, errBusy },
			ending{schemas.ReasonCancelled, "IN_PROGRESS", 0}, deadline,
		},
		"there is no such call": {
			func() (finapi.Form, error) { return finapi.Form{}, errGone },
			func() (finapi.Form, error) { return finapi.Form{}, errGone },
			ending{schemas.ReasonCancelled, "IN_PROGRESS", 0}, deadline,
		},
		"it answers that it is open": {openForm, openForm, ending{schemas.ReasonCancelled, "IN_PROGRESS", 0}, deadline},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := newMachine(t, Timing{})
			b.cancel = func() (finapi.Form, error) {
				if b.now() < time.Minute {
					return c.first()
				}
				return c.then()
			}
			mustSend(t, m, awaited())
			mustSend(t, m, cancelled())
			if got := endingOf(t, runOut(t, m)); got != c.want {
				t.Errorf("ended with %+v, want %+v", got, c.want)
			}
			if last := b.cancels[len(b.cancels)-1]; last > c.most {
				t.Errorf("the last cancel call is at %s, want it by %s", last, c.most)
			}
			for i := 1; i < len(b.formReads); i++ {
				if gap := b.formReads[i] - b.formReads[i-1]; gap < time.Second && b.formReads[i] != deadline {
					t.Errorf("two reads of the form within %s", gap)
				}
			}
		})
	}
}

// TestCancelledAndOwed: a form that says it completed, but not with what, is read
// again.
func TestCancelledAndOwed(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	b.cancel = func() (finapi.Form, error) { return form(finapi.FormCompleted, 0, ""), nil }
	b.form = func() (finapi.Form, error) {
		if len(b.cancels) > 0 {
			return form(finapi.FormCompleted, 77, ""), nil
		}
		return openForm()
	}
	mustSend(t, m, awaited())
	mustSend(t, m, cancelled())
	if got := endingOf(t, runOut(t, m)); got != (ending{}) {
		t.Errorf("ended with %+v, want connection-ready", got)
	}
}

// TestOutageEndsNothing: only a read made after the deadline ends the import.
func TestOutageEndsNothing(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	b.form = func() (finapi.Form, error) { return finapi.Form{}, errDown }
	m.Now = start.Add(9 * time.Hour)
	if _, err := m.Fire(); !errors.Is(err, errDown) {
		t.Fatalf("error %v, want the provider's", err)
	}
	if _, ok := pipeline.Class(errDown); ok {
		t.Fatal("an outage is given up")
	}
	b.form = func() (finapi.Form, error) { return form(finapi.FormCompleted, 77, ""), nil }
	if got := endingOf(t, runOut(t, m)); got != (ending{}) {
		t.Errorf("ended with %+v, want connection-ready", got)
	}
}

// TestCancelFails: a cancel call that the provider did not answer is tried again.
func TestCancelFails(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	b.cancel = func() (finapi.Form, error) { return finapi.Form{}, errDown }
	m.Now = start.Add(time.Hour)
	if _, err := m.Fire(); !errors.Is(err, errDown) {
		t.Fatalf("error %v, want the provider's", err)
	}
	b.form = func() (finapi.Form, error) { return form(finapi.FormCancelled, 0, ""), nil } // it had arrived
	if got := endingOf(t, mustFire(t, m)); got.Reason != schemas.ReasonFormExpired {
		t.Errorf("ended with %+v, want form_expired", got)
	}
}

// TestExpiryMoves: the newest read says when the form ends, and the status follows.
func TestExpiryMoves(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	b.form = func() (finapi.Form, error) {
		return finapi.Form{ID: formID, Status: finapi.FormInProgress, ExpiresAt: start.Add(2 * expiry)}, nil
	}
	events := mustFire(t, m)
	compare(t, "events", events, []schemas.Event{
		status(schemas.StepFormOpen, schemas.WaitingForUser, at(0), schemas.At(m.Now), func(s *schemas.ImportStatus) {
			s.FormExpiresAt, s.UntilAt = at(2*expiry), at(2*expiry+2*time.Minute)
		}),
	})
	if events := mustFire(t, m); len(events) != 0 {
		t.Errorf("the same again: %+v, want nothing", events)
	}
	runOut(t, m)
	deadline := 2*expiry + 2*time.Minute
	if len(b.cancels) != 1 || b.cancels[0] < deadline || b.cancels[0] > deadline+time.Second {
		t.Errorf("cancel calls at %v, want one at %s, or as soon after it as the pace allows", b.cancels, deadline)
	}
}

// TestFormBusy: 423 means not yet, and burns no attempt before the deadline.
func TestFormBusy(t *testing.T) {
	t.Parallel()
	m, b := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	b.form = func() (finapi.Form, error) { return finapi.Form{}, errBusy }
	for m.Now.Before(start.Add(expiry)) {
		if events := mustFire(t, m); len(events) != 0 {
			t.Fatalf("events %+v while busy", events)
		}
	}
	m.Now = start.Add(time.Hour)
	if _, err := m.Fire(); !errors.Is(err, errBusy) {
		t.Errorf("after the deadline: %v, want the error, so that attempts are counted", err)
	}
}

func TestInvalidEvents(t *testing.T) {
	t.Parallel()
	both := awaited()
	both.BankConnectionID = 1
	neither := awaited()
	neither.FormID = ""
	for name, record := range map[string]func(m *flowtest.Machine) *pipeline.Record{
		"no type":    func(m *flowtest.Machine) *pipeline.Record { return m.Raw([]byte(`{}`)) },
		"both ids":   func(m *flowtest.Machine) *pipeline.Record { return m.Record(both) },
		"neither id": func(m *flowtest.Machine) *pipeline.Record { return m.Record(neither) },
		"another key": func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(hint(formID))
			r.Key = []byte("x")
			return r
		},
		"not JSON": func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(hint(formID))
			r.Value = []byte("{")
			return r
		},
		"no value": func(m *flowtest.Machine) *pipeline.Record {
			r := m.Record(awaited())
			r.Value = nil
			return r
		},
	} {
		m, _ := newMachine(t, Timing{})
		_, err := m.Handle(m.Trigger(record(m)))
		if class, _ := pipeline.Class(err); class != "invalid_event" {
			t.Errorf("%s: error %v, want class invalid_event", name, err)
		}
	}
}

// TestHintGivenUp: whatever becomes of a hint, the import goes on.
func TestHintGivenUp(t *testing.T) {
	t.Parallel()
	m, _ := newMachine(t, Timing{})
	mustSend(t, m, awaited())
	value, wake := string(m.Value), m.Wake
	for _, e := range []schemas.Event{hint(formID), cancelled(), awaited()} {
		if events := m.GiveUp(m.Trigger(m.Record(e)), errors.New("x")); len(events) != 0 || string(m.Value) != value || !m.Wake.Equal(wake) {
			t.Errorf("%s given up: events %+v, state %s, wake %v; want the dead letter alone", e.Type(), events, m.Value, m.Wake)
		}
	}
}

// TestFormPace draws any order of hints, timers and failures and watches the pace
// of form reads.
func TestFormPace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, b := newMachine(t, Timing{FormPoll: time.Second})
		ok := true
		b.form = func() (finapi.Form, error) {
			if !ok {
				b.formReads = b.formReads[:len(b.formReads)-1] // the engine repeats it at its own pace
				return finapi.Form{}, errDown
			}
			return openForm()
		}
		mustSend(t, m, awaited())
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			ok = rapid.IntRange(0, 9).Draw(t, "ok") > 0
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				m.Now = m.Now.Add(time.Duration(rapid.IntRange(0, 2500).Draw(t, "ms")) * time.Millisecond)
			case 1:
				mustSend(t, m, hint(rapid.SampledFrom([]string{"", formID, "x"}).Draw(t, "form")))
			default:
				if _, err := m.Fire(); err != nil && !errors.Is(err, errDown) {
					t.Fatalf("timer: %v", err)
				}
			}
			if m.Wake.IsZero() {
				t.Fatalf("no timer is set; state %s", m.Value)
			}
		}
		for i := 1; i < len(b.formReads); i++ {
			if gap := b.formReads[i] - b.formReads[i-1]; gap < time.Second {
				t.Fatalf("two reads within %s: %v", gap, b.formReads)
			}
		}
	})
}

// TestLostHints: with every callback lost the end of a form is noticed within a
// minute, wherever in the poll it falls.
func TestLostHints(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		m, b := newMachine(t, Timing{})
		m.Key = fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", i)
		e := awaited()
		e.ImportID = m.Key
		end := start.Add(time.Duration(rand.Int64N(int64(expiry))))
		b.form = func() (finapi.Form, error) {
			if m.Now.Before(end) {
				return openForm()
			}
			return form(finapi.FormCompleted, 77, ""), nil
		}
		mustSend(t, m, e)
		for events := 0; events == 0; {
			events = len(mustFire(t, m))
		}
		if late := m.Now.Sub(end); late > 34*time.Second {
			t.Errorf("noticed after %s", late)
		}
	}
}
