package finapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Client calls the provider. It is safe for concurrent use. There should be one
// per process, because limiter, breaker and tokens are its own.
//
// Every call blocks until it has an answer, until its request timeout or until
// its context ends; before that it may wait for the limiter.
type Client struct {
	access, webForm *url.URL
	accessHost      *host
	webFormHost     *host
	formHosts       []string // plain
	redirectURL     string
	timeout         time.Duration
	credentials     credentials
	http            *http.Client
	patience        time.Duration
	gate            *gate
	contract        *contract
	tokens          *tokens
	metrics         *metrics
	log             *slog.Logger
}

// credentials are functions because fmt prints what a pointer leads to, too,
// when the verb does not fit, and calls no methods on unexported fields.
type credentials struct {
	clientID     string
	clientSecret func() Secret
	userKey      func() Secret
}

// New returns a client. It makes no call. It fails on an invalid configuration
// and when its metrics are registered already.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("provider client: %w", err)
	}
	config = config.withDefaults()
	access, err := parseBase(config.AccessURL)
	if err != nil {
		return nil, err
	}
	webForm, err := parseBase(config.WebFormURL)
	if err != nil {
		return nil, err
	}
	gate := newGate(config.MaxConcurrent, config.Logger)
	metrics, err := newMetrics(config.Metrics, gate)
	if err != nil {
		return nil, fmt.Errorf("provider client: %w", err)
	}
	transport := config.Transport
	if transport == nil {
		transport = newTransport(config.MaxConcurrent)
	}
	formHosts := []string{plainHost(webForm.Host)}
	for _, host := range config.FormHosts {
		formHosts = append(formHosts, plainHost(host))
	}
	accessHost, webFormHost := newHosts(config.Logger)
	c := &Client{
		access:      access,
		webForm:     webForm,
		accessHost:  accessHost,
		webFormHost: webFormHost,
		formHosts:   formHosts,
		redirectURL: config.RedirectURL,
		timeout:     config.RequestTimeout,
		patience:    config.Patience,
		credentials: credentials{
			clientID:     config.ClientID,
			clientSecret: func() Secret { return config.ClientSecret },
			userKey:      func() Secret { return config.UserKey },
		},
		http: &http.Client{
			Transport: transport,
			// A redirect would take the token to a host nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		gate:     gate,
		contract: newContract(metrics.contractRefused),
		metrics:  metrics,
		log:      config.Logger,
	}
	c.tokens = newTokens(config.MaxUsers, c.login, metrics, config.Logger)
	return c, nil
}

// Close closes idle connections. Calls that still run are not interrupted:
// cancel their contexts for that.
func (c *Client) Close() { c.http.CloseIdleConnections() }
