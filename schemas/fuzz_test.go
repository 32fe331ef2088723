package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bankimport/bankimport/schemas"
)

// FuzzImportRequested compares the decoder with the published schema: what Go
// takes the schema takes, and the other way round as far as a schema can say
// it (repeated names, the length, how a number is written and the first and last
// years are beyond it).
func FuzzImportRequested(f *testing.F) {
	for _, x := range schemas.Examples() {
		if x.Type == schemas.TypeImportRequested {
			f.Add(x.Value)
		}
	}
	for _, seed := range []string{
		"", "{}", "null", "[]", "\xef\xbb\xbf{}", `{"import_id":null}`,
		request(`,"bank_id":0`), request(`,"bank_id":1e2`), request(`,"max_days":14`), request(`,"max_days":13.0`),
		request(`,"account_types":[]`), request(`,"account_type":["loan"]`), request(`,"user_id":"x"`), request(`,"User_ID":"x"`),
		request(`,"connection_name":"\ud83d\ude00"`), request(`,"connection_name":"\ud83d"`), request(`,"bank_search":"\u0000"`),
		request(`,"requested_at":"2026-06-30T23:59:60Z"`), request(`,"requested_at":"2026-01-01T00:00:00+24:00"`),
		request(`,"profile_id":"0c9d2d8e-6f3b-4f1f-9d51-3a1c6a8e2b40"`), request("") + " ", request("") + "{}",
	} {
		f.Add([]byte(seed))
	}
	v := validator(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := schemas.DecodeImportRequested(b)
		if err == nil {
			err = r.Validate()
		}
		checkErrorText(t, err)
		if importID, _ := schemas.RequestIdentity(b); err == nil && importID != r.ImportID {
			t.Errorf("got identity %q, want %q", importID, r.ImportID)
		}
		schemaErr := v.Validate(schemas.TypeImportRequested, b)
		if err == nil && schemaErr != nil {
			t.Errorf("Go takes what the schema refuses: %v", schemaErr)
		}
		if err != nil && schemaErr == nil && sayableBySchema(b) {
			t.Errorf("the schema takes what Go refuses: %v", err)
		}
		if err == nil {
			checkRoundTrip(t, r)
		}
	})
}

func checkRoundTrip(t *testing.T, r schemas.ImportRequested) {
	t.Helper()
	value, _, err := schemas.Encode(r, schemas.Meta{Source: "test", Time: time.Unix(0, 0)})
	if err != nil {
		t.Fatalf("a request that was read cannot be written: %v", err)
	}
	again, err := schemas.DecodeImportRequested(value)
	if err != nil {
		t.Fatalf("a request that was written cannot be read: %v", err)
	}
	if again.ID() != r.ID() || again.Hash() != r.Hash() {
		t.Errorf("got id %s and hash %s after writing and reading, want %s and %s", again.ID(), again.Hash(), r.ID(), r.Hash())
	}
}

// sayableBySchema tells whether b keeps the rules that a schema cannot express.
func sayableBySchema(b []byte) bool {
	if len(b) > schemas.MaxImportRequestedBytes || !utf8.Valid(b) || bytes.Contains(b, []byte(`\ud`)) || bytes.Contains(b, []byte(`\uD`)) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o object
	if d.Decode(&o) != nil || d.More() {
		return false
	}
	for _, v := range o {
		if at, ok := v.(string); ok && (strings.HasPrefix(at, "000") || strings.HasPrefix(at, "9999-12-31")) {
			return false
		}
		if n, ok := v.(json.Number); ok && strings.ContainsAny(n.String(), ".eE") || ok && n == "-0" {
			return false
		}
	}
	again, err := json.Marshal(o)
	return err == nil && bytes.Count(again, []byte(`":`)) == bytes.Count(b, []byte(`":`)) // no name is there twice
}

// FuzzDecode feeds the decoders of all events: they never panic, never quote,
// and what they take is the same once it was written.
func FuzzDecode(f *testing.F) {
	for _, x := range schemas.Examples() {
		f.Add(x.Type, x.Value)
		f.Add(x.Type, x.Value[:len(x.Value)/2])
		f.Add(x.Type, bytes.Replace(x.Value, []byte("{"), []byte(`{"new":[null,{}],`), 1))
		f.Add(x.Type, bytes.ReplaceAll(x.Value, []byte(`"run": 1`), []byte(`"run": 1e400`)))
		f.Add(x.Type, bytes.ReplaceAll(x.Value, []byte(`[`), []byte(`[null,`)))
	}
	f.Fuzz(func(t *testing.T, eventType string, b []byte) {
		event, err := decode(eventType, b)
		if err != nil {
			if _, ok := errors.AsType[*schemas.InvalidError](err); ok {
				checkErrorText(t, err)
			}
			return
		}
		if event.ID() == "" {
			t.Error("got no id")
		}
		value, _, err := schemas.Encode(event, schemas.Meta{Source: "test", Time: time.Unix(0, 0)})
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := decode(eventType, value)
		if err != nil || again.ID() != event.ID() || again.Topic() != event.Topic() || again.Key() != event.Key() {
			t.Fatalf("written as %s it is %+v, %v; want %+v", value, again, err, event)
		}
		if twice, _, err := schemas.Encode(again, schemas.Meta{Source: "test", Time: time.Unix(0, 0)}); err != nil || !bytes.Equal(twice, value) {
			t.Errorf("written twice it is %s, %v; want %s", twice, err, value)
		}
	})
}

// checkErrorText wants a text that fits into a log line and a header.
func checkErrorText(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if len(err.Error()) > 4096 {
		t.Errorf("got an error of %d bytes", len(err.Error()))
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		t.Errorf("got an error with other than printable ASCII characters: %q", err.Error())
	}
}
