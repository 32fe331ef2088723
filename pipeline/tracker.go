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
//	                 ▲                                │                │ refused
//	                 └── the next one of the key ◀────┘ replace ◀──────┘
//
// The next trigger of a key runs on the state its predecessor wants, before that
// is committed (lane.go). Results of one key are committed in order (batch.go).
type tracker struct {
	limits limits

	mu       sync.Mutex
	parts    map[int32]*partition // by partition number of the input topic
	records  int                  // admitted and not committed
	timers   int                  // fired and not committed
	bytes    int64                // of admitted and parked records
	running  int                  // handlers at work
	waiting  int                  // finished records that are not committed
	parked   int                  // records fetched ahead
	stuck    int                  // of them, those of partitions whose fetching pauses
	blocked  bool                 // a key waits for a commit, since the last pick
	drained  bool                 // a partition's fetching may go on, since the last look
	picks    uint64               // batches that were picked
	kept     int64                // bytes of results that are not committed
	typical  int64                // bytes of a result, by the largest of late
	expected int64                // bytes of the results of running handlers
	held     bool                 // what comes parks; see hold
	queued   int                  // jobs that wait for memory
}

// limits bound what a tracker takes in.
type limits struct {
	records int   // admitted at once and not finished
	waiting int   // finished records that wait for their commit
	timers  int   // fired at once
	bytes   int64 // of admitted and parked records
	kept    int64 // of results: those that wait for their commit and those to be expected
	parked  int   // records fetched ahead, and of one partition before its fetching pauses
	ahead   int   // results of one key that wait for their commit while its next trigger runs
}

// A partition is one assignment of one partition of the input topic. When it
// is taken away it is gone for good: what refers to it later is stale.
type partition struct {
	id       int32
	ready    bool // state restored: records may be admitted
	draining bool // being taken away: nothing new starts
	gone     bool // taken away
	pending  []pending
	unseen   int   // how many of them, the last ones, are not admitted
	end      int64 // one past the highest offset seen
	base     int64 // committed: everything below is finished
	epoch    int32 // leader epoch of the record before end, -1: unknown
	parked   []*input
	paused   bool                 // nothing is fetched
	lanes    map[string]*lane     // by event key
	keys     map[string]*keyState // committed state, by event key
	size     int64                // bytes of that state
	timers   timerHeap
	active   int // jobs running or finished and not committed
	records  int // its share of the tracker's counts
	waiting  int
	fired    int
	bytes    int64
	ahead    int64 // of the bytes, those of parked records
	kept     int64
	expected int64
	queue    []*job          // may run as soon as there is memory for their results
	done     []*job          // finished, in the order in which they did
	ctx      context.Context // of what runs for the partition: it ends with the assignment
	stop     func()          // cancels it
	open     context.Context // of what only waits, to be tried again: it ends as soon as the partition drains
	shut     func()          // cancels it
}

// pending is an offset that is not finished. Those that are admitted come first.
type pending struct {
	offset int64
	job    *job // nil: unfinished by the map, not seen yet
}

// picked reports whether a pick took it.
func (e pending) picked(pick uint64) bool { return e.job != nil && e.job.picked == pick }

// epoch is the leader epoch of the record, -1 if that is not known.
func (e pending) epoch() int32 {
	if e.job == nil {
		return -1
	}
	return e.job.in.epoch
}

// input is a record on its way in. All that the tracker needs for it later is in
// one piece: one allocation is much cheaper than three.
type input struct {
	rec     Record
	epoch   int32
	size    int64
	control bool // a marker: it is there and means nothing
	job     job  // has the key; the rest is set when it is admitted
}

func newTracker(l limits) *tracker {
	return &tracker{limits: l, parts: map[int32]*partition{}}
}

// assign makes a partition known. It admits nothing until restored; until then
// its fetching is to pause.
func (t *tracker) assign(ctx context.Context, id int32, done completion) *partition {
	ctx, stop := context.WithCancel(ctx)
	open, shut := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(id)
	p := &partition{
		id: id, end: done.end, base: done.base, epoch: -1, ctx: ctx, stop: stop, open: open, shut: shut, paused: true,
		lanes: map[string]*lane{}, keys: map[string]*keyState{},
	}
	for _, o := range done.unfinished {
		p.pending = append(p.pending, pending{offset: o})
	}
	p.unseen = len(p.pending)
	t.parts[id] = p
	return p
}

// restored gives a partition the state of its keys and opens it. It returns the
// jobs to start and the partitions whose fetching may go on, none if the partition
// was taken away meanwhile.
func (t *tracker) restored(p *partition, keys map[string]*keyState) (start []*job, resume []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.gone {
		return nil, nil
	}
	p.keys, p.ready = keys, true
	for k, s := range keys {
		p.timers.set(k, s.wake)
		p.size += s.size(k)
	}
	start = t.unpark(nil, p)
	return start, t.resume()
}

// admit takes records of a poll in. It returns the jobs to start and the
// partitions whose fetching must pause because they took all they can.
func (t *tracker) admit(recs []*input) (start []*job, pause []int32) {
	start = make([]*job, 0, len(recs))
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range recs {
		p := t.parts[in.rec.Partition]
		if p == nil {
			continue
		}
		if len(p.parked) > 0 || !p.ready || !t.fits(p, in.rec.Offset) {
			if t.park(p, in) {
				pause = append(pause, p.id)
			}
			continue
		}
		start = t.admitOne(start, p, in)
	}
	return start, pause
}

// fits says whether the next record keeps the partition within its share and
// its completion map within the metadata, whatever finishes first.
func (t *tracker) fits(p *partition, offset int64) bool {
	p.passed(offset)
	if t.held {
		return false
	}
	if p.records-p.waiting >= t.share(t.limits.records) || t.records-t.waiting >= t.limits.records {
		return false
	}
	if len(t.parts) > 1 && p.bytes-p.ahead >= t.limits.bytes-t.limits.bytes/4 { // as with the share
		return false
	}
	if offset < p.end || len(p.pending) == 0 {
		return true // the map has it already, or is empty
	}
	return mapBound(len(p.pending)+1, offset+1-p.pending[0].offset) <= mapLimit
}

// share is what one partition may have of a limit: if it is stuck, it must not stop
// the others.
func (t *tracker) share(limit int) int {
	if len(t.parts) > 1 {
		return limit - limit/4
	}
	return limit
}

// passed drops offsets that the map calls unfinished and that a poll went past:
// they do not exist any more (compaction, aborted records).
func (p *partition) passed(offset int64) {
	from := len(p.pending) - p.unseen
	to := from
	for to < len(p.pending) && p.pending[to].offset < offset {
		to++
	}
	p.pending = slices.Delete(p.pending, from, to)
	p.unseen -= to - from
}

func (t *tracker) admitOne(start []*job, p *partition, in *input) []*job {
	off := in.rec.Offset
	if off+1 >= p.end { // after a restart the map reaches further than what was read
		p.epoch = in.epoch
	}
	j := &in.job
	j.part, j.in, j.keyed = p, in, in.rec.Key != nil
	switch {
	case in.control:
		p.end = max(p.end, off+1)
		return start
	case off < p.end:
		i := len(p.pending) - p.unseen // those before it were passed
		if p.unseen == 0 || p.pending[i].offset != off {
			return start // finished before the restart
		}
		p.pending[i].job = j
		p.unseen--
	default:
		p.pending = append(p.pending, pending{off, j})
		p.end = off + 1
	}
	t.count(p, 1, 0, in.size)
	return t.enqueue(start, j)
}

// park keeps a record that cannot be admitted yet. It reports whether fetching of
// its partition must pause.
func (t *tracker) park(p *partition, in *input) (pause bool) {
	p.parked = append(p.parked, in)
	t.parked++
	p.ahead += in.size
	t.count(p, 0, 0, in.size)
	switch {
	case p.paused:
		t.stuck++
		return false
	case len(p.parked) < t.limits.parked && p.bytes < t.limits.bytes/2:
		return false
	}
	p.paused = true
	t.stuck += len(p.parked)
	return true
}

// unpark admits parked records that fit now.
func (t *tracker) unpark(start []*job, p *partition) []*job {
	if !p.ready || p.draining {
		return start
	}
	for len(p.parked) > 0 && t.fits(p, p.parked[0].rec.Offset) {
		start = t.unparkOne(start, p)
	}
	return start
}

func (t *tracker) unparkOne(start []*job, p *partition) []*job {
	in := p.parked[0]
	p.parked[0], p.parked = nil, p.parked[1:]
	t.parked--
	if p.paused {
		t.stuck--
	}
	p.ahead -= in.size
	t.count(p, 0, 0, -in.size)
	start = t.admitOne(start, p, in)
	t.drained = t.drained || p.mayResume(t.limits)
	return start
}

// refill admits parked records where some have finished or were committed: first
// those of the partition that has the fewest at work. A partition with few keys takes
// long for each record; else it would come to have all the room.
func (t *tracker) refill(start []*job) []*job {
	for t.parked > 0 && t.waiting < t.limits.waiting && t.records-t.waiting < t.limits.records {
		var next *partition
		for _, p := range t.parts {
			if len(p.parked) > 0 && p.ready && !p.draining && t.fits(p, p.parked[0].rec.Offset) &&
				(next == nil || p.records-p.waiting < next.records-next.waiting) {
				next = p
			}
		}
		if next == nil {
			break
		}
		start = t.unparkOne(start, next)
	}
	return start
}

// mayResume says whether fetching of a partition that was paused may go on. That
// throws away what the client has fetched ahead, so it is to be rare: records park
// before fetching pauses, and most of them are gone before it goes on.
func (p *partition) mayResume(l limits) bool {
	return p.paused && p.ready && !p.draining && len(p.parked) <= l.parked/2 && (len(p.parked) == 0 || p.bytes < l.bytes/2)
}

// resume returns, once, the partitions whose fetching may go on.
func (t *tracker) resume() (ids []int32) {
	t.drained = false
	for _, p := range t.parts {
		if p.mayResume(t.limits) {
			p.paused = false
			t.stuck -= len(p.parked)
			ids = append(ids, p.id)
		}
	}
	return ids
}

// resumes is resume after a finish that had news of it.
func (t *tracker) resumes() []int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.resume()
}

// hold stops or starts admission, as the function says when it is called under
// the lock: of two changes that tell about themselves in the wrong order the
// truth stays. It returns the jobs to start and the partitions whose fetching may
// go on.
func (t *tracker) hold(held func() bool) (start []*job, resume []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held = held(); t.held {
		return nil, nil
	}
	for _, p := range t.parts {
		start = t.unpark(start, p)
	}
	return t.dequeue(start), t.resume()
}

// count changes what is admitted and fired, in total and for the partition.
func (t *tracker) count(p *partition, records, fired int, bytes int64) {
	t.records, p.records = t.records+records, p.records+records
	t.timers, p.fired = t.timers+fired, p.fired+fired
	t.bytes, p.bytes = t.bytes+bytes, p.bytes+bytes
}

// wait changes how many finished records wait for their commit.
func (t *tracker) wait(p *partition, n int) {
	t.waiting, p.waiting = t.waiting+n, p.waiting+n
}

// urgent says that much waits for the next commit: it should not wait itself.
func (t *tracker) urgent() bool {
	return 2*t.waiting >= t.limits.waiting || 2*t.kept >= t.limits.kept || t.blocked
}

// keep changes what is held of results.
func (t *tracker) keep(p *partition, bytes int64) {
	t.kept, p.kept = t.kept+bytes, p.kept+bytes
}

// due fires the timers that are due, as far as their budget goes. It returns
// the jobs to start and when to ask again (zero: when something is committed).
func (t *tracker) due(now time.Time) (start []*job, again time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.parts {
		for t.timers < t.limits.timers && p.fired < t.share(t.limits.timers) && p.ready && !p.draining {
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
			start = t.fire(start, p, key, at)
		}
	}
	return start, again
}

func (t *tracker) fire(start []*job, p *partition, key string, at time.Time) []*job {
	t.count(p, 0, 1, 0)
	return t.enqueue(start, &job{part: p, key: key, keyed: true, due: at})
}

// drain stops new work for the partitions (nil: all) and reports how many jobs
// still run or wait for their commit.
func (t *tracker) drain(ids []int32) (active int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, p := range t.parts {
		if ids == nil || slices.Contains(ids, id) {
			p.draining = true
			p.shut()
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

// forget drops the partitions (nil: all) with everything that hangs on them. It
// returns jobs of others that now have room, and those whose fetching may go on.
func (t *tracker) forget(ids []int32) (start []*job, resume []int32) {
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
	for _, p := range t.parts {
		start = t.unpark(start, p)
	}
	return t.dequeue(start), t.resume()
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
	t.waiting -= p.waiting
	t.queued -= len(p.queue)
	t.parked -= len(p.parked)
	if p.paused {
		t.stuck -= len(p.parked)
	}
	t.count(p, -p.records, -p.fired, -p.bytes)
	t.keep(p, -p.kept)
	t.expect(p, -p.expected)
}

// room says how many records may be polled now.
func (t *tracker) room() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.roomLocked()
}

func (t *tracker) roomLocked() int {
	if t.bytes >= t.limits.bytes {
		return 0
	}
	// Some more than may run: the client fetches from a broker only when it has
	// given away all that it had from there, and meanwhile nobody is to wait. But
	// what a partition has that can take no more is no help to the others.
	free := t.limits.records - (t.records - t.waiting)
	ahead := t.limits.parked - t.parked + t.stuck
	room := min(free+ahead, t.limits.waiting-t.waiting)
	// Not for each one that finishes: a poll costs more than a record.
	if room < t.limits.records/100 {
		return 0
	}
	return max(room, 0)
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
				p.size -= s.size(k)
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
	stateBytes               int64
	held                     bool  // by the session: nothing is admitted
	bytes                    int64 // of admitted and parked records
	kept                     int64
	oldest                   time.Time // of the oldest record that was fetched and is not committed; zero: none
}

func (t *tracker) stats() stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := stats{partitions: len(t.parts), records: t.records, running: t.running, timersDue: t.timers, bytes: t.bytes, kept: t.kept}
	older := func(at time.Time) {
		if s.oldest.IsZero() || at.Before(s.oldest) {
			s.oldest = at
		}
	}
	for _, p := range t.parts {
		if !p.ready {
			s.restoring++
		}
		s.parked += len(p.parked)
		s.timersWaiting += p.timers.Len()
		s.keys += len(p.keys)
		s.stateBytes += p.size
		if len(p.pending) > 0 && p.pending[0].job != nil {
			older(p.pending[0].job.in.rec.Timestamp)
		}
		if i := slices.IndexFunc(p.parked, func(in *input) bool { return !in.control }); i >= 0 {
			older(p.parked[i].rec.Timestamp)
		}
	}
	return s
}
