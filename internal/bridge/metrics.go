package bridge

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a request.
type outcome string

const (
	outcomePublished   outcome = "published"         // Kafka has it
	outcomeRepeated    outcome = "repeated"          // Kafka has it already
	outcomeNotFound    outcome = "not_found"         // another path
	outcomeBadMethod   outcome = "bad_method"        // not POST
	outcomeBadToken    outcome = "bad_token"         // forged, foreign or expired
	outcomeTooLarge    outcome = "too_large"         // the body is above 4 KiB
	outcomeOverloaded  outcome = "overloaded"        // more at once than there is room for: lost
	outcomeUnavailable outcome = "kafka_unavailable" // not acknowledged in time: lost
	outcomePanic       outcome = "panic"             // a bug
)

// lost reports outcomes of a request that should have been published: an
// operator may want to know.
func (o outcome) lost() bool {
	return o == outcomeOverloaded || o == outcomeUnavailable || o == outcomePanic
}

func outcomes() []outcome {
	return []outcome{
		outcomePublished, outcomeRepeated, outcomeNotFound, outcomeBadMethod, outcomeBadToken,
		outcomeTooLarge, outcomeOverloaded, outcomeUnavailable, outcomePanic,
	}
}

// metrics of the bridge:
//
//	bankimport_callbacks_total{outcome}            requests by what became of them
//	bankimport_callback_duration_seconds           from the request to the answer, where Kafka has the hint
//	bankimport_callbacks_without_form_total        bodies that did not say which form: has the provider's format changed?
type metrics struct {
	total       map[outcome]prometheus.Counter
	duration    prometheus.Histogram
	withoutForm prometheus.Counter
}

// newMetrics registers the metrics; a nil registerer keeps them to themselves.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bankimport_callbacks_total",
		Help: "Requests to the webhook bridge, by what became of them.",
	}, []string{"outcome"})
	m := &metrics{
		total: make(map[outcome]prometheus.Counter),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                            "bankimport_callback_duration_seconds",
			Help:                            "Time from a callback to its answer, where Kafka has the hint.",
			Buckets:                         []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}),
		withoutForm: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bankimport_callbacks_without_form_total",
			Help: "Callbacks with a good token whose body did not say which form has ended.",
		}),
	}
	for _, o := range outcomes() {
		m.total[o] = total.WithLabelValues(string(o)) // so that rates begin at zero
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{total, m.duration, m.withoutForm} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("bridge: register metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) count(o outcome, took time.Duration) {
	m.total[o].Inc()
	if o == outcomePublished || o == outcomeRepeated {
		m.duration.Observe(took.Seconds())
	}
}
