package finapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultMaxConcurrent  = 256
	defaultRequestTimeout = 30 * time.Second
	defaultMaxUsers       = 20_000
	minUserKey            = 32
)

// Config of a [Client]. Zero values mean the default that stands beside them.
type Config struct {
	AccessURL    string // required: base of the Access API, e.g. https://sandbox.finapi.io
	WebFormURL   string // required: base of the Web Form API, e.g. https://webform-sandbox.finapi.io
	ClientID     string // required
	ClientSecret Secret // required

	// UserKey is the master key from which the passwords of all provider users
	// are derived, at least 32 characters, required. It can never change: with
	// another key no existing user can log in.
	UserKey Secret

	// RedirectURL is where the bank sends the user back. Clients with a
	// licence must set it, all others must not. Default: none.
	RedirectURL string

	// FormHosts are further hosts, with port where it is not 443, on which a
	// form's URL may be. Default: the host of WebFormURL alone, and all of
	// finapi.io where that is there.
	FormHosts []string

	MaxConcurrent  int           // calls at the same time at most; default 256
	RequestTimeout time.Duration // for one exchange, from dialling to the last byte; default 30 s
	MaxUsers       int           // users whose tokens are remembered; default 20,000

	// Patience is how long calls may do nothing but fail until the provider is
	// asked whether it is there at all. It must be well below the time for
	// which the caller repeats a call. Default 30 s.
	Patience time.Duration

	Transport http.RoundTripper     // default: a transport of our own with bounded dialling and headers
	Logger    *slog.Logger          // default: none
	Metrics   prometheus.Registerer // default: none
}

// Validate reports everything that is wrong, naming the setting.
func (c Config) Validate() error {
	var problems []error
	complain := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format, args...))
	}
	if _, err := parseBase(c.AccessURL); err != nil {
		complain("access URL (BANKIMPORT_FINAPI_ACCESS_URL): %w", err)
	}
	if _, err := parseBase(c.WebFormURL); err != nil {
		complain("web form URL (BANKIMPORT_FINAPI_WEBFORM_URL): %w", err)
	}
	if c.ClientID == "" {
		complain("client id (BANKIMPORT_FINAPI_CLIENT_ID): missing")
	}
	if c.ClientSecret == "" {
		complain("client secret (BANKIMPORT_FINAPI_CLIENT_SECRET): missing")
	}
	switch n := len(c.UserKey); {
	case n == 0:
		complain("user key (BANKIMPORT_USER_KEY): missing")
	case n < minUserKey:
		complain("user key (BANKIMPORT_USER_KEY): %d characters, at least %d are needed", n, minUserKey)
	}
	if c.RedirectURL != "" {
		if u, err := url.Parse(c.RedirectURL); err != nil || u.Scheme != "https" || !strings.Contains(u.Hostname(), ".") || len(c.RedirectURL) > maxURLLength {
			complain("redirect URL (BANKIMPORT_FINAPI_REDIRECT_URL): want https:// and a host with a dot, at most %d characters", maxURLLength)
		}
	}
	if c.MaxConcurrent < 0 {
		complain("max concurrent calls: %d is negative", c.MaxConcurrent)
	}
	if c.RequestTimeout < 0 {
		complain("request timeout: %s is negative", c.RequestTimeout)
	}
	if c.Patience < 0 {
		complain("patience: %s is negative", c.Patience)
	}
	if c.MaxUsers < 0 {
		complain("max users: %d is negative", c.MaxUsers)
	}
	return errors.Join(problems...)
}

func (c Config) withDefaults() Config {
	if c.MaxConcurrent == 0 {
		c.MaxConcurrent = defaultMaxConcurrent
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = defaultRequestTimeout
	}
	if c.MaxUsers == 0 {
		c.MaxUsers = defaultMaxUsers
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// parseBase reads the base URL of an API. Plain http would show tokens to the
// network, so it is for this machine only.
func parseBase(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("missing")
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return nil, errors.New("not an absolute URL such as https://sandbox.finapi.io")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("must have no user, query or fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return nil, errors.New("must begin with https:// (http:// only for a loopback address)")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
