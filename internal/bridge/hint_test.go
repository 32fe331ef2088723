package bridge

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/schemas"
)

const formID = "0e6c2d1a-9f4b-4d0e-8a57-3c1b2d4e5f60"

func TestHint_Read(t *testing.T) {
	t.Parallel()
	both := `{"webFormId":"` + formID + `","status":"COMPLETED"}`
	for _, c := range []struct{ name, body, form, status string }{
		{"as the provider sends it", both, formID, "COMPLETED"},
		{"every status is a word", `{"webFormId":"` + formID + `","status":"COMPLETED_WITH_ERROR"}`, formID, "COMPLETED_WITH_ERROR"},
		{"more fields", `{"payload":{"bankConnectionId":1,"errorCode":"X"},"webFormId":"` + formID + `","status":"ABORTED","x":[1]}`, formID, "ABORTED"},
		{"white space around", "\r\n " + both + " \n", formID, "COMPLETED"},
		{"the last of two", `{"status":"A","status":"B"}`, "", "B"},
		{"B11 empty", "", "", ""},
		{"B12 null", "null", "", ""},
		{"B12 list", "[]", "", ""},
		{"B12 text", `"x"`, "", ""},
		{"B12 empty object", "{}", "", ""},
		{"B12 nulls", `{"webFormId":null,"status":null}`, "", ""},
		{"B13 not JSON", "webFormId=" + formID + "&status=COMPLETED", "", ""},
		{"B13 HTML", "<html>" + formID + "</html>", "", ""},
		{"B13 XML bomb", `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>`, "", ""},
		{"B14 UTF-16", "\xff\xfe{\x00}\x00", "", ""},
		{"B14 byte order mark", "\xef\xbb\xbf" + both, "", ""},
		{"B15 gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "", ""},
		{"two documents", both + both, "", ""},
		{"cut", both[:len(both)-1], "", ""},
		{"deep", strings.Repeat(`{"a":`, 800) + "1" + strings.Repeat("}", 800), "", ""},
		{"deeper than JSON goes", strings.Repeat("[", 4000), "", ""},
		{"B26 unknown status", `{"status":"ERROR"}`, "", "ERROR"},
		{"B26 number", `{"webFormId":"` + formID + `","status":7}`, formID, ""},
		{"B26 long", `{"status":"` + strings.Repeat("A", 3000) + `"}`, "", ""},
		{"B26 empty", `{"status":""}`, "", ""},
		{"B26 sentence", `{"status":"all is well"}`, "", ""},
		{"B27 form with SQL", `{"webFormId":"' OR 1=1 --                         ","status":"ABORTED"}`, "", "ABORTED"},
		{"B27 form with line breaks", `{"webFormId":"0e6c2d1a-9f4b-4d0e-8a57-3c1b2d4e5\r\n0","status":"A\r\nB"}`, "", ""},
		{"B27 form with escapes", `{"webFormId":"\u001b[31m-9f4b-4d0e-8a57-3c1b2d4e5f601","status":"\u001b[31m"}`, "", ""},
		{"B27 form too long", `{"webFormId":"` + formID + `0"}`, "", ""},
		{"B27 form in braces", `{"webFormId":"{` + formID[1:35] + `}"}`, "", ""},
		{"B27 form as an object", `{"webFormId":{"id":"` + formID + `"}}`, "", ""},
		{"other letters in the names", `{"WEBFORMID":"` + formID + `","Status":"ABORTED"}`, "", ""},
	} {
		h := newHint(callback.Token{ImportID: importID, Run: 2})
		h.read([]byte(c.body))
		if want := (hint{importID: importID, run: 2, formID: c.form, status: c.status}); h != want {
			t.Errorf("%s: got %+v, want %+v", c.name, h, want)
		}
	}
}

// Whatever the body, what is kept is a form id and a status word as the body has
// them, or nothing, and what is published says just that.
func FuzzHint_Read(f *testing.F) {
	for _, seed := range []string{
		goodBody, "", "null", "[]", "\xff", `{"status":1e400}`, `{"status":"ABORTED"}`, `{"status":"` + fuzzCanary + `"}`, `{"webFormId":"` + fuzzCanary + `"}`,
		`{"webFormId":"urn:uuid:` + formID + `"}`, `{"webFormId":"` + strings.ToUpper(formID) + `","status":"a_B"}`, `{"webFormId":"` + strings.ReplaceAll(formID, "-", "") + `"}`,
		`{"webFormId":"` + formID + `","status":"\u0041","x":{"status":"` + fuzzCanary + `"}}`, `{"status":"A","status":"B"}`, goodBody + goodBody,
	} {
		f.Add([]byte(seed))
	}
	form, status := regexp.MustCompile(`^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?$`), regexp.MustCompile(`^[A-Za-z_]{0,32}$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		h := newHint(callback.Token{ImportID: importID, Run: 1})
		h.read(body)
		if !form.MatchString(h.formID) || !status.MatchString(h.status) || h.importID != importID || h.run != 1 {
			t.Errorf("got %+v from %q", h, body)
		}
		var said map[string]any
		if json.Unmarshal(body, &said) != nil {
			said = nil
		}
		if h.formID != "" && h.formID != said["webFormId"] || h.status != "" && h.status != said["status"] {
			t.Errorf("got %+v, which is not in %q", h, body)
		}
		checkMessage(t, h, body)
	})
}

// checkMessage wants the hint in the record, and nothing else of the body.
func checkMessage(t *testing.T, h hint, body []byte) {
	t.Helper()
	m, err := h.message(origin)
	if err != nil {
		t.Fatalf("a hint that was read cannot be written: %v", err)
	}
	got, err := schemas.Decode[schemas.WebformCompleted](m.Value)
	want := schemas.WebformCompleted{
		ImportID: importID, Run: h.run, FormID: h.formID, EndedBy: schemas.EndedByCallback, ToldStatus: h.status, ObservedAt: schemas.At(origin),
	}
	if err != nil || got != want || string(m.Key) != importID {
		t.Errorf("got %+v, %v of %q, want %+v", got, err, body, want)
	}
	empty, err := newHint(callback.Token{ImportID: importID, Run: h.run}).message(origin)
	if err != nil || len(m.Value) > len(empty.Value)+128 || len(m.Headers) != len(empty.Headers) {
		t.Errorf("got a record of %d bytes and %d headers from %q", len(m.Value), len(m.Headers), body)
	}
}
