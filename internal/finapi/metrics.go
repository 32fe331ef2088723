package finapi

import (
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// Label values of code beside the statuses.
const (
	labelOther = "other" // a status that is not in the list
	labelGone  = "abandoned"
)

// statuses have a label value each; all others count as "other".
func statuses() []int {
	return []int{200, 201, 400, 401, 403, 404, 405, 422, 423, 429, 451, 500, 501, 502, 503, 504, 510}
}

// metrics of the client:
//
//	bankimport_provider_requests_total{operation,code}          calls sent, by status, or by what went wrong
//	bankimport_provider_request_duration_seconds{operation}     from sending to the last byte of the answer
//	bankimport_provider_held_total{operation,code}              calls not sent: breaker_open, slow_down, client_login_refused
//	bankimport_provider_requests_in_flight                      calls under way
//	bankimport_provider_requests_waiting                        calls waiting for the limiter
//	bankimport_provider_concurrency_limit                       calls that the limiter lets run now
//	bankimport_provider_breaker_state{state}                    1 for the state it is in: closed, open, half_open
//	bankimport_provider_paused_seconds                          what is left of the pause the provider asked for
//	bankimport_provider_client_login_refused                    1 while our client's login is refused: a person must act
//	bankimport_provider_contract_refused                        1 while calls that our contract should cover are refused (403): a person must act
//	bankimport_provider_user_logins_refused_total               user logins refused: is BANKIMPORT_USER_KEY the right one?
//	bankimport_provider_short_form_tokens_total                 forms created with a token that may die before the user is done
type metrics struct {
	requests        *prometheus.CounterVec
	durations       *prometheus.HistogramVec
	held            *prometheus.CounterVec
	clientRefused   prometheus.Gauge
	contractRefused prometheus.Gauge
	userRefused     prometheus.Counter
	shortTokens     prometheus.Counter
	known           map[int]string // by status: its label
}

func newMetrics(registerer prometheus.Registerer, gate *gate) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bankimport_provider_requests_total",
			Help: "Calls sent to the provider, by HTTP status or by what went wrong.",
		}, []string{"operation", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bankimport_provider_request_duration_seconds",
			Help:    "Time from sending a call to the last byte of its answer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},

			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"operation"}),
		held: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bankimport_provider_held_total",
			Help: "Calls that were not sent because the provider takes none now.",
		}, []string{"operation", "code"}),
		clientRefused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bankimport_provider_client_login_refused",
			Help: "1 while the provider refuses the login of our client.",
		}),
		contractRefused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bankimport_provider_contract_refused",
			Help: "1 while the provider refuses calls that our contract with it should cover.",
		}),
		userRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bankimport_provider_user_logins_refused_total",
			Help: "Logins of provider users that were refused.",
		}),
		shortTokens: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bankimport_provider_short_form_tokens_total",
			Help: "Forms created with a token that lives for less than 25 more minutes.",
		}),
		known: make(map[int]string),
	}
	codes := []string{labelOther, labelGone, CodeNetwork, CodeTimeout, CodeTooLarge, CodeMalformed, CodeMixedUp, CodeForeignFormURL, CodeInvalidRequest}
	for _, s := range statuses() {
		m.known[s] = strconv.Itoa(s)
		codes = append(codes, m.known[s])
	}
	for _, op := range operations() {
		m.durations.WithLabelValues(string(op))
		for _, code := range codes {
			m.requests.WithLabelValues(string(op), code)
		}
		for _, code := range []string{CodeBreakerOpen, CodeSlowDown, CodeClientRefused} {
			m.held.WithLabelValues(string(op), code)
		}
	}
	if registerer == nil {
		return m, nil
	}
	collectors := append(gateMetrics(gate), m.requests, m.durations, m.held, m.clientRefused, m.contractRefused, m.userRefused, m.shortTokens)
	for i, c := range collectors {
		if err := registerer.Register(c); err != nil {
			for _, done := range collectors[:i] {
				registerer.Unregister(done)
			}
			return nil, err
		}
	}
	return m, nil
}

// gateMetrics read the gate when they are scraped.
func gateMetrics(g *gate) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	collectors := []prometheus.Collector{
		gauge("bankimport_provider_requests_in_flight", "Calls to the provider that are under way.", func() float64 {
			inFlight, _, _ := g.limiter.state()
			return float64(inFlight)
		}),
		gauge("bankimport_provider_requests_waiting", "Calls that wait for the limiter.", func() float64 {
			_, waiting, _ := g.limiter.state()
			return float64(waiting)
		}),
		gauge("bankimport_provider_concurrency_limit", "Calls that the limiter lets run at the same time now.", func() float64 {
			_, _, limit := g.limiter.state()
			return float64(limit)
		}),
		gauge("bankimport_provider_paused_seconds", "What is left of the pause that the provider asked for.", func() float64 {
			return g.paused().Seconds()
		}),
	}
	for name, state := range map[string]circuitbreaker.State{
		"closed": circuitbreaker.ClosedState, "open": circuitbreaker.OpenState, "half_open": circuitbreaker.HalfOpenState,
	} {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "bankimport_provider_breaker_state",
			Help:        "1 for the state the breaker is in.",
			ConstLabels: prometheus.Labels{"state": name},
		}, func() float64 {
			if g.breaker.state() == state {
				return 1
			}
			return 0
		}))
	}
	return collectors
}

// sent counts a call that was sent: by its status, or by problem where that is
// not empty.
func (m *metrics) sent(op operation, status int, problem string, took time.Duration) {
	code := problem
	if code == "" {
		var ok bool
		if code, ok = m.known[status]; !ok {
			code = labelOther
		}
	}
	m.requests.WithLabelValues(string(op), code).Inc()
	m.durations.WithLabelValues(string(op)).Observe(took.Seconds())
}
