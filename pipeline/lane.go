package pipeline

import (
	"slices"
	"strings"
	"time"
)

// A lane holds the triggers of one key in order: first those that are finished
// and wait for their commit, then the one that runs, then those that wait.
//
//	finished  finished  running  waiting  waiting
//	└── finished = 2 ──┘
//
// How many may be finished is bounded: a key that wakes itself at once would run
// away from its commits. Each runs on the state that the one before it wants. If that turns out wrong
// because Kafka refuses a result, everything behind it is run again (replace).
type lane struct {
	key      string
	state    *keyState // committed; nil: none
	jobs     []*job
	first    [1]*job // what jobs has at first: most lanes never have more
	running  *job    // also one that is queued for memory; nil: none
	finished int32
	gen      int32 // changes when results behind a replaced one became worthless
	timers   int32 // how many of the jobs are timers
	ownKey   bool  // the key has memory of its own
	closed   bool  // it was empty: a lane that the key has now is another one
}

// A job is one trigger on its way through a partition.
type job struct {
	part        *partition
	lane        *lane     // nil if !keyed
	key         string    // event key; meaningless if !keyed
	in          *input    // nil: the timer fired
	due         time.Time // when the timer was to fire
	before      *keyState // what its handler sees of the key; nil: nothing
	cause       string    // see causeID
	traceparent string    // of the record, or ""
	out         *outcome  // set by finish
	first       outcome   // memory for out
	next        *keyState // the key afterwards; set with out
	picked      uint64    // the last pick that took it
	expected    int64     // bytes of its result while it runs
	gen         int32     // of its lane when it was launched
	keyed       bool
	launched    bool // its handler runs or has run
	write       bool // whether next is a change; set with out
}

// outcome is what a finished job wants committed.
type outcome struct {
	result Result
	dead   *Event // the dead letter, where the engine gave up
	class  string // its class
	size   int64
}

// wakes reports whether the job is a timer for its handler: one that fired, or
// one that came back from the dead letters as a record. The latter has an offset
// like any record, and leaves alone the timer that its key may have since.
func (j *job) wakes() bool {
	if j.in == nil {
		return true
	}
	_, ok := j.in.rec.wake()
	return ok
}

// causeID is that of the job's record. It is kept, because making one is dear.
func (j *job) causeID() string {
	if j.cause == "" {
		j.cause = j.in.rec.causeID()
	}
	return j.cause
}

// settle hands a job its outcome.
func (j *job) settle(out *outcome, now time.Time) {
	j.out, j.next, j.write = out, j.before, false
	timer := j.in == nil // one that fired is gone
	if !j.keyed || !timer && !out.result.State.set && !out.result.Wake.set {
		return
	}
	var cause, traceparent string
	if j.before != nil {
		cause, traceparent = j.before.cause, j.before.traceparent
	}
	if j.in != nil && !j.wakes() {
		cause, traceparent = strings.Clone(j.causeID()), strings.Clone(j.traceparent) // state is kept for long
	}
	j.next, j.write = j.before.next(out.result, timer, cause, traceparent, now)
}

// hasTimer reports whether a timer that was to fire then is in the lane.
func (l *lane) hasTimer(due time.Time) bool {
	return l.timers > 0 && slices.ContainsFunc(l.jobs, func(j *job) bool { return j.in == nil && j.due.Equal(due) })
}

// latest is the state of the key after everything that is finished.
func (l *lane) latest() *keyState {
	if l.finished > 0 {
		return l.jobs[l.finished-1].next
	}
	return l.state
}

// enqueue puts a job at the end of its lane and starts it if it can.
func (t *tracker) enqueue(start []*job, j *job) []*job {
	if !j.keyed {
		return t.run(start, j)
	}
	l := j.part.lanes[j.key]
	if l == nil {
		l = &lane{key: j.key, state: j.part.keys[j.key]}
		l.jobs = l.first[:0]
		j.part.lanes[j.key] = l
	}
	j.lane = l
	l.jobs = append(l.jobs, j)
	if j.in == nil {
		l.timers++
	}
	return t.advance(start, j.part, l)
}

// advance starts the next trigger of a key, unless one runs. A timer that has
// been moved or cleared since it fired is dropped; where a result that is not
// committed yet did that, the commit arms the timer anew.
func (t *tracker) advance(start []*job, p *partition, l *lane) []*job {
	for l.running == nil && int(l.finished) < min(len(l.jobs), t.limits.ahead) {
		next := l.jobs[l.finished]
		if next.in != nil || l.latest().timer().Equal(next.due) {
			return t.run(start, next)
		}
		l.jobs = slices.Delete(l.jobs, int(l.finished), int(l.finished)+1)
		l.timers--
		t.count(p, 0, -1, 0)
	}
	switch {
	case len(l.jobs) == 0 && !l.closed:
		l.closed = true
		delete(p.lanes, l.key)
	case l.running == nil && int(l.finished) >= t.limits.ahead:
		t.blocked = true
	}
	return start
}

// run starts a job, or queues it until there is memory for its result.
func (t *tracker) run(start []*job, j *job) []*job {
	if j.part.draining || j.part.gone {
		return start
	}
	if j.keyed {
		j.lane.running = j
	}
	if !t.memory(j.part) {
		j.part.queue = append(j.part.queue, j)
		t.queued++
		return start
	}
	return t.launch(start, j)
}

// memory says whether one more result of a partition is likely to fit. A single job
// always may run: there would be no progress. As with the other limits a partition has
// a share, which leaves room for a result of another one if it is stuck.
func (t *tracker) memory(p *partition) bool {
	limit := t.limits.kept
	switch {
	case t.running == 0 && t.kept == 0:
		return true
	case t.kept+t.expected+t.typical > limit:
		return false
	case len(t.parts) == 1 || p.active == 0:
		return true
	default:
		return p.kept+p.expected+t.typical <= limit-max(limit/4, t.typical)
	}
}

// expect changes what results are likely to come to: each is counted as it looked when
// its job started.
func (t *tracker) expect(p *partition, bytes int64) {
	t.expected, p.expected = t.expected+bytes, p.expected+bytes
}

func (t *tracker) launch(start []*job, j *job) []*job {
	if j.keyed {
		j.before, j.gen = j.lane.latest(), j.lane.gen
	}
	j.launched = true
	j.expected = t.typical
	t.expect(j.part, j.expected)
	j.part.active++
	t.running++
	return append(start, j)
}

// dequeue starts what was queued, as far as there is memory: first of the partition
// that has the fewest at work.
func (t *tracker) dequeue(start []*job) []*job {
	for t.queued > 0 {
		var next *partition
		for _, p := range t.parts {
			if len(p.queue) > 0 && !p.draining && t.memory(p) && (next == nil || p.active < next.active) {
				next = p
			}
		}
		if next == nil {
			break
		}
		j := next.queue[0]
		next.queue[0], next.queue = nil, next.queue[1:]
		t.queued--
		start = t.launch(start, j)
	}
	return start
}

// news is what a finished job means for the loops.
type news struct {
	commit bool // there is something to commit
	urgent bool // and much waits for it
	room   bool // records may be polled
	resume bool // fetching of a partition may go on
}

// finish hands in what a job wants committed; nil gives the job up without a
// trace, because it was interrupted. It returns the jobs to start.
func (t *tracker) finish(j *job, out *outcome, now time.Time) (start []*job, n news) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := j.part
	if p.gone {
		return nil, news{}
	}
	t.running--
	t.expect(p, -j.expected)
	l := j.lane
	if l != nil {
		l.running = nil
	}
	switch {
	case out == nil:
		p.active--
		return t.dequeue(nil), news{}
	case l != nil && j.gen != l.gen: // it ran on state that will never be
		p.active--
		j.launched = false
		return t.dequeue(t.advance(nil, p, l)), news{}
	}
	j.settle(out, now)
	j.picked = 0
	t.keep(p, out.size)
	t.typical = max(out.size, t.typical-t.typical/32)
	p.done = append(p.done, j)
	if j.in != nil {
		t.wait(p, 1)
	}
	if l != nil {
		l.finished++
		start = t.advance(t.chain(nil, j, now), p, l)
	}
	start = t.dequeue(t.refill(start))
	return start, news{commit: true, urgent: t.urgent(), room: t.roomLocked() > 0, resume: t.drained}
}

// chain fires the timer that a result has set for now without waiting for the
// commit: a long job goes from step to step at the speed of its calls. While the
// stage is held it waits like every other timer.
func (t *tracker) chain(start []*job, j *job, now time.Time) []*job {
	p := j.part
	wake := j.next.timer()
	if _, set := j.out.result.Wake.Value(); !set || wake.IsZero() || wake.After(now) ||
		t.held || p.draining || t.timers >= t.limits.timers || p.fired >= t.share(t.limits.timers) {
		return start
	}
	return t.fire(start, p, j.key, wake)
}

// current says whether the state that a job runs on is still the one before it.
func (t *tracker) current(j *job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return j.lane == nil || j.gen == j.lane.gen
}

// replace gives a finished job another outcome. What was computed behind it in
// its lane is worthless and runs again. It returns the jobs to start.
func (t *tracker) replace(j *job, out *outcome, now time.Time) (start []*job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := j.part
	if p.gone {
		return nil
	}
	t.keep(p, out.size-j.out.size)
	j.settle(out, now)
	if !j.keyed {
		return nil
	}
	l := j.lane
	i := slices.Index(l.jobs, j) + 1
	for _, later := range l.jobs[i:l.finished] {
		p.done = slices.DeleteFunc(p.done, func(d *job) bool { return d == later })
		t.keep(p, -later.out.size)
		later.out, later.launched = nil, false
		p.active--
		if later.in != nil {
			t.wait(p, -1)
		}
	}
	l.finished = int32(i)
	l.gen++
	if r := l.running; r != nil && !r.launched {
		p.queue = slices.DeleteFunc(p.queue, func(q *job) bool { return q == r })
		t.queued--
		l.running = nil
	}
	return t.dequeue(t.advance(nil, p, l))
}
