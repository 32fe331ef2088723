package finapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	// form's URL may be. Default: the host of WebFormURL alone.
	FormHosts []string

	MaxConcurrent  int           // calls at the same time at most; default 256
	RequestTimeout time.Duration // for one exchange, from dialling to the last byte; default 30 s
	MaxUsers       int           // users whose tokens are remembered; default 20,000

	Transport http.RoundTripper     // default: a transport of our own with bounded dialling and headers
	Logger    *slog.Logger          // default: none
	Metrics   prometheus.Registerer // default: none
}
