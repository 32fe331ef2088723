package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model runs a tracker of some partitions against a naive picture of what must
// hold: every record and timer is dispatched once per life of its partition, in
// order per key, on the state that its predecessor wanted, and never again after it
// is committed; whatever is committed can be read back from offset and map; nothing
// is admitted while the stage is held; and at the end everything is handled, also
// beside a partition whose handlers never return.
type model struct {
	t        *rapid.T
	tr       *tracker
	now      time.Time
	parts    []*modelPart
	held     bool // the stage: the world outside is down
	asleep   bool // the poll loop waits until it is told that there is room
	running  []*job
	stale    map[*job]bool // they run on state that was replaced
	batch    *batch
	applying []partBatch // what is left to apply of the batch that landed last
	serial   int
}

type modelPart struct {
	id       int32
	log      []string   // its records: the key of each offset, marker or gone
	pos      int        // next offset the poll brings
	own      *partition // nil: it is not ours
	paused   bool
	draining bool
	com      completion            // what the group has
	keys     map[string]modelState // committed
	done     map[int64]bool        // committed offsets
	finished map[string][]finishedJob
}

type modelState struct {
	value string
	wake  time.Time
}

// A finishedJob is not committed. Those of a key are in order.
type finishedJob struct {
	job   *job
	after modelState
}

const (
	marker = ""  // a control record
	gone   = "-" // an offset that does not exist
)

func newModel(t *rapid.T, partitions int, l limits) *model {
	m := &model{t: t, tr: newTracker(l), now: time.UnixMilli(1_000_000), stale: map[*job]bool{}}
	for id := range int32(partitions) {
		m.parts = append(m.parts, &modelPart{id: id, keys: map[string]modelState{}, done: map[int64]bool{}})
	}
	return m
}

// draw picks one of the partitions for which ok holds; nil: there is none.
func (m *model) draw(ok func(p *modelPart) bool) *modelPart {
	if some := slices.DeleteFunc(slices.Clone(m.parts), func(p *modelPart) bool { return !ok(p) }); len(some) > 0 {
		return rapid.SampledFrom(some).Draw(m.t, "partition")
	}
	return nil
}

func (p *modelPart) owned() bool { return p.own != nil }

func (p *modelPart) isRecord(offset int) bool {
	return p.log[offset] != marker && p.log[offset] != gone
}

// want is the state that the next trigger of a key must see.
func (p *modelPart) want(key string) modelState {
	if f := p.finished[key]; len(f) > 0 {
		return f[len(f)-1].after
	}
	return p.keys[key]
}

func (p *modelPart) isFinished(key string, off int64) bool {
	return slices.ContainsFunc(p.finished[key], func(f finishedJob) bool { return f.job.in != nil && f.job.in.rec.Offset == off })
}

// flow notes which jobs start and which partitions are fetched.
func (m *model) flow(start []*job, pause, resume []int32) {
	set := func(ids []int32, paused bool) {
		for _, id := range ids {
			if m.parts[id].paused == paused {
				m.t.Fatalf("fetching of partition %d is to be paused: %t, as it is already", id, paused)
			}
			m.parts[id].paused = paused
		}
	}
	set(pause, true)
	set(resume, false)
	for _, id := range resume {
		if p := m.parts[id].own; !p.ready || p.draining {
			m.t.Fatalf("fetching of partition %d goes on: its state is there: %t, it is being taken away: %t", id, p.ready, p.draining)
		}
	}
	m.dispatched(start)
}

func (m *model) dispatched(start []*job) {
	for _, j := range start {
		p := m.parts[j.part.id]
		if j.part != p.own || p.draining {
			m.t.Fatalf("a job of partition %d starts that is not ours any more", p.id)
		}
		if j.in != nil {
			off := j.in.rec.Offset
			if p.done[off] || p.isFinished(j.key, off) {
				m.t.Fatalf("offset %d is handled again", off)
			}
			for o := range off {
				if p.log[o] == j.key && !p.done[o] && !p.isFinished(j.key, o) {
					m.t.Fatalf("offset %d of key %s is handled before offset %d is finished", off, j.key, o)
				}
			}
		}
		want := p.want(j.key)
		if j.in == nil && !want.wake.Equal(j.due) {
			m.t.Fatalf("the timer of key %s fired for %v, it is set to %v", j.key, j.due, want.wake)
		}
		if slices.ContainsFunc(m.running, func(r *job) bool { return r.key == j.key && r.part == j.part }) {
			m.t.Fatalf("key %s is handled twice at a time", j.key)
		}
		if got := string(j.before.seenBy(j).Value); got != want.value {
			m.t.Fatalf("key %s sees state %q, want %q", j.key, got, want.value)
		}
		if len(p.finished[j.key]) >= m.tr.limits.ahead {
			m.t.Fatalf("key %s is %d results ahead of its commits", j.key, len(p.finished[j.key]))
		}
		m.running = append(m.running, j)
	}
}

// assign gives us a partition. While a transaction has its offsets the group does
// not say what is committed.
func (m *model) assign() {
	p := m.draw(func(p *modelPart) bool {
		return !p.owned() && (m.batch == nil || !slices.ContainsFunc(m.batch.parts, func(pb partBatch) bool { return pb.part.id == p.id }))
	})
	if p != nil {
		m.own(p)
	}
}

func (m *model) own(p *modelPart) {
	// What is committed travels as text.
	text, err := metadata{done: p.com}.encode()
	if err != nil {
		m.t.Fatal(err)
	}
	back, err := decodeMetadata(text)
	if err != nil {
		m.t.Fatal(err)
	}
	p.pos, p.paused, p.draining, p.finished = int(back.done.base), true, false, map[string][]finishedJob{}
	p.own = m.tr.assign(m.t.Context(), p.id, back.done)
}

// restore hands a partition its state.
func (m *model) restore() {
	if p := m.draw(func(p *modelPart) bool { return p.owned() && !p.own.ready }); p != nil {
		m.restored(p)
	}
}

func (m *model) restored(p *modelPart) {
	keys := map[string]*keyState{}
	for k, s := range p.keys {
		if s.value != "" || !s.wake.IsZero() {
			keys[k] = &keyState{value: []byte(s.value), wake: s.wake, changed: m.now}
		}
	}
	start, resume := m.tr.restored(p.own, keys)
	m.flow(start, nil, resume)
}

// compact makes records that nobody has handled vanish while nobody reads.
func (m *model) compact() {
	p := m.draw(func(p *modelPart) bool { return !p.owned() && len(p.log) > 0 })
	if p == nil {
		return
	}
	if o := rapid.IntRange(0, len(p.log)-1).Draw(m.t, "compacted"); p.isRecord(o) && !p.done[int64(o)] && !p.picked(m.batch, o) {
		p.log[o] = gone
	}
}

// picked says whether an offset is in a batch that may be on its way.
func (p *modelPart) picked(b *batch, offset int) bool {
	return b != nil && slices.ContainsFunc(b.parts, func(pb partBatch) bool {
		return pb.part.id == p.id && slices.ContainsFunc(pb.jobs, func(j *job) bool { return j.in != nil && j.in.rec.Offset == int64(offset) })
	})
}

// aReign is how many offsets of a log each leader has written.
const aReign = 3

func (m *model) fetch() { m.poll(rapid.IntRange(1, 8).Draw(m.t, "fetched"), true) }

// poll brings at most n records, and new ones where the logs may grow.
func (m *model) poll(n int, grow bool) {
	if m.asleep {
		return
	}
	room := m.tr.room()
	if m.asleep = room == 0; m.asleep {
		return
	}
	var ins []*input
	for len(ins) < min(room, n) {
		p := m.draw(func(p *modelPart) bool { return p.owned() && !p.paused && (grow || p.pos < len(p.log)) })
		if p == nil {
			break
		}
		if p.pos == len(p.log) {
			p.log = append(p.log, rapid.SampledFrom([]string{"a", "b", "c", "d", marker, gone}).Draw(m.t, "record"))
		}
		key := p.log[p.pos]
		if key != gone {
			ins = append(ins, &input{
				rec: Record{Partition: p.id, Offset: int64(p.pos), Key: []byte(key), Timestamp: m.now},
				job: job{key: key}, size: 10, control: key == marker, epoch: int32(p.pos / aReign),
			})
		}
		p.pos++
	}
	start, pause := m.tr.admit(ins)
	m.flow(start, pause, nil)
}

// outcome is a new state, unlike any other, and perhaps a timer.
func (m *model) outcome(timer bool) *outcome {
	m.serial++
	r := Result{State: SetState(fmt.Appendf(nil, "%d", m.serial)), Wake: ClearWake()}
	if timer {
		r.Wake = rapid.SampledFrom([]WakeChange{WakeAt(m.now.Add(time.Second)), WakeAt(m.now), ClearWake(), {}}).Draw(m.t, "wake")
	}
	return &outcome{result: r, size: rapid.Int64Range(1, 5).Draw(m.t, "size")}
}

// after is what a result makes of a state.
func after(j *job, s modelState, r Result) modelState {
	v, _ := r.State.Value()
	s.value = string(v)
	if w, set := r.Wake.Value(); set || j.in == nil {
		s.wake = w
	}
	return s
}

func (m *model) finish() {
	if len(m.running) > 0 {
		m.finishOne(rapid.IntRange(0, len(m.running)-1).Draw(m.t, "finishing"), true)
	}
}

func (m *model) finishOne(i int, timer bool) {
	j := m.running[i]
	p := m.parts[j.part.id]
	m.running = slices.Delete(m.running, i, i+1)
	out := m.outcome(timer)
	stale := m.stale[j]
	delete(m.stale, j)
	if !stale {
		p.finished[j.key] = append(p.finished[j.key], finishedJob{j, after(j, p.want(j.key), out.result)})
	}
	start, news := m.tr.finish(j, out, m.now)
	if news.commit == stale {
		m.t.Fatalf("a job of key %s is to be committed: %t, it ran on state that was replaced: %t", j.key, news.commit, stale)
	}
	if news.room {
		m.asleep = false
	}
	m.dispatched(start)
	if news.resume {
		m.flow(nil, nil, m.tr.resumes())
	}
}

// replace makes another outcome of a finished job, as when Kafka refuses one.
func (m *model) replace() {
	p := m.draw(func(p *modelPart) bool { return p.owned() && p.waiting() > 0 })
	if p == nil {
		return
	}
	var all []*job
	for _, k := range []string{"a", "b", "c", "d"} {
		for _, f := range p.finished[k] {
			all = append(all, f.job)
		}
	}
	m.batch = nil // it was refused
	j := rapid.SampledFrom(all).Draw(m.t, "replaced")
	out := m.outcome(true)
	f := p.finished[j.key]
	i := slices.IndexFunc(f, func(f finishedJob) bool { return f.job == j })
	before := p.keys[j.key]
	if i > 0 {
		before = f[i-1].after
	}
	p.finished[j.key] = append(f[:i:i], finishedJob{j, after(j, before, out.result)})
	for _, r := range m.running {
		if r.key == j.key && r.part == j.part {
			m.stale[r] = true
		}
	}
	m.dispatched(m.tr.replace(j, out, m.now))
}

// waiting is how many results wait for their commit.
func (p *modelPart) waiting() int {
	n := 0
	for _, f := range p.finished {
		n += len(f)
	}
	return n
}

func (m *model) pick() {
	if m.batch == nil {
		b := m.tr.pick(rapid.IntRange(1, 5).Draw(m.t, "batch"), 1<<20, rapid.Bool().Draw(m.t, "idle"), 0)
		m.batch = &b
	}
}

func (m *model) refuse() { m.batch = nil }

// land commits what was picked: in Kafka first, then in the tracker, where some of
// its partitions may be gone.
func (m *model) land() {
	if m.batch == nil {
		return
	}
	b := *m.batch
	m.batch = nil
	for _, pb := range b.parts {
		m.commit(m.parts[pb.part.id], pb)
	}
	m.tr.confirm(b)
	for len(m.applying) > 0 { // the batch before
		m.apply(100)
	}
	m.applying = b.parts
}

func (m *model) commit(p *modelPart, pb partBatch) {
	for i, o := range pb.done.unfinished {
		if i > 0 && o <= pb.done.unfinished[i-1] || p.done[o] {
			m.t.Fatalf("map lists %v, of which %d is finished or out of order", pb.done.unfinished, o)
		}
	}
	if e := int64(pb.epoch); e >= 0 && (pb.done.base < e*aReign || pb.done.base > (e+1)*aReign) {
		m.t.Fatalf("offset %d is committed with leader epoch %d, which begins at %d and ends before %d", pb.done.base, e, e*aReign, (e+1)*aReign)
	}
	p.com = pb.done
	for _, j := range pb.jobs {
		f := p.finished[j.key]
		if len(f) == 0 || f[0].job != j {
			m.t.Fatalf("a result of key %s is committed out of order", j.key)
		}
		p.finished[j.key] = f[1:]
		p.keys[j.key] = f[0].after
		if got := (modelState{string(j.next.seenBy(j).Value), j.next.timer()}); got.value != f[0].after.value || !got.wake.Equal(f[0].after.wake) {
			m.t.Fatalf("key %s is committed as %v, want %v", j.key, got, f[0].after)
		}
		if j.in != nil {
			p.done[j.in.rec.Offset] = true
		}
	}
	for o := range int(p.com.base) {
		if p.isRecord(o) && !p.done[int64(o)] {
			m.t.Fatalf("offset %d is below the committed %d and was never handled", o, p.com.base)
		}
	}
}

// apply makes at most n committed results of one partition the truth for their keys.
func (m *model) apply(n int) {
	if len(m.applying) == 0 {
		return
	}
	pb := &m.applying[0]
	n = min(n, len(pb.jobs))
	start, resume := m.tr.apply(pb.part, pb.jobs[:n])
	m.flow(start, nil, resume)
	if pb.jobs = pb.jobs[n:]; len(pb.jobs) > 0 {
		return
	}
	if m.applying = m.applying[1:]; len(m.applying) == 0 {
		m.asleep = false
	}
}

func (m *model) applySome() { m.apply(rapid.IntRange(1, 3).Draw(m.t, "applied")) }

func (m *model) fire() {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(m.t, "ms")) * time.Millisecond)
	if !m.held {
		start, _ := m.tr.due(m.now)
		m.dispatched(start)
	}
}

func (m *model) close() { m.hold(true) }

func (m *model) open() { m.hold(false) }

// hold holds the stage or lets it go on.
func (m *model) hold(held bool) {
	if m.held == held {
		return
	}
	m.held = held
	start, resume := m.tr.hold(func() bool { return m.held })
	m.flow(start, nil, resume)
	if !m.held {
		m.asleep = false
	}
}

// drain begins to take a partition away.
func (m *model) drain() {
	p := m.draw(func(p *modelPart) bool { return p.owned() && !p.draining })
	if p == nil {
		return
	}
	p.draining = true
	want := p.waiting()
	for _, r := range m.running {
		if r.part == p.own {
			want++
		}
	}
	if got := m.tr.drain([]int32{p.id}); got != want {
		m.t.Fatalf("%d jobs of partition %d are said to be at work or wait for their commit, there are %d", got, p.id, want)
	}
}

// lose takes a partition away, perhaps in the middle of a commit.
func (m *model) lose() {
	if p := m.draw((*modelPart).owned); p != nil {
		m.forget(p)
	}
}

// interrupt ends a handler of a partition that is being taken away without a result.
func (m *model) interrupt() {
	i := slices.IndexFunc(m.running, func(j *job) bool { return m.parts[j.part.id].draining })
	if i < 0 {
		return
	}
	j := m.running[i]
	m.running = slices.Delete(m.running, i, i+1)
	delete(m.stale, j)
	start, news := m.tr.finish(j, nil, m.now)
	if news.commit {
		m.t.Fatal("what was interrupted is to be committed")
	}
	m.dispatched(start)
}

// drained takes a partition away that drains.
func (m *model) drained() {
	if p := m.draw(func(p *modelPart) bool { return p.draining }); p != nil {
		m.forget(p)
	}
}

func (m *model) forget(p *modelPart) {
	part := p.own
	p.own, p.draining = nil, false
	start, resume := m.tr.forget([]int32{p.id})
	m.flow(start, nil, resume)
	m.asleep = false
	var rest []*job
	for _, j := range m.running { // late completions of an assignment that is over
		if j.part != part {
			rest = append(rest, j)
			continue
		}
		delete(m.stale, j)
		if start, news := m.tr.finish(j, &outcome{size: 1}, m.now); news.commit || len(start) > 0 {
			m.t.Fatal("a completion of an old assignment was accepted")
		}
	}
	m.running = rest
	if !slices.ContainsFunc(m.parts, (*modelPart).owned) {
		m.nothing("after all is lost")
	}
}

// nothing checks that the tracker counts nothing.
func (m *model) nothing(when string) {
	tr := m.tr
	if s := tr.stats(); s.records != 0 || s.parked != 0 || s.bytes != 0 || s.running != 0 || s.timersDue != 0 || s.kept != 0 ||
		tr.expected != 0 || tr.waiting != 0 || tr.parked != 0 || tr.stuck != 0 || tr.queued != 0 {
		m.t.Fatalf("%s the tracker still counts %+v, expected %d, waiting %d, parked %d, stuck %d, queued %d", when, s, tr.expected, tr.waiting, tr.parked, tr.stuck, tr.queued)
	}
}

// consistent checks what the tracker counts, and the timers of all partitions.
func (m *model) consistent() {
	var expected, queued int64
	for _, p := range m.parts {
		if p.owned() {
			expected, queued = expected+p.own.expected, queued+int64(len(p.own.queue))
		}
	}
	for _, j := range m.running {
		expected -= j.expected
	}
	if expected != 0 || queued != int64(m.tr.queued) {
		m.t.Fatalf("results of %d bytes are expected of nobody; %d jobs are queued, counted are %d", expected, queued, m.tr.queued)
	}
	for _, p := range m.parts {
		if p.owned() && p.own.ready {
			m.armed(p)
		}
	}
}

// armed checks that each committed timer waits or has fired.
func (m *model) armed(p *modelPart) {
	for k, s := range p.keys {
		at, waits := p.own.timers.at[k]
		l := p.own.lanes[k]
		switch {
		case l != nil: // a result that is not committed may have moved it
		case s.wake.IsZero() && waits:
			m.t.Fatalf("key %s has no timer, but one waits", k)
		case !s.wake.IsZero() && (!waits || !p.own.timers.items[at].due.Equal(s.wake)):
			m.t.Fatalf("the timer of key %s is lost", k)
		}
	}
}

// admission does a step and checks what it admitted and fired: no more than may be at
// work at once, and nothing if the stage is held before and after it.
func (m *model) admission(step func()) {
	tr, held, records, timers := m.tr, m.held, m.tr.records, m.tr.timers
	step()
	if tr.records <= records && tr.timers <= timers {
		return
	}
	if n := tr.records - tr.waiting; n > tr.limits.records && tr.records > records || tr.timers > tr.limits.timers {
		m.t.Fatalf("%d records and %d timers at once, at most %d and %d", n, tr.timers, tr.limits.records, tr.limits.timers)
	}
	if held && m.held {
		m.t.Fatalf("while the stage is held there are %d records and %d timers, there were %d and %d", tr.records, tr.timers, records, timers)
	}
}

func TestTrackerAgainstModel(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		t.Run(fmt.Sprintf("partitions=%d", partitions), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, partitions, limits{records: 12, waiting: 5, parked: 4, timers: 4, bytes: 200, kept: 20, ahead: 3})
				steps := map[string]func(*rapid.T){"": func(t *rapid.T) { m.t = t; m.consistent() }}
				for _, s := range []struct {
					name  string
					often int
					do    func()
				}{
					{"assign", 3, m.assign}, {"restore", 3, m.restore}, {"lose", 1, m.lose}, {"drain", 1, m.drain}, {"drained", 4, m.drained}, {"interrupt", 2, m.interrupt},
					{"hold", 1, m.close}, {"open", 6, m.open},
					{"fetch", 6, m.fetch}, {"finish", 8, m.finish}, {"replace", 1, m.replace}, {"fire", 2, m.fire}, {"compact", 1, m.compact},
					{"pick", 6, m.pick}, {"land", 6, m.land}, {"refuse", 1, m.refuse}, {"apply", 6, m.applySome},
				} {
					for i := range s.often {
						steps[fmt.Sprintf("%s %d", s.name, i)] = func(t *rapid.T) { m.t = t; m.admission(s.do) }
					}
				}
				for range 5 {
					t.Repeat(steps)
				}
				m.t = t
				m.rest()
			})
		})
	}
}

// rest lets everything that is there come to an end, with all partitions: first with
// handlers of one of them that never return, if there are others.
func (m *model) rest() {
	m.batch = nil
	for len(m.applying) > 0 {
		m.apply(100)
	}
	m.open()
	for _, p := range m.parts {
		if p.owned() {
			m.forget(p)
		}
		for range 2 * m.tr.limits.records { // one partition could take all the room
			p.log = append(p.log, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(m.t, "record"))
		}
	}
	for _, p := range m.parts {
		m.own(p)
	}
	for _, p := range m.parts {
		m.restored(p)
	}
	if len(m.parts) > 1 {
		m.end(m.draw((*modelPart).owned))
	}
	m.end(nil)
	m.nothing("at rest")
}

// end goes on until all is done but in the stuck partition.
func (m *model) end(stuck *modelPart) {
	left := func(p *modelPart) bool {
		return p != stuck && (p.pos < len(p.log) || p.com.base < int64(len(p.log)) || p.own.fired > 0 || p.own.timers.Len() > 0)
	}
	for range 10_000 {
		if !slices.ContainsFunc(m.parts, left) {
			return
		}
		m.poll(100, false)
		m.now = m.now.Add(time.Hour)
		m.fire()
		for {
			i := slices.IndexFunc(m.running, func(j *job) bool { return stuck == nil || j.part != stuck.own })
			if i < 0 {
				break
			}
			m.finishOne(i, false)
		}
		b := m.tr.pick(100, 1<<20, true, 0)
		m.batch = &b
		m.land()
		for len(m.applying) > 0 {
			m.apply(100)
		}
	}
	p := m.parts[slices.IndexFunc(m.parts, left)]
	m.t.Fatalf("partition %d does not come to its end beside a stuck one (%t): at %d, committed %d of %d, paused %t, poll loop asleep %t; %+v",
		p.id, stuck != nil, p.pos, p.com.base, len(p.log), p.paused, m.asleep, m.tr.stats())
}
