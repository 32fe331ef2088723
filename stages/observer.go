package stages

import (
	"fmt"
	"iter"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// Observer counts how imports end:
//
//	bankimport_imports_total{outcome,reason}
//
// outcome is "completed", "partial" (completed, but an account is missing) or
// "failed"; reason is one of the closed set where it failed, else "". It counts
// runs: an import that is redriven ends again.
type Observer struct {
	imports *prometheus.CounterVec
}

const (
	outcomeCompleted = "completed"
	outcomePartial   = "partial"
	outcomeFailed    = "failed"
)

// NewObserver registers the metric. All known label sets are there from the
// start, so that rates begin at zero.
func NewObserver(reg prometheus.Registerer) (*Observer, error) {
	o := &Observer{imports: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bankimport_imports_total",
		Help: "Imports that have ended, by outcome and reason.",
	}, []string{"outcome", "reason"})}
	if err := reg.Register(o.imports); err != nil {
		return nil, fmt.Errorf("register metrics of imports: %w", err)
	}
	o.imports.WithLabelValues(outcomeCompleted, "")
	o.imports.WithLabelValues(outcomePartial, "")
	for _, reason := range schemas.Reasons() {
		o.imports.WithLabelValues(outcomeFailed, string(reason))
	}
	return o, nil
}

// Committed counts the final events among those that a stage has committed. It
// is what [pipeline.Config.Committed] wants, does not block and may be called
// from many goroutines.
func (o *Observer) Committed(_ string, events iter.Seq[pipeline.Event]) {
	for e := range events {
		switch e.Topic {
		case schemas.TopicImportCompleted:
			if done, err := schemas.Decode[schemas.ImportCompleted](e.Value); err == nil {
				o.imports.WithLabelValues(outcomeOf(done), "").Inc()
			}
		case schemas.TopicImportFailed:
			if done, err := schemas.Decode[schemas.ImportFailed](e.Value); err == nil {
				o.imports.WithLabelValues(outcomeFailed, string(done.Reason)).Inc()
			}
		}
	}
}

func outcomeOf(e schemas.ImportCompleted) string {
	if e.Partial {
		return outcomePartial
	}
	return outcomeCompleted
}
