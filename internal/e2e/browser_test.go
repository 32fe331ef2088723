package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/player"
)

// browser is one with a web form, for whoever does not fill it in straight away
// as the player does.
type browser struct {
	ctx    context.Context
	client *http.Client
	form   string
}

func newBrowser(ctx context.Context, form string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	return &browser{ctx, &http.Client{Jar: jar, Timeout: 30 * time.Second}, form}, err
}

// open is the first visit, which makes the form this browser's.
func (b *browser) open() error { return b.do(http.MethodGet, "", nil) }

// fillIn answers all that the form asks of a bank with two accounts.
func (b *browser) fillIn() error {
	return errors.Join(
		b.do(http.MethodPost, "/login", url.Values{"login": {"demo"}, "password": {"demo"}}),
		b.do(http.MethodPost, "/tan", url.Values{"tan": {"123456"}}),
		b.do(http.MethodPost, "/accounts", url.Values{"account": {"0", "1"}}),
	)
}

func (b *browser) do(method, path string, fields url.Values) error {
	r, err := http.NewRequestWithContext(b.ctx, method, b.form+path, strings.NewReader(fields.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := b.client.Do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// follow opens the form, has somebody else try it too, and fills it in.
func follow(ctx context.Context, form string) error {
	b, err := newBrowser(ctx, form)
	if err != nil {
		return err
	}
	if err := b.open(); err != nil {
		return err
	}
	if err := player.Play(ctx, form); err == nil {
		return errors.New("a second browser got through")
	}
	return b.fillIn()
}

// precede has somebody else open the form, who looks at it and goes.
func precede(ctx context.Context, form string) error {
	b, err := newBrowser(ctx, form)
	if err != nil {
		return err
	}
	return errors.Join(b.open(), player.Play(ctx, form))
}

// linger opens the form and fills it in when another form of its user has
// expired and the provider has called back about it.
func (w *world) linger(ctx context.Context, form string) error {
	b, err := newBrowser(ctx, form)
	if err != nil {
		return err
	}
	if err := b.open(); err != nil {
		return err
	}
	for !w.otherExpired(form) {
		if !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("no other form of the user expired: %w", context.Cause(ctx))
		}
	}
	return b.fillIn()
}

// otherExpired reports whether another form of the user of this one has expired
// and the bridge knows.
func (w *world) otherExpired(form string) bool {
	forms := w.sim.Journal().Forms
	user := ""
	for _, f := range forms {
		if strings.HasSuffix(form, "/"+f.ID) {
			user = f.User
		}
	}
	for _, f := range forms {
		if f.User == user && !strings.HasSuffix(form, "/"+f.ID) && f.Status == "EXPIRED" && len(f.Callbacks) == 1 && f.Callbacks[0].Outcome == "200" {
			return true
		}
	}
	return false
}
