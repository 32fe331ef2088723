package bridge

import (
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/callback"
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

// Whatever the body, what is kept is short and has no surprises in it.
func FuzzHint_Read(f *testing.F) {
	f.Add([]byte(`{"webFormId":"` + formID + `","status":"COMPLETED"}`))
	f.Add([]byte(`{"status":1e400}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := newHint(callback.Token{ImportID: importID, Run: 1})
		h.read(body)
		plain := func(s string) bool {
			return !strings.ContainsFunc(s, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
			})
		}
		if !plain(h.formID) || !plain(h.status) || len(h.formID) > 36 || len(h.status) > 32 || h.importID != importID || h.run != 1 {
			t.Errorf("got %+v from %q", h, body)
		}
	})
}
