package flow_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const importID = "0a1b2c3d-0000-4000-8000-000000000001"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func trigger() pipeline.Trigger {
	return pipeline.Trigger{Key: importID, Now: now, CauseID: "cause", Traceparent: "00-trace"}
}

// TestHeaders: every event says what it is, whence it comes and what caused it.
func TestHeaders(t *testing.T) {
	t.Parallel()
	out := flow.NewOutbox("webform", trigger())
	out.Fail(flow.Import{ID: importID, Run: 3}, flow.Ending{Reason: schemas.ReasonCancelled}, 1)
	r, err := out.Result(flow.NewVersion(), pipeline.ClearWake())
	if err != nil {
		t.Fatal(err)
	}
	e := r.Events[0]
	got := map[string]string{}
	for _, h := range e.Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": schemas.ImportFailed{ImportID: importID, Run: 3}.ID(),
		"ce_type": "bankimport.import-failed.v1", "ce_source": "/bankimport/webform", "ce_time": "2026-03-01T12:00:00.000Z",
		"ce_subject": importID, "ce_causationid": "cause", "content-type": "application/json", "traceparent": "00-trace",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if e.Topic != schemas.TopicImportFailed || string(e.Key) != importID {
		t.Errorf("record on %s with key %s", e.Topic, e.Key)
	}
}

// TestUnwritable: one event that cannot be written refuses the whole result.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	out := flow.NewOutbox("webform", trigger())
	out.Add(
		schemas.WebformCreated{ImportID: importID, ExpiresAt: schemas.At(now)},
		schemas.WebformCreated{ImportID: importID}, // without expires_at
		schemas.WebformCreated{ImportID: importID, ExpiresAt: schemas.At(now)},
	)
	_, err := out.Result(flow.NewVersion(), pipeline.ClearWake())
	if class, _ := pipeline.Class(err); class != flow.ClassUnexpectedAnswer {
		t.Errorf("error %v, want class %s", err, flow.ClassUnexpectedAnswer)
	}
}

// TestLastError: what a status repeats of an error is bounded and readable, and
// an error whose words are not known to be harmless is not repeated.
func TestLastError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 2000)
	for name, c := range map[string]struct {
		cause error
		want  string
	}{
		"provider":  {&finapi.Error{Operation: "get_form", Status: 500, Code: "X", Class: finapi.ClassRetry}, "provider: get_form: X (status 500)"},
		"permanent": {pipeline.Permanent("x", errors.New("why")), "why"},
		"anything":  {errors.New("DE02120300000000202051"), ""},
		"nothing":   {nil, ""},
		"long":      {pipeline.Permanent("x", errors.New(long)), long[:512] + "…"},
	} {
		out := flow.NewOutbox("accounts", trigger())
		out.GaveUp(flow.Import{ID: importID, Run: 1}, c.cause, 1)
		r, err := out.Result(flow.NewVersion(), pipeline.ClearWake())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		status, ok := flowtest.Decode(t, r.Events[1]).(schemas.ImportStatus)
		if !ok || status.LastError != c.want || !utf8.ValidString(status.LastError) {
			t.Errorf("%s: last_error %q, want %q", name, status.LastError, c.want)
		}
	}
}

func TestEventTime(t *testing.T) {
	t.Parallel()
	r := &pipeline.Record{Timestamp: now}
	if got := flow.EventTime(r); !got.Equal(now) {
		t.Errorf("without header: %s, want the record's time", got)
	}
	r.Headers = []pipeline.Header{{Key: "ce_time", Value: []byte("2026-01-01T00:00:00.000Z")}}
	if got, want := flow.EventTime(r), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("with header: %s, want %s", got, want)
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	low, high := time.Hour, time.Duration(0)
	for turn := range int64(1000) {
		d := flow.Jitter(30*time.Second, importID, turn)
		low, high = min(low, d), max(high, d)
		if d != flow.Jitter(30*time.Second, importID, turn) {
			t.Fatal("the same turn gives another wait")
		}
	}
	if low < 27*time.Second || low > 28*time.Second || high > 33*time.Second || high < 32*time.Second {
		t.Errorf("waits from %s to %s, want about 27 s to 33 s", low, high)
	}
}

// TestEveryRefusal: whatever class an error has, it becomes one of four things.
func TestEveryRefusal(t *testing.T) {
	t.Parallel()
	fail := func(status int, code string, class finapi.Class) *finapi.Error {
		return &finapi.Error{Status: status, Code: code, Class: class}
	}
	for name, c := range map[string]struct {
		err     error
		reason  schemas.Reason // "": goes to the engine
		class   string
		refused bool
	}{
		"gone":            {fail(404, "NOT_FOUND", finapi.ClassPermanent), schemas.ReasonFormGone, "", true},
		"gateway's 404":   {fail(404, finapi.CodeUnknownErrorAnswer, finapi.ClassRetry), "", "", false},
		"busy":            {fail(423, "LOCKED", finapi.ClassWait), "", "", true},
		"retry":           {fail(500, "UNEXPECTED_ERROR", finapi.ClassRetry), "", "", false},
		"user":            {fail(422, "BANK_SERVER_REJECTION", finapi.ClassUser), schemas.ReasonBankRejected, "", true},
		"permanent":       {fail(422, "ILLEGAL_FIELD_VALUE", finapi.ClassPermanent), schemas.ReasonProviderError, "", true},
		"no code":         {fail(405, finapi.CodeUnknownErrorAnswer, finapi.ClassPermanent), schemas.ReasonProviderError, "", true},
		"malformed":       {fail(200, finapi.CodeMalformed, finapi.ClassPermanent), "", flow.ClassUnexpectedAnswer, false},
		"foreign URL":     {fail(201, finapi.CodeForeignFormURL, finapi.ClassPermanent), "", flow.ClassUnexpectedAnswer, false},
		"never sent":      {fail(0, finapi.CodeInvalidRequest, finapi.ClassPermanent), "", flow.ClassUnexpectedAnswer, false},
		"user's login":    {fail(400, finapi.CodeUserRefused, finapi.ClassPermanent), "", flow.ClassLoginRefused, false},
		"user deleted":    {fail(400, finapi.CodeUserGone, finapi.ClassPermanent), schemas.ReasonFormGone, "", false},
		"login, a 404":    {fail(404, finapi.CodeUserRefused, finapi.ClassPermanent), "", flow.ClassLoginRefused, false},
		"user's token":    {fail(401, finapi.CodeTokenRefused, finapi.ClassPermanent), "", flow.ClassLoginRefused, false},
		"unavailable":     {fail(403, "FORBIDDEN", finapi.ClassUnavailable), "", "", false},
		"class not known": {fail(422, "X", "new"), "", "", false},
		"not ours":        {errors.New("x"), "", "", false},
	} {
		end, err := flow.OfError(c.err, schemas.ReasonFormGone)
		class, _ := pipeline.Class(err)
		if end.Reason != c.reason || (err == nil) != (c.reason != "") || class != c.class {
			t.Errorf("%s: ending %+v, error %v of class %q", name, end, err, class)
		}
		if err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: error %v hides %v", name, err, c.err)
		}
		if got := flow.Refused(c.err); got != c.refused {
			t.Errorf("%s: refused %v, want %v", name, got, c.refused)
		}
		if got, want := flow.CancelRefused(c.err), c.refused || name == "gateway's 404"; got != want {
			t.Errorf("%s: cancel refused %v, want %v", name, got, want)
		}
	}
}

// TestProviderCode: where the provider refused nothing there is no code of its own.
func TestProviderCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   string
	}{
		{422, "BANK_NOT_SUPPORTED", "BANK_NOT_SUPPORTED"},
		{502, finapi.CodeUnknownErrorAnswer, "502"},
		{0, finapi.CodeTimeout, ""},
		{0, finapi.CodeBreakerOpen, ""},
		{200, finapi.CodeMalformed, ""},
		{201, finapi.CodeForeignFormURL, ""},
	} {
		out := flow.NewOutbox("accounts", trigger())
		out.GaveUp(flow.Import{ID: importID, Run: 1}, &finapi.Error{Operation: "get_form", Status: c.status, Code: c.code}, 1)
		r, err := out.Result(flow.NewVersion(), pipeline.ClearWake())
		if err != nil {
			t.Fatal(err)
		}
		if failed, ok := flowtest.Decode(t, r.Events[0]).(schemas.ImportFailed); !ok || failed.ProviderCode != c.want {
			t.Errorf("status %d, code %s: provider_code %q, want %q", c.status, c.code, failed.ProviderCode, c.want)
		}
	}
}
