package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A tracker knows, per partition, which records are admitted, running, finished
// and committed, keeps triggers of one key in order, and holds the state and
// the timers of keys. It does no I/O and has no clock: the session tells it
// what happened and starts the jobs it returns. All methods may be called
// concurrently.
//
// The life of a trigger:
//
//	admit/due → lane (waits behind the same key) → running → finish → pick → committed
//	                                                             ▲        │ refused
//	                                                             └────────┘
//
// A trigger leaves its lane when it is committed, so the next one of the key
// always sees committed state.
type tracker struct {
	limits limits

	mu      sync.Mutex
	parts   map[int32]*partition // by partition number of the input topic
	records int                  // admitted and not committed
	timers  int                  // fired and not committed
	bytes   int64                // of admitted and parked records
	running int                  // handlers at work
}

// limits bound what a tracker takes in.
type limits struct {
	records int   // admitted at once
	timers  int   // fired at once
	bytes   int64 // of admitted and parked records
}

// A partition is one assignment of one partition of the input topic. When it
// is taken away it is gone for good: what refers to it later is stale.
type partition struct {
	id       int32
	ready    bool // state restored: records may be admitted
	draining bool // being taken away: nothing new starts
	gone     bool // taken away
	pending  []pending
	end      int64 // one past the highest offset seen
	epoch    int32 // leader epoch of the last record seen, -1: unknown
	parked   []*input
	lanes    map[string]*lane    // by event key
	keys     map[string]keyState // by event key
	timers   timerHeap
	active   int // jobs running or finished and not committed
	records  int // its share of the tracker's counts
	fired    int
	bytes    int64
	done     []*job          // finished, in the order in which they did
	ctx      context.Context // of what runs for the partition: it ends with the assignment
	stop     func()          // cancels it
}

// pending is an offset that is not finished.
type pending struct {
	offset   int64
	epoch    int32
	admitted bool // else: unfinished by the map, not seen yet
	at       time.Time
}

// input is a record on its way in.
type input struct {
	rec   *Record
	epoch int32
	size  int64
}

// A lane holds the triggers of one key in order; the head runs.
type lane struct{ jobs []*job }

// A job is one trigger on its way through a partition.
type job struct {
	part  *partition
	key   string // event key; meaningless if !keyed
	keyed bool
	in    *input    // nil: the timer fired
	due   time.Time // when the timer was to fire
	began time.Time // admitted or fired
	out   *outcome  // set by finish
}

// outcome is what a finished job wants committed.
type outcome struct {
	result Result
	dead   *Event // the dead letter, where the engine gave up
	class  string // its class
	size   int64
}

func newTracker(l limits) *tracker {
	return &tracker{limits: l, parts: map[int32]*partition{}}
}

// assign makes a partition known. It admits nothing until restored.
func (t *tracker) assign(ctx context.Context, id int32, done completion) *partition {
	ctx, stop := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(id)
	p := &partition{id: id, end: done.end, epoch: -1, ctx: ctx, stop: stop, lanes: map[string]*lane{}, keys: map[string]keyState{}}
	for _, o := range done.unfinished {
		p.pending = append(p.pending, pending{offset: o, epoch: -1})
	}
	t.parts[id] = p
	return p
}

// restored gives a partition the state of its keys and opens it. It returns the
// jobs to start and whether fetching may go on; neither if the partition was
// taken away meanwhile.
func (t *tracker) restored(p *partition, keys map[string]keyState, now time.Time) (start []*job, resume bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.gone {
		return nil, false
	}
	p.keys, p.ready = keys, true
	for k, s := range keys {
		p.timers.set(k, s.wake)
	}
	start, _ = t.unpark(nil, p, now)
	return start, len(p.parked) == 0
}

// admit takes records of a poll in. It returns the jobs to start and the
// partitions whose fetching must pause because they took all they can.
func (t *tracker) admit(recs []*input, now time.Time) (start []*job, pause []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range recs {
		p := t.parts[in.rec.Partition]
		if p == nil {
			continue
		}
		if len(p.parked) > 0 || !p.ready || !t.fits(p, in.rec.Offset) {
			if len(p.parked) == 0 {
				pause = append(pause, p.id)
			}
			p.parked = append(p.parked, in)
			t.count(p, 0, 0, in.size)
			continue
		}
		start = t.admitOne(start, p, in, now)
	}
	return start, pause
}

// fits says whether one more record keeps the partition within its share and
// its completion map within the metadata, whatever finishes first.
func (t *tracker) fits(p *partition, offset int64) bool {
	share := t.limits.records
	if len(t.parts) > 1 {
		share -= share / 4 // one stuck partition must not stop the others
	}
	if p.records >= share {
		return false
	}
	if offset < p.end || len(p.pending) == 0 {
		return true // the map has it already, or is empty
	}
	return mapBound(len(p.pending)+1, offset+1-p.pending[0].offset) <= mapLimit
}

func (t *tracker) admitOne(start []*job, p *partition, in *input, now time.Time) []*job {
	off := in.rec.Offset
	// Unfinished offsets that the poll went past do not exist any more:
	// markers, aborted records, compaction.
	gap := 0
	for gap < len(p.pending) && p.pending[gap].offset < off && !p.pending[gap].admitted {
		gap++
	}
	p.pending = slices.Delete(p.pending, 0, gap)
	p.epoch = in.epoch
	if off < p.end {
		i, found := slices.BinarySearchFunc(p.pending, off, func(e pending, o int64) int { return int(e.offset - o) })
		if !found || p.pending[i].admitted {
			return start // finished before the restart
		}
		p.pending[i] = pending{offset: off, epoch: in.epoch, admitted: true, at: in.rec.Timestamp}
	} else {
		p.pending = append(p.pending, pending{offset: off, epoch: in.epoch, admitted: true, at: in.rec.Timestamp})
		p.end = off + 1
	}
	t.count(p, 1, 0, in.size)
	return t.enqueue(start, &job{part: p, key: string(in.rec.Key), keyed: in.rec.Key != nil, in: in, began: now})
}

// enqueue puts a job at the end of its lane and starts it if it is the head.
func (t *tracker) enqueue(start []*job, j *job) []*job {
	if j.keyed {
		l := j.part.lanes[j.key]
		if l == nil {
			l = &lane{}
			j.part.lanes[j.key] = l
		}
		l.jobs = append(l.jobs, j)
		if len(l.jobs) > 1 {
			return start
		}
	}
	return t.run(start, j)
}

func (t *tracker) run(start []*job, j *job) []*job {
	if j.part.draining || j.part.gone {
		return start
	}
	j.part.active++
	t.running++
	return append(start, j)
}

// state is what a job's handler sees of its key.
func (t *tracker) state(j *job) keyState {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !j.keyed {
		return keyState{}
	}
	return j.part.keys[j.key]
}

// finish hands in what a job wants committed; nil gives the job up without a
// trace, because it was interrupted. It reports whether there is something to
// commit.
func (t *tracker) finish(j *job, out *outcome) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.part.gone {
		return false
	}
	t.running--
	if out == nil {
		j.part.active--
		return false
	}
	j.out = out
	j.part.done = append(j.part.done, j)
	return true
}

// A batch is what one transaction commits.
type batch struct {
	parts []partBatch
	size  int64
	jobs  int
}

type partBatch struct {
	part  *partition
	jobs  []*job
	next  []keyState // per job: the state of its key afterwards
	write []bool     // per job: whether that state changed
	done  completion
	epoch int32 // leader epoch that goes with the offset
}

// pick collects finished jobs, at most so many jobs and bytes of output (but at
// least one job), and what would be committed if all of them were.
func (t *tracker) pick(maxJobs int, maxBytes int64, now time.Time) batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b batch
	for _, p := range t.parts {
		pb := partBatch{part: p}
		finished := map[int64]bool{}
		for _, j := range p.done {
			if b.jobs > 0 && (b.jobs >= maxJobs || b.size+j.out.size > maxBytes) {
				break
			}
			var s keyState
			var write bool
			if j.keyed {
				s, write = j.next(now)
			}
			pb.jobs, pb.next, pb.write = append(pb.jobs, j), append(pb.next, s), append(pb.write, write)
			if j.in != nil {
				finished[j.in.rec.Offset] = true
			}
			b.size += j.out.size
			b.jobs++
		}
		if len(pb.jobs) == 0 {
			continue
		}
		pb.done, pb.epoch = p.completionWithout(finished)
		b.parts = append(b.parts, pb)
	}
	return b
}

func (j *job) next(now time.Time) (keyState, bool) {
	s := j.part.keys[j.key]
	cause, traceparent := s.cause, s.traceparent
	if j.in != nil {
		cause, traceparent = j.in.rec.causeID(), j.in.rec.Header(headerTraceparent)
	}
	return s.next(j.out.result, j.in == nil, cause, traceparent, now)
}

func (p *partition) completionWithout(finished map[int64]bool) (completion, int32) {
	c, epoch := completion{end: p.end, base: p.end}, p.epoch
	for _, e := range p.pending {
		if finished[e.offset] {
			continue
		}
		if len(c.unfinished) == 0 {
			c.base, epoch = e.offset, e.epoch
		}
		c.unfinished = append(c.unfinished, e.offset)
	}
	return c, epoch
}

// committedBatch makes a batch's results the truth: offsets are finished, state
// and timers change, the next trigger of each key may run. It returns the jobs
// to start and the partitions whose fetching may go on.
func (t *tracker) committedBatch(b batch, now time.Time) (start []*job, resume []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, pb := range b.parts {
		p := pb.part
		if p.gone {
			continue
		}
		finished := make(map[int64]bool, len(pb.jobs))
		for i, j := range pb.jobs {
			p.active--
			if j.in != nil {
				finished[j.in.rec.Offset] = true
				t.count(p, -1, 0, -j.in.size)
			} else {
				t.count(p, 0, -1, 0)
			}
			if pb.write[i] {
				p.set(j, pb.next[i])
			}
		}
		p.pending = slices.DeleteFunc(p.pending, func(e pending) bool { return finished[e.offset] })
		p.done = slices.Delete(p.done, 0, len(pb.jobs))
		for _, j := range pb.jobs {
			if j.keyed {
				start = t.advance(start, p, j.key)
			}
		}
		var more bool
		if start, more = t.unpark(start, p, now); more {
			resume = append(resume, p.id)
		}
	}
	return start, resume
}

// set replaces the state of a job's key. The timer is touched only where the
// job moved it: one that has fired and waits in the lane must not fire twice.
func (p *partition) set(j *job, s keyState) {
	if j.in == nil || !p.keys[j.key].wake.Equal(s.wake) {
		p.timers.set(j.key, s.wake)
	}
	if s.empty() {
		delete(p.keys, j.key)
	} else {
		p.keys[j.key] = s
	}
}

// advance drops the committed head of a lane and starts the next trigger, unless
// it is a timer that a record committed since has moved or cleared.
func (t *tracker) advance(start []*job, p *partition, key string) []*job {
	l := p.lanes[key]
	l.jobs = l.jobs[1:]
	for len(l.jobs) > 0 {
		next := l.jobs[0]
		if next.in == nil && !p.keys[key].wake.Equal(next.due) {
			l.jobs = l.jobs[1:]
			t.count(p, 0, -1, 0)
			continue
		}
		return t.run(start, next)
	}
	delete(p.lanes, key)
	return start
}

// unpark admits parked records that fit now. It reports whether the last one
// went, so that fetching may go on.
func (t *tracker) unpark(start []*job, p *partition, now time.Time) ([]*job, bool) {
	if len(p.parked) == 0 || p.draining {
		return start, false
	}
	n := 0
	for n < len(p.parked) && t.fits(p, p.parked[n].rec.Offset) {
		t.count(p, 0, 0, -p.parked[n].size)
		start = t.admitOne(start, p, p.parked[n], now)
		n++
	}
	p.parked = slices.Delete(p.parked, 0, n)
	return start, len(p.parked) == 0
}

// count changes what is admitted and fired, in total and for the partition.
func (t *tracker) count(p *partition, records, fired int, bytes int64) {
	t.records, p.records = t.records+records, p.records+records
	t.timers, p.fired = t.timers+fired, p.fired+fired
	t.bytes, p.bytes = t.bytes+bytes, p.bytes+bytes
}

// due fires the timers that are due, as far as their budget goes. It returns
// the jobs to start and when to ask again (zero: when something is committed).
func (t *tracker) due(now time.Time) (start []*job, again time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.parts {
		for t.timers < t.limits.timers && p.ready && !p.draining {
			key, at, ok := p.timers.first()
			if !ok {
				break
			}
			if at.After(now) {
				if again.IsZero() || at.Before(again) {
					again = at
				}
				break
			}
			p.timers.set(key, time.Time{})
			t.count(p, 0, 1, 0)
			start = t.enqueue(start, &job{part: p, key: key, keyed: true, due: at, began: now})
		}
	}
	return start, again
}

// drain stops new work for the partitions (nil: all) and reports how many jobs
// still run or wait for their commit.
func (t *tracker) drain(ids []int32) (active int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, p := range t.parts {
		if ids == nil || slices.Contains(ids, id) {
			p.draining = true
			active += p.active
		}
	}
	return active
}

// interrupt cancels what runs for the partitions (nil: all).
func (t *tracker) interrupt(ids []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, p := range t.parts {
		if ids == nil || slices.Contains(ids, id) {
			p.stop()
		}
	}
}

// forget drops the partitions (nil: all) with everything that hangs on them.
func (t *tracker) forget(ids []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ids == nil {
		for id := range t.parts {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		t.forgetLocked(id)
	}
}

func (t *tracker) forgetLocked(id int32) {
	p := t.parts[id]
	if p == nil {
		return
	}
	delete(t.parts, id)
	p.gone = true
	p.stop()
	t.running -= p.active - len(p.done)
	t.count(p, -p.records, -p.fired, -p.bytes)
}

// room says how many records may be polled now.
func (t *tracker) room() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes >= t.limits.bytes {
		return 0
	}
	return max(t.limits.records-t.records, 0)
}

// forgetIdle drops state that has had no timer and no change since the given
// time, as restore does: it is past its retention.
func (t *tracker) forgetIdle(since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.parts {
		for k, s := range p.keys {
			if s.wake.IsZero() && s.changed.Before(since) && p.lanes[k] == nil {
				delete(p.keys, k)
			}
		}
	}
}

// stats is what metrics and readiness want to know.
type stats struct {
	partitions, restoring    int
	records, parked, running int
	timersWaiting, timersDue int
	keys                     int
	held                     bool // by the session: nothing is admitted
	bytes                    int64
	oldest                   time.Time // of the oldest admitted record; zero: none
}

func (t *tracker) stats() stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := stats{partitions: len(t.parts), records: t.records, running: t.running, timersDue: t.timers, bytes: t.bytes}
	for _, p := range t.parts {
		if !p.ready {
			s.restoring++
		}
		s.parked += len(p.parked)
		s.timersWaiting += p.timers.Len()
		s.keys += len(p.keys)
		for _, e := range p.pending {
			if e.admitted {
				if s.oldest.IsZero() || e.at.Before(s.oldest) {
					s.oldest = e.at
				}
				break
			}
		}
	}
	return s
}
