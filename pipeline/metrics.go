package pipeline

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the engine's Prometheus metrics, for all stages of a process:
//
//	bankimport_stage_triggers_total{stage,outcome}       done, retried, unavailable, gave_up, interrupted: attempts by how they ended
//	bankimport_stage_handle_duration_seconds{stage}      how long attempts took
//	bankimport_stage_commits_total{stage,outcome}        committed, offsets_only, aborted (done again), confirmed (answer lost, had been committed)
//	bankimport_stage_commit_duration_seconds{stage}      how long transactions took
//	bankimport_stage_dead_letters_total{stage,class}     dead letters committed
//	bankimport_stage_restarts_total{stage}               client restarts after an error
//	bankimport_stage_oldest_record_age_seconds{stage}    age of the oldest record that was fetched and is not committed; 0: none
//	bankimport_stage_records_in_flight{stage}            records admitted and not committed
//	bankimport_stage_admission_held{stage}               1 while nothing is admitted because handlers said Unavailable
//	bankimport_stage_running{stage}                      handlers at work
//	bankimport_stage_timers_waiting{stage}               keys with a timer that is not due
//	bankimport_stage_timers_due{stage}                   timers fired and not committed
//	bankimport_stage_state_keys{stage}                   keys with state
//	bankimport_stage_state_bytes{stage}                  what they take in memory, roughly
//	bankimport_stage_result_bytes{stage}                 results that wait for their commit
//	bankimport_stage_partitions{stage}                   partitions held
//	bankimport_stage_partitions_restoring{stage}         of them, those whose state is still being read
type Metrics struct {
	triggers, commits, deadLetters, restarts *prometheus.CounterVec
	handle, commit                           *prometheus.HistogramVec

	mu     sync.Mutex
	stages map[string]func() stats // by stage name
}

// Outcomes of attempts and of commits.
const (
	triggerDone        = "done"
	triggerRetried     = "retried"
	triggerUnavailable = "unavailable"
	triggerGaveUp      = "gave_up"
	triggerInterrupted = "interrupted"

	commitDone        = "committed"
	commitOffsetsOnly = "offsets_only"
	commitAborted     = "aborted"
	commitConfirmed   = "confirmed"
)

// NewMetrics registers the engine's metrics on reg and creates the known label
// sets of the stages, so that rates begin at zero. Registering twice panics.
func NewMetrics(reg prometheus.Registerer, stages ...Stage) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "bankimport", Subsystem: "stage", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "bankimport", Subsystem: "stage", Name: name, Help: help,
			Buckets: buckets, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}, []string{"stage"})
	}
	m := &Metrics{
		triggers:    counter("triggers_total", "Attempts to handle a record or timer, by how they ended.", "stage", "outcome"),
		commits:     counter("commits_total", "Commits to Kafka, by how they ended.", "stage", "outcome"),
		deadLetters: counter("dead_letters_total", "Dead letters committed, by class.", "stage", "class"),
		restarts:    counter("restarts_total", "Restarts of a stage's Kafka clients after an error.", "stage"),
		handle:      histogram("handle_duration_seconds", "Duration of one attempt to handle a record or timer.", prometheus.ExponentialBuckets(0.001, 4, 9)),
		commit:      histogram("commit_duration_seconds", "Duration of one commit to Kafka.", prometheus.ExponentialBuckets(0.001, 4, 7)),
		stages:      map[string]func() stats{},
	}
	for _, s := range stages {
		for _, o := range []string{triggerDone, triggerRetried, triggerUnavailable, triggerGaveUp, triggerInterrupted} {
			m.triggers.WithLabelValues(s.Name, o)
		}
		for _, o := range []string{commitDone, commitOffsetsOnly, commitAborted, commitConfirmed} {
			m.commits.WithLabelValues(s.Name, o)
		}
		for _, c := range append(append([]string{}, engineClasses...), s.Classes...) {
			m.deadLetters.WithLabelValues(s.Name, c)
		}
		m.restarts.WithLabelValues(s.Name)
		m.handle.WithLabelValues(s.Name)
		m.commit.WithLabelValues(s.Name)
	}
	reg.MustRegister(m.triggers, m.commits, m.deadLetters, m.restarts, m.handle, m.commit, gauges{m, descs()})
	return m
}

func (m *Metrics) watch(stage string, f func() stats) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages[stage] = f
}

func (m *Metrics) trigger(stage, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.triggers.WithLabelValues(stage, outcome).Inc()
	m.handle.WithLabelValues(stage).Observe(took.Seconds())
}

func (m *Metrics) committed(stage, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.commits.WithLabelValues(stage, outcome).Inc()
	m.commit.WithLabelValues(stage).Observe(took.Seconds())
}

func (m *Metrics) deadLetter(stage, class string) {
	if m != nil {
		m.deadLetters.WithLabelValues(stage, class).Inc()
	}
}

func (m *Metrics) restart(stage string) {
	if m != nil {
		m.restarts.WithLabelValues(stage).Inc()
	}
}

// gauges reads the trackers when Prometheus asks.
type gauges struct {
	m     *Metrics
	descs []gaugeDesc
}

type gaugeDesc struct {
	desc  *prometheus.Desc
	value func(stats) float64
}

func descs() []gaugeDesc {
	d := func(name, help string, value func(stats) float64) gaugeDesc {
		return gaugeDesc{prometheus.NewDesc("bankimport_stage_"+name, help, []string{"stage"}, nil), value}
	}
	return []gaugeDesc{
		d("oldest_record_age_seconds", "Age of the oldest record that was fetched and is not committed, 0 if there is none; the last one known while clients start again.", func(s stats) float64 {
			if s.oldest.IsZero() {
				return 0
			}
			return max(time.Since(s.oldest).Seconds(), 0)
		}),
		d("records_in_flight", "Records admitted and not committed.", func(s stats) float64 { return float64(s.records) }),
		d("admission_held", "1 while nothing is admitted because the world outside is unavailable: age and lag are then no reason to scale.", func(s stats) float64 {
			if s.held {
				return 1
			}
			return 0
		}),
		d("running", "Handlers at work.", func(s stats) float64 { return float64(s.running) }),
		d("timers_waiting", "Keys with a timer that is not due.", func(s stats) float64 { return float64(s.timersWaiting) }),
		d("timers_due", "Timers fired and not committed.", func(s stats) float64 { return float64(s.timersDue) }),
		d("state_keys", "Keys with state.", func(s stats) float64 { return float64(s.keys) }),
		d("state_bytes", "Bytes that the state of keys takes, roughly.", func(s stats) float64 { return float64(s.stateBytes) }),
		d("result_bytes", "Bytes of results that wait for their commit.", func(s stats) float64 { return float64(s.kept) }),
		d("partitions", "Partitions of the input topic that this process holds.", func(s stats) float64 { return float64(s.partitions) }),
		d("partitions_restoring", "Partitions held whose state is still being read.", func(s stats) float64 { return float64(s.restoring) }),
	}
}

// Describe and Collect are for Prometheus.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range g.descs {
		ch <- d.desc
	}
}

func (g gauges) Collect(ch chan<- prometheus.Metric) {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	for stage, f := range g.m.stages {
		s := f()
		for _, d := range g.descs {
			ch <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, d.value(s), stage)
		}
	}
}
