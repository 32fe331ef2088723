package devpage

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/bankimport/bankimport/schemas"
)

// publisher is somebody who publishes requests, or fails to.
type publisher struct {
	err error
	got []schemas.ImportRequested
}

func (f *publisher) page() *Page {
	return newPage(func(c *Config) {
		c.Publish = func(_ context.Context, e schemas.Event) error {
			f.got = append(f.got, e.(schemas.ImportRequested))
			return f.err
		}
	})
}

func post(t *testing.T, p *Page, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/imports", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return send(p, r)
}

// formOf returns what the start form is filled with, and its problems.
func formOf(t *testing.T, body string) (user, bank string, problems []string) {
	t.Helper()
	page := parse(t, body)
	for _, o := range page.byTag("option") {
		for _, a := range o.Attr {
			if a.Key == "selected" {
				bank = page.text(o)
			}
		}
	}
	for _, list := range page.byClass("problems") {
		for li := range list.Descendants() {
			if li.Type == html.ElementNode && li.Data == "li" {
				problems = append(problems, page.text(li))
			}
		}
	}
	return attr(page.byID("user"), "value"), bank, problems
}

func TestStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		form string
		want schemas.ImportRequested
	}{
		"a bank":                  {"user=u1&bank=280001", schemas.ImportRequested{UserID: "u1", BankID: 280001}},
		"the user picks the bank": {"user=u1&bank=", schemas.ImportRequested{UserID: "u1"}},
		"spaces around":           {"user=+u+1+&bank=+280002+", schemas.ImportRequested{UserID: "u 1", BankID: 280002}},
		"a bank that is not listed, and other fields": {"user=u1&bank=7&bank_connection_id=3", schemas.ImportRequested{UserID: "u1", BankID: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pub publisher
			p := pub.page()
			w := post(t, p, tc.form)
			if len(pub.got) != 1 || w.Code != http.StatusSeeOther {
				t.Fatalf("got status %d and %d requests, want 303 and 1", w.Code, len(pub.got))
			}
			got := pub.got[0]
			if !validID(got.ImportID) {
				t.Errorf("got import id %q", got.ImportID)
			}
			if want := "/imports/" + got.ImportID; w.Header().Get("Location") != want {
				t.Errorf("got location %q, want %q", w.Header().Get("Location"), want)
			}
			tc.want.ImportID, tc.want.RequestedAt = got.ImportID, schemas.At(noon)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			next := get(t, p, w.Header().Get("Location"))
			if next.Code != http.StatusOK {
				t.Errorf("its page, before any record came back: got %d", next.Code)
			}
			parse(t, next.Body.String()).wants([]string{"for " + tc.want.UserID, "The request has arrived"}, nil)
		})
	}
}

func TestStart_Refuses(t *testing.T) {
	t.Parallel()
	const badBank = "bank: must be the id of a bank, a number from 1 on"
	for name, tc := range map[string]struct {
		user, bank string
		problems   []string
		keptBank   string
	}{
		"no user":                      {"", "280002", []string{"user: is missing"}, "Sparkasse Musterstadt"},
		"only spaces":                  {"  ", "280002", []string{"user: is missing"}, "Sparkasse Musterstadt"},
		"a user too long":              {strings.Repeat("x", 129), "", []string{"user: must be 1 to 128 printable characters"}, "the user chooses in the form"},
		"a user that no one can print": {"u\x001", "280001", []string{"user: must be 1 to 128 printable characters"}, "finAPI Test Bank"},
		"a bank by name":               {"u1", "Sparkasse", []string{badBank}, ""},
		"bank zero":                    {"u1", "0", []string{badBank}, ""},
		"a bank below zero":            {"u1", "-5", []string{badBank}, ""},
		"a bank beyond int64":          {"u1", "99999999999999999999", []string{badBank}, ""},
		"everything":                   {"", "x", []string{badBank, "user: is missing"}, ""},
		"an unlisted bank":             {"", "7", []string{"user: is missing"}, "Bank 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pub publisher
			p := pub.page()
			w := post(t, p, url.Values{"user": {tc.user}, "bank": {tc.bank}}.Encode())
			if w.Code != http.StatusUnprocessableEntity || len(pub.got) != 0 || len(p.store.imports) != 0 {
				t.Errorf("got status %d, %d requests, %d imports; want 422 and nothing started", w.Code, len(pub.got), len(p.store.imports))
			}
			user, bank, problems := formOf(t, w.Body.String())
			if diff := cmp.Diff(tc.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if want := strings.ReplaceAll(strings.TrimSpace(tc.user), "\x00", "�"); user != want || bank != tc.keptBank {
				t.Errorf("the form holds user %q, bank %q; want %q, %q", user, bank, want, tc.keptBank)
			}
		})
	}
}

func TestStart_PublishFails(t *testing.T) {
	t.Parallel()
	pub := publisher{err: errors.New("no leader for secret-partition")}
	p := pub.page()
	w := post(t, p, "user=u7&bank=280002")
	if w.Code != http.StatusServiceUnavailable || len(p.store.imports) != 0 {
		t.Errorf("got status %d and %d imports, want 503 and none", w.Code, len(p.store.imports))
	}
	user, bank, problems := formOf(t, w.Body.String())
	if user != "u7" || bank != "Sparkasse Musterstadt" {
		t.Errorf("the form holds user %q, bank %q; want what was sent", user, bank)
	}
	if len(problems) != 1 || !strings.Contains(problems[0], "nothing was started") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got problems %q, want one that says what happened and nothing of the error", problems)
	}
}

func TestStart_TooLarge(t *testing.T) {
	t.Parallel()
	var pub publisher
	if w := post(t, pub.page(), "user="+strings.Repeat("x", maxForm)); w.Code != http.StatusBadRequest || len(pub.got) != 0 {
		t.Errorf("got status %d and %d requests, want 400 and none", w.Code, len(pub.got))
	}
	if w := post(t, pub.page(), "user=%zz"); w.Code != http.StatusBadRequest || len(pub.got) != 0 {
		t.Errorf("what cannot be read: got status %d and %d requests, want 400 and none", w.Code, len(pub.got))
	}
}

func TestFreshForm(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{
		"/":                      {"u1", "finAPI Test Bank"},
		"/?bank=280002":          {"u1", "finAPI Test Bank"},
		"/?user=u3&bank=280002":  {"u3", "Sparkasse Musterstadt"},
		"/?user=u3":              {"u3", "the user chooses in the form"},
		"/?user=u3&bank=7":       {"u3", "Bank 7"},
		"/?user=u3&bank=%3Cb%3E": {"u3", ""},
		"/?user=%22%3E%3Cb%3E":   {`"><b>`, "the user chooses in the form"},
	} {
		user, bank, problems := formOf(t, get(t, newPage(), path).Body.String())
		if user != want[0] || bank != want[1] || problems != nil {
			t.Errorf("%s: got user %q, bank %q, problems %q; want %q", path, user, bank, problems, want)
		}
	}
	none := newPage(func(c *Config) { c.Banks = nil })
	if _, bank, _ := formOf(t, get(t, none, "/").Body.String()); bank != "the user chooses in the form" {
		t.Errorf("without banks: got %q", bank)
	}
}
