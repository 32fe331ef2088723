package simulator

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// Bank is a bank that users can connect; see [bankdata.Bank].
type Bank = bankdata.Bank

// ParseBank reads a bank from a command line; see [bankdata.ParseBank].
func ParseBank(s string) (Bank, error) { return bankdata.ParseBank(s) }

// License is what the provider's client may do without the provider. It decides
// whether a form request must or must not name a redirectUrl.
type License string

// The licences that the provider knows.
const (
	Unlicensed    License = "UNLICENSED"
	AISP          License = "AISP"
	PISP          License = "PISP"
	FullyLicensed License = "FULLY_LICENSED"
)

// CallbackMode is short for a fault of all callbacks.
type CallbackMode string

// The modes of callbacks.
const (
	DeliverCallbacks CallbackMode = "deliver" // once each, as the provider does
	DropCallbacks    CallbackMode = "drop"    // all get lost: callback-lost
	DoubleCallbacks  CallbackMode = "double"  // each arrives twice: callback-repeated
)

// Config of a [Simulator]. Zero values mean the default that stands beside them.
type Config struct {
	// BaseURL is where the simulator is reached, e.g. http://127.0.0.1:8081; form
	// URLs begin with it. Required, without a path.
	BaseURL string

	ClientID     string // required
	ClientSecret string // required

	License  License  // default Unlicensed
	Profiles []string // ids that a form request's profileId may have; default none
	Banks    []Bank   // besides the two test banks; more can be added later
	Seed     uint64   // of the banks' data; default 1

	FormLife           time.Duration // from a form's creation to its expiry; default 20 min
	DownloadTime       time.Duration // from a form's completion until the data are there; default 3 s; negative: none
	CategorizationTime time.Duration // from then until rows have categories; default 2 s; negative: none
	TaskTime           time.Duration // from an update task's creation until it ends, and its download begins; default 2 s; negative: none

	TokenLife       time.Duration // of access tokens; default 1 h, at least 1 min
	RefreshLife     time.Duration // of refresh tokens; default 24 h, at least 1 min
	MaxUserLogins   int           // wrong passwords in a row that lock a user; default 5; negative: any number
	UnverifiedUsers bool          // new users may not log in: the provider's setting without auto-verification

	Faults []Fault // that are on from the start; see SetFault

	Callbacks     CallbackMode  // default DeliverCallbacks; see SetCallbacks
	CallbackDelay time.Duration // from a form's end to its callback; default none
	// CallbackDial sends callbacks for a host, or host:port, to another address,
	// e.g. bridge.bankimport.test to 127.0.0.1:8443. The certificate must still be
	// that of the host. Default: the host itself.
	CallbackDial map[string]string
	// CallbackCA is what the certificates of callback receivers must lead to.
	// Default: the system's authorities.
	CallbackCA      *x509.CertPool
	CallbackTimeout time.Duration // for one callback; default 10 s
	CallbackWorkers int           // callbacks on their way at the same time; default 32

	// Everything is kept in memory. When there are too many, the oldest finished
	// forms and tasks and the oldest connections are forgotten; a user, or a form or
	// task too many that is not finished, is refused.
	MaxForms       int // default 100,000; also of tasks
	MaxConnections int // default 100,000
	MaxUsers       int // default 100,000

	Clock  Clock        // default: the system's
	Logger *slog.Logger // default: none
}

// Validate reports everything that is wrong, naming the setting.
func (c Config) Validate() error {
	var problems []error
	complain := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format, args...))
	}
	if u, err := url.Parse(c.BaseURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		complain("base URL: want http:// or https:// and a host, nothing else")
	}
	if c.ClientID == "" {
		complain("client id: missing")
	}
	if c.ClientSecret == "" {
		complain("client secret: missing")
	}
	if !slices.Contains([]License{"", Unlicensed, AISP, PISP, FullyLicensed}, c.License) {
		complain("license %q is not known; there are %s, %s, %s and %s", c.License, Unlicensed, AISP, PISP, FullyLicensed)
	}
	for _, id := range c.Profiles {
		if len(id) != formIDLength {
			complain("profile %q: an id has %d characters", id, formIDLength)
		}
	}
	if !validMode(c.Callbacks) {
		complain("callbacks %q: want %s, %s or %s", c.Callbacks, DeliverCallbacks, DropCallbacks, DoubleCallbacks)
	}
	for _, f := range c.Faults {
		if err := f.Validate(); err != nil {
			problems = append(problems, err)
		}
	}
	for host, addr := range c.CallbackDial {
		if _, _, err := net.SplitHostPort(addr); err != nil || host == "" {
			complain("callback dial %s=%s: want HOST=ADDRESS:PORT", host, addr)
		}
	}
	for name, d := range map[string]time.Duration{
		"form life": c.FormLife, "callback delay": c.CallbackDelay, "callback timeout": c.CallbackTimeout,
	} {
		if d < 0 {
			complain("%s: %s is negative", name, d)
		}
	}
	for name, d := range map[string]time.Duration{"token life": c.TokenLife, "refresh life": c.RefreshLife} {
		if d != 0 && d < time.Minute {
			complain("%s: %s is below a minute", name, d)
		}
	}
	for name, n := range map[string]int{
		"callback workers": c.CallbackWorkers, "max forms": c.MaxForms, "max connections": c.MaxConnections, "max users": c.MaxUsers,
	} {
		if n < 0 {
			complain("%s: %d is negative", name, n)
		}
	}
	return errors.Join(problems...)
}

func validMode(m CallbackMode) bool {
	return slices.Contains([]CallbackMode{"", DeliverCallbacks, DropCallbacks, DoubleCallbacks}, m)
}

func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	orElse(&c.License, Unlicensed)
	orElse(&c.Seed, 1)
	orElse(&c.FormLife, 20*time.Minute)
	orElse(&c.DownloadTime, 3*time.Second)
	orElse(&c.CategorizationTime, 2*time.Second)
	orElse(&c.TaskTime, 2*time.Second)
	c.DownloadTime = max(c.DownloadTime, 0)
	c.CategorizationTime = max(c.CategorizationTime, 0)
	c.TaskTime = max(c.TaskTime, 0)
	orElse(&c.TokenLife, time.Hour)
	orElse(&c.RefreshLife, 24*time.Hour)
	orElse(&c.MaxUserLogins, 5)
	orElse(&c.Callbacks, DeliverCallbacks)
	orElse(&c.CallbackTimeout, 10*time.Second)
	orElse(&c.CallbackWorkers, 32)
	orElse(&c.MaxForms, 100_000)
	orElse(&c.MaxConnections, 100_000)
	orElse(&c.MaxUsers, 100_000)
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orElse[T comparable](setting *T, standard T) {
	var zero T
	if *setting == zero {
		*setting = standard
	}
}
