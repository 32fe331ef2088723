// Package player plays the person who fills in a web form of the simulator, by
// the same pages and posts as a browser. It is for bankimport dev --auto and for
// tests, not for the real provider.
package player

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

const (
	login    = "demo" // and the password
	tan      = "123456"
	maxPage  = 1 << 20
	maxSteps = 8 // more questions than any form has
	timeout  = 30 * time.Second
)

// Play connects the bank with all its accounts: it answers what the form asks
// until the form says that it is done. Any other end is an error. formURL is a
// secret, so it is in no error.
func Play(ctx context.Context, formURL string) error {
	p, err := newPerson(ctx, formURL)
	if err != nil {
		return err
	}
	return p.play(p.answer, "done")
}

// Cancel opens the form and cancels it.
func Cancel(ctx context.Context, formURL string) error {
	p, err := newPerson(ctx, formURL)
	if err != nil {
		return err
	}
	cancel := func(page) (string, url.Values, bool) { return "cancel", nil, true }
	return p.play(cancel, "aborted")
}

// answer is what a person does on a page: where the answer goes and what it is.
// It is false on a page that asks nothing.
func (p *person) answer(at page) (to string, fields url.Values, asked bool) {
	switch at.name {
	case "bank":
		return "bank", url.Values{"bank": at.values("bank")[:min(1, len(at.values("bank")))]}, true
	case "login":
		return "login", url.Values{"login": {login}, "password": {login}}, true
	case "tan":
		return "tan", url.Values{"tan": {tan}}, true
	case "accounts":
		return "accounts", url.Values{"account": at.values("account")}, true
	default:
		return "", nil, false
	}
}

// person is a browser with one form.
type person struct {
	ctx    context.Context
	client *http.Client
	form   string
}

func newPerson(ctx context.Context, formURL string) (*person, error) {
	u, err := url.Parse(formURL)
	if err != nil || u.Host == "" {
		return nil, errors.New("the address of the form is not a URL")
	}
	u.RawQuery, u.Fragment = "", ""
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &person{ctx: ctx, client: &http.Client{Jar: jar, Timeout: timeout}, form: strings.TrimSuffix(u.String(), "/")}, nil
}

// play goes from page to page until one asks nothing, which must be want.
func (p *person) play(answer func(page) (string, url.Values, bool), want string) error {
	at, err := p.get()
	for range maxSteps {
		if err != nil {
			return err
		}
		if at.name == want {
			return nil
		}
		if at.final() {
			break
		}
		to, fields, asked := answer(at)
		if !asked {
			break
		}
		at, err = p.post(to, fields)
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the form shows page %q, want %q", at.name, want)
}

func (p *person) get() (page, error) {
	r, err := http.NewRequestWithContext(p.ctx, http.MethodGet, p.form, nil)
	if err != nil {
		return page{}, plain(err)
	}
	return p.do(r)
}

func (p *person) post(to string, fields url.Values) (page, error) {
	r, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.form+"/"+to, strings.NewReader(fields.Encode()))
	if err != nil {
		return page{}, plain(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(r)
}

func (p *person) do(r *http.Request) (page, error) {
	resp, err := p.client.Do(r)
	if err != nil {
		return page{}, plain(err)
	}
	defer resp.Body.Close()
	at, err := readPage(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return page{}, err
	}
	if at.name == "" {
		return page{}, fmt.Errorf("status %d, and no page of a form", resp.StatusCode)
	}
	return at, nil
}

// plain takes the URL out of an error.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
