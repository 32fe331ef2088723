package contest

import (
	"os"
	"sync"
	"time"
)

// A Meter counts what a contestant has committed and measures from one commit
// to another: so contestants that commit now and then are measured over whole
// batches.
//
//	start ── first commit ── warm-up ──▶ commit ═══ window ═══▶ commit ── end
type Meter struct {
	// Calls counts the calls of a provider. Set it, if at all, before the first Add.
	Calls func() int

	task  Task
	first func() // called at the first commit
	end   func() // called when the measurement is over

	mu     sync.Mutex
	total  int
	began  time.Time // first commit
	from   usage     // zero until the window begins
	report Report
	ended  bool
	err    error
}

// usage is what was spent up to a moment.
type usage struct {
	at              time.Time
	process, broker time.Duration
	calls           int
}

func newMeter(t Task, first, end func()) *Meter {
	return &Meter{task: t, first: first, end: end}
}

// Add counts n records that were committed at this moment.
func (m *Meter) Add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return
	}
	m.total += n
	now := time.Now()
	if m.began.IsZero() {
		m.began = now
		m.first()
	}
	over := m.task.Limit > 0 && m.total >= m.task.Limit
	switch {
	case m.from.at.IsZero() && now.Sub(m.began) >= m.task.Warmup:
		m.from = m.spent(now)
	case !m.from.at.IsZero():
		m.report.Records += n
		over = over || now.Sub(m.from.at) >= m.task.Window
	}
	if over {
		m.finish(m.spent(now))
	}
}

func (m *Meter) spent(now time.Time) usage {
	process, err := CPU(os.Getpid())
	if err != nil {
		m.err = err
	}
	broker, err := CPU(m.task.BrokerPID)
	if err != nil {
		m.err = err
	}
	calls := 0
	if m.Calls != nil {
		calls = m.Calls()
	}
	return usage{now, process, broker, calls}
}

func (m *Meter) finish(to usage) {
	m.ended = true
	m.report.Took = to.at.Sub(m.from.at)
	m.report.ProcessCPU, m.report.BrokerCPU = to.process-m.from.process, to.broker-m.from.broker
	m.report.Calls = to.calls - m.from.calls
	peak, err := PeakRSS(os.Getpid())
	if err != nil {
		m.err = err
	}
	m.report.PeakRSS = peak
	m.end()
}
