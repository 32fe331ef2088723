package schemas_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := `{"import_id":"i","run":1,"user_id":"u","bank_connection_id":1,"categorized":true,"started_at":"2026-11-22T09:15:02.412Z",` +
		`"accounts":[{"account_key":"k","provider_account_id":1,"account_type":"loan","loaded":true}]}`
	if _, err := schemas.Decode[schemas.AccountsFetched]([]byte(good)); err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct{ name, body, want string }{
		{"no value", "", "accounts-fetched: the record has no value"},
		{"not JSON", "<html>", "not JSON: syntax error at byte 0"},
		{"not an object", "[]", "not a JSON object"},
		{"cut off", good[:50], "not JSON: it ends too early"},
		{"two objects", good + good, "something follows the JSON object"},
		{"byte order mark", "\xef\xbb\xbf" + good, "byte order mark"},
		{"invalid UTF-8", swap(`"u"`, "\"\xff\""), "not valid UTF-8"},
		{"field twice", swap(`"run":1`, `"run":1,"run":2`), "a field is there twice"},
		{"field of an element twice", swap(`"loaded":true`, `"loaded":true,"loaded":false`), "a field is there twice"},
		{"number as text", swap(`"run":1`, `"run":"`+canary+`"`), "run: has the wrong type or is out of range"},
		{"number too large", swap(`"run":1`, `"run":99999999999999999999`), "run: has the wrong type or is out of range"},
		{"fraction", swap(`"run":1`, `"run":1.5`), "run: has the wrong type or is out of range"},
		{"no instant", swap(`2026-11-22T09:15:02.412Z`, canary), "started_at: has the wrong type or is out of range"},
		{"type in an element", swap(`"provider_account_id":1`, `"provider_account_id":"`+canary+`"`), "accounts/0/provider_account_id: has the wrong type"},
		{"nothing", "{}", "import_id: is missing; run: is missing; user_id: is missing"},
		{"required null", swap(`"u"`, "null"), "user_id: is missing"},
		{"missing in an element", swap(`"loaded":true`, `"x":1`), "accounts/0/loaded: is missing"},
		{"element null", swap(`[{`, `[null,{`), "accounts/0/account_key: is missing"},
		{"only by case", swap(`"run"`, `"Run"`), "run: is missing"},
		{"depth", `{"import_id":"i","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "not JSON: syntax error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			event, err := schemas.Decode[schemas.AccountsFetched]([]byte(c.body))
			if _, ok := errors.AsType[*schemas.InvalidError](err); !ok {
				t.Fatalf("got error %v, want an *InvalidError", err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %q, want it to say %q and nothing of the value", err, c.want)
			}
			if event.ImportID != "" || event.Accounts != nil {
				t.Errorf("got %+v with an error, want nothing", event)
			}
		})
	}
}

// TestDecodeReadIsWhole: the fields about a read are there together.
func TestDecodeReadIsWhole(t *testing.T) {
	t.Parallel()
	for _, x := range schemas.Examples() {
		if x.Name != "import-completed" {
			continue
		}
		event, err := schemas.Decode[schemas.ImportCompleted](x.Value)
		if err != nil {
			t.Fatal(err)
		}
		if event.Accounts[0].AccountRead == nil || event.Accounts[2].AccountRead != nil {
			t.Errorf("got reads %v, want one for the first account and none for the third", event.Accounts)
		}
		broken := strings.Replace(string(x.Value), `"reported_count": 806,`, "", 1)
		if _, err := schemas.Decode[schemas.ImportCompleted]([]byte(broken)); err == nil ||
			err.Error() != "import-completed: accounts/0/reported_count: is missing" {
			t.Errorf("got error %v, want that accounts/0/reported_count is missing", err)
		}
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 3600)
	for _, c := range []struct {
		in   time.Time
		want string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05.000Z"},
		{time.Date(2026, 1, 2, 0, 4, 5, 678_999_999, berlin), "2026-01-01T23:04:05.678Z"},
		{time.Time{}, ""},
	} {
		if got := schemas.At(c.in).String(); got != c.want {
			t.Errorf("%v: got %s, want %s", c.in, got, c.want)
		}
	}
	if now := schemas.At(time.Now()); now != schemas.At(now.Time) {
		t.Errorf("got %v another time, want instants that can be compared with ==", schemas.At(now.Time))
	}
	for text, want := range map[string]string{
		"2026-01-02T03:04:05Z":           "2026-01-02T03:04:05.000Z",
		"2026-01-02T03:04:05.6789+01:00": "2026-01-02T02:04:05.678Z",
		"2026-01-02T03:04:05":            "",
		"2026-01-02":                     "",
		"2026-02-30T00:00:00Z":           "",
		"2026-01-02T3:04:05Z":            "",
		"2026-01-02T03:04:05,5Z":         "",
		"2026-01-02T03:04:05.Z":          "",
		"2026-01-02T03:04:05+24:00":      "",
		"2026-01-02T03:04:05+23:59":      "2026-01-01T03:05:05.000Z",
		"2026-01-02T03:04:60Z":           "",
		"0001-01-01T00:00:00Z":           "",
		"0001-01-01T00:00:00+01:00":      "",
		"9999-12-31T23:59:59-01:00":      "",
		"2026-01-02t03:04:05z":           "",
		canary:                           "",
	} {
		var i schemas.Instant
		err := i.UnmarshalText([]byte(text))
		if (err != nil) != (want == "") || err == nil && i.String() != want {
			t.Errorf("%q: got %s and %v, want %q", text, i, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error quotes the text: %v", err)
		}
	}
}
