package player_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/simulator/player"
)

// forms serves pages one after the other, whatever is asked, and notes the posts.
type forms struct {
	pages []string
	posts []string
}

func (f *forms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.posts = append(f.posts, r.URL.Path+"?"+r.PostForm.Encode())
		f.pages = f.pages[1:]
		http.Redirect(w, r, "/wf/secret", http.StatusSeeOther)
		return
	}
	if _, err := w.Write([]byte(f.pages[0])); err != nil {
		return
	}
}

const (
	bankPage     = `<body data-page="bank"><button name="bank" value="7">A</button><button name="bank" value="8">B</button>`
	loginPage    = `<body data-page="login"><input name="login"><input name="password">`
	tanPage      = `<body data-page="tan"><input name="tan">`
	accountsPage = `<body data-page="accounts"><input type=checkbox name="account" value="0"><input type=checkbox name="account" value="1">`
)

func TestPlayer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		play  func(context.Context, string) error
		pages []string
		posts string
		want  string // in the error
	}{
		"plays to the end": {
			player.Play, []string{bankPage, loginPage, tanPage, accountsPage, `<body data-page="done">`},
			"/wf/secret/bank?bank=7 /wf/secret/login?login=demo&password=demo /wf/secret/tan?tan=123456 /wf/secret/accounts?account=0&account=1", "",
		},
		"cancels":              {player.Cancel, []string{loginPage, `<body data-page="aborted">`}, "/wf/secret/cancel?", ""},
		"the form has expired": {player.Play, []string{`<body data-page="expired">`}, "", `shows page "expired", want "done"`},
		"it is refused":        {player.Play, []string{loginPage, `<body data-page="login-refused"><input name="login">`}, "/wf/secret/login?login=demo&password=demo", `"login-refused"`},
		"no form at all":       {player.Play, []string{`Bad gateway`}, "", "no page of a form"},
		"never an end":         {player.Play, []string{tanPage, tanPage, tanPage, tanPage, tanPage, tanPage, tanPage, tanPage, tanPage, tanPage}, strings.TrimSpace(strings.Repeat(" /wf/secret/tan?tan=123456", 8)), `"tan"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &forms{pages: tc.pages}
			s := httptest.NewServer(f)
			defer s.Close()
			err := tc.play(t.Context(), s.URL+"/wf/secret?redirectUrl=x")
			switch {
			case tc.want == "" && err != nil:
				t.Fatal(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want an error with %q", err, tc.want)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the form's address is in the error: %v", err)
			}
			if got := strings.Join(f.posts, " "); got != tc.posts {
				t.Errorf("posted %s\nwant   %s", got, tc.posts)
			}
		})
	}
}

func TestPlayer_SaysNothingOfTheAddress(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	for _, address := range []string{s.URL + "/wf/secret", "secret", "http://127.0.0.1:0/\x7fsecret"} {
		if err := player.Play(t.Context(), address); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want an error without the address", err)
		}
	}
}
