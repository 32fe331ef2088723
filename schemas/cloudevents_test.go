package schemas_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 10, 15, 2, 412_999_999, time.FixedZone("", 3600))
	failed := schemas.ImportFailed{
		ImportID: testImport, Run: 2, Reason: schemas.ReasonBankRejected, Retryable: true, FailedAt: schemas.At(at),
	}
	value, headers, err := schemas.Encode(failed, schemas.Meta{
		Source: "connection", Time: at, CauseID: "the-cause", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(value), `{"import_id":"`+testImport+`","run":2,"reason":"bank_rejected","retryable":true,"failed_at":"2026-11-22T09:15:02.412Z"}`; got != want {
		t.Errorf("value: got\n%s\nwant\n%s", got, want)
	}
	want := []string{
		"ce_specversion: 1.0",
		"ce_id: " + failed.ID(),
		"ce_type: bankimport.import-failed.v1",
		"ce_source: /bankimport/connection",
		"ce_time: 2026-11-22T09:15:02.412Z",
		"ce_subject: " + testImport,
		"ce_causationid: the-cause",
		"content-type: application/json",
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	if got := lines(headers); !slices.Equal(got, want) {
		t.Errorf("headers: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, headers, err = schemas.Encode(failed, schemas.Meta{Source: "bridge", Time: at})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		if h.Key == schemas.HeaderCausationID || h.Key == schemas.HeaderTraceparent {
			t.Errorf("got header %s without a cause and a trace", h.Key)
		}
	}
}

func lines(headers []schemas.Header) []string {
	var all []string
	for _, h := range headers {
		all = append(all, h.Key+": "+string(h.Value))
	}
	return all
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good := schemas.Meta{Source: "webform", Time: now}
	for _, c := range []struct {
		name  string
		event schemas.Event
		meta  schemas.Meta
		want  string
	}{
		{"no source", schemas.ImportCancelRequested{}, schemas.Meta{Time: now}, "encode import-cancel-requested: source and time are required"},
		{"no time", schemas.ImportCancelRequested{}, schemas.Meta{Source: "x"}, "encode import-cancel-requested: source and time are required"},
		{"required instant not set", schemas.ImportFailed{}, good, "encode import-failed: field /failed_at cannot be written"},
		{"instant in a list not set", schemas.ImportCompleted{
			StartedAt: schemas.At(now), CompletedAt: schemas.At(now),
			Accounts: []schemas.CompletedAccount{{Loaded: true, AccountRead: &schemas.AccountRead{}}},
		}, good, "encode import-completed: field /accounts/0/read_started_at cannot be written"},
		{"year 10000", schemas.ImportFailed{FailedAt: schemas.At(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}, good, "field /failed_at cannot be written"},
		{"not UTF-8", schemas.WebformCreated{URL: canary + "\xff", ExpiresAt: schemas.At(now)}, good, "encode webform-created: a text is not valid UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := schemas.Encode(c.event, c.meta)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the event: %v", err)
			}
		})
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ceType, topic string
		want          string // "": refused
	}{
		{"", "import-requested", "import-requested"},
		{"bankimport.import-requested.v1", "import-requested", "import-requested"},
		{"bankimport.import-cancel-requested.v1", "import-requested", "import-cancel-requested"},
		{"bankimport.webform-awaited.v1", "webform-completed", "webform-awaited"},
		{"bankimport.webform-completed.v1", "webform-completed", "webform-completed"},
		{"bankimport.account.v1", "accounts", "account"},
		{"", "webform-completed", ""},
		{"", "accounts", ""},
		{"bankimport.webform-completed.v1", "import-requested", ""},
		{"bankimport.import-requested.v2", "import-requested", ""},
		{"bankimport.import-requested.v99", "import-requested", ""},
		{"bankimport.import-requested", "import-requested", ""},
		{"import-requested.v1", "import-requested", ""},
		{"import-requested", "import-requested", ""},
		{"BANKIMPORT.import-requested.v1", "import-requested", ""},
		{"bankimport..v1", "import-requested", ""},
		{"bankimport.v1", "import-requested", ""},
		{"bankimport.account.v1", "p.accounts", ""},
	} {
		got, ok := schemas.TypeOf(c.ceType, c.topic)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q on %s: got %q and %v, want %q", c.ceType, c.topic, got, ok, c.want)
		}
	}
	for _, e := range schemas.Events() {
		if got, ok := schemas.TypeOf(schemas.CloudEventType(e.Type()), e.Topic()); !ok || got != e.Type() {
			t.Errorf("%s: got %q and %v back", e.Type(), got, ok)
		}
	}
}

func TestStepsAndReasons(t *testing.T) {
	t.Parallel()
	var numbers []int
	for _, s := range schemas.Steps() {
		numbers = append(numbers, s.Number())
	}
	if want := []int{1, 2, 3, 4, 5, 6, 6}; !slices.Equal(numbers, want) {
		t.Errorf("got step numbers %v, want %v", numbers, want)
	}
	if got := schemas.Step("other").Number(); got != 0 {
		t.Errorf("got number %d for an unknown step, want 0", got)
	}
	var final []schemas.Reason
	for _, r := range schemas.Reasons() {
		if !r.Retryable() {
			final = append(final, r)
		}
	}
	want := []schemas.Reason{
		"invalid_request", "bank_unsupported", "no_matching_accounts", "already_connected", "connection_deleted",
		"user_action_required", "provider_misconfigured",
	}
	if !slices.Equal(final, want) {
		t.Errorf("got %v not retryable, want %v", final, want)
	}
}
