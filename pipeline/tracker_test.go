package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model runs a tracker against a naive picture of what must hold: every record
// and timer is dispatched once per life of its partition, in order per key, on
// the state that its predecessor wanted, and never again after it is committed;
// whatever is committed can be read back from offset and map.
type model struct {
	t    *rapid.T
	tr   *tracker
	now  time.Time
	log  []string              // the partition's records: the key of each offset, marker or gone
	pos  int                   // next offset the poll brings
	held bool                  // the partition is ours
	com  completion            // what the group has
	keys map[string]modelState // committed
	done map[int64]bool        // committed offsets

	finished map[string][]finishedJob // not committed, by key, in order
	running  []*job
	stale    map[*job]bool // they run on state that was replaced
	batch    *batch
	applying partBatch // what is left to apply of the batch that landed last
	serial   int
}

type modelState struct {
	value string
	wake  time.Time
}

type finishedJob struct {
	job   *job
	after modelState
}

const (
	marker = ""  // a control record
	gone   = "-" // an offset that does not exist
)

// want is the state that the next trigger of a key must see.
func (m *model) want(key string) modelState {
	if f := m.finished[key]; len(f) > 0 {
		return f[len(f)-1].after
	}
	return m.keys[key]
}

func (m *model) isFinished(key string, off int64) bool {
	return slices.ContainsFunc(m.finished[key], func(f finishedJob) bool { return f.job.in != nil && f.job.in.rec.Offset == off })
}

func (m *model) dispatched(start []*job) {
	for _, j := range start {
		if j.in != nil {
			off := j.in.rec.Offset
			if m.done[off] || m.isFinished(j.key, off) {
				m.t.Fatalf("offset %d is handled again", off)
			}
			for o := range off {
				if m.log[o] == j.key && !m.done[o] && !m.isFinished(j.key, o) {
					m.t.Fatalf("offset %d of key %s is handled before offset %d is finished", off, j.key, o)
				}
			}
		}
		want := m.want(j.key)
		if j.in == nil && !want.wake.Equal(j.due) {
			m.t.Fatalf("the timer of key %s fired for %v, it is set to %v", j.key, j.due, want.wake)
		}
		for _, r := range m.running {
			if r.key == j.key && r.part == j.part {
				m.t.Fatalf("key %s is handled twice at a time", j.key)
			}
		}
		if got := string(j.before.seenBy(j).Value); got != want.value {
			m.t.Fatalf("key %s sees state %q, want %q", j.key, got, want.value)
		}
		if len(m.finished[j.key]) >= m.tr.limits.ahead {
			m.t.Fatalf("key %s is %d results ahead of its commits", j.key, len(m.finished[j.key]))
		}
		m.running = append(m.running, j)
	}
}

func (m *model) assign() {
	if m.held {
		return
	}
	m.held, m.running, m.batch, m.finished, m.stale = true, nil, nil, map[string][]finishedJob{}, map[*job]bool{}
	// What is committed travels as text.
	text, err := metadata{done: m.com}.encode()
	if err != nil {
		m.t.Fatal(err)
	}
	back, err := decodeMetadata(text)
	if err != nil {
		m.t.Fatal(err)
	}
	m.pos = int(back.done.base)
	p := m.tr.assign(m.t.Context(), 0, back.done)
	keys := map[string]*keyState{}
	for k, s := range m.keys {
		if s.value != "" || !s.wake.IsZero() {
			keys[k] = &keyState{value: []byte(s.value), wake: s.wake, changed: m.now}
		}
	}
	start, _ := m.tr.restored(p, keys)
	m.dispatched(start)
}

// compact makes records that nobody has handled vanish while nobody reads.
func (m *model) compact() {
	if m.held || len(m.log) == 0 {
		return
	}
	if o := rapid.IntRange(0, len(m.log)-1).Draw(m.t, "compacted"); m.isRecord(o) && !m.done[int64(o)] {
		m.log[o] = gone
	}
}

func (m *model) fetch() {
	if !m.held {
		return
	}
	m.poll(rapid.IntRange(1, 8).Draw(m.t, "fetched"), true)
}

// poll brings at most n records, and new ones where the log may grow.
func (m *model) poll(n int, grow bool) {
	var ins []*input
	for len(ins) < min(m.tr.room(), n) {
		if m.pos == len(m.log) {
			if !grow {
				break
			}
			m.log = append(m.log, rapid.SampledFrom([]string{"a", "b", "c", "d", marker, gone}).Draw(m.t, "record"))
		}
		rec := Record{Offset: int64(m.pos), Key: []byte(m.log[m.pos]), Timestamp: m.now}
		if m.log[m.pos] != gone {
			ins = append(ins, &input{rec: rec, job: job{key: m.log[m.pos]}, size: 10, control: m.log[m.pos] == marker})
		}
		m.pos++
	}
	start, _ := m.tr.admit(ins)
	m.dispatched(start)
}

// outcome is a new state, unlike any other, and perhaps a timer.
func (m *model) outcome(timer bool) *outcome {
	m.serial++
	r := Result{State: SetState(fmt.Appendf(nil, "%d", m.serial))}
	if timer {
		switch rapid.IntRange(0, 3).Draw(m.t, "wake") {
		case 0:
			r.Wake = WakeAt(m.now.Add(time.Second))
		case 1:
			r.Wake = WakeAt(m.now)
		case 2:
			r.Wake = ClearWake()
		}
	} else {
		r.Wake = ClearWake()
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
	m.running = slices.Delete(m.running, i, i+1)
	out := m.outcome(timer)
	stale := m.stale[j]
	delete(m.stale, j)
	if !stale {
		m.finished[j.key] = append(m.finished[j.key], finishedJob{j, after(j, m.want(j.key), out.result)})
	}
	start, news := m.tr.finish(j, out, m.now)
	commit := news.commit
	if commit == stale {
		m.t.Fatalf("a job of key %s is to be committed: %t, it ran on state that was replaced: %t", j.key, commit, stale)
	}
	m.dispatched(start)
}

// replace makes another outcome of a finished job, as when Kafka refuses one.
func (m *model) replace() {
	var all []*job
	for _, k := range []string{"a", "b", "c", "d"} {
		for _, f := range m.finished[k] {
			all = append(all, f.job)
		}
	}
	if !m.held || len(all) == 0 {
		return
	}
	m.batch = nil // it was refused
	j := rapid.SampledFrom(all).Draw(m.t, "replaced")
	out := m.outcome(true)
	f := m.finished[j.key]
	i := slices.IndexFunc(f, func(f finishedJob) bool { return f.job == j })
	before := m.keys[j.key]
	if i > 0 {
		before = f[i-1].after
	}
	m.finished[j.key] = append(f[:i:i], finishedJob{j, after(j, before, out.result)})
	for _, r := range m.running {
		if r.key == j.key {
			m.stale[r] = true
		}
	}
	m.dispatched(m.tr.replace(j, out, m.now))
}

func (m *model) pick() {
	if m.batch == nil && m.held {
		b := m.tr.pick(rapid.IntRange(1, 5).Draw(m.t, "batch"), 1<<20, rapid.Bool().Draw(m.t, "idle"))
		m.batch = &b
	}
}

// land commits what was picked: in Kafka first, then in the tracker, unless the
// partition went away in between.
func (m *model) land() {
	if m.batch == nil || len(m.batch.parts) == 0 {
		m.batch = nil
		return
	}
	pb := m.batch.parts[0]
	for i, o := range pb.done.unfinished {
		if i > 0 && o <= pb.done.unfinished[i-1] || m.done[o] {
			m.t.Fatalf("map lists %v, of which %d is finished or out of order", pb.done.unfinished, o)
		}
	}
	m.com = pb.done
	for _, j := range pb.jobs {
		f := m.finished[j.key]
		if len(f) == 0 || f[0].job != j {
			m.t.Fatalf("a result of key %s is committed out of order", j.key)
		}
		m.finished[j.key] = f[1:]
		m.keys[j.key] = f[0].after
		if got := (modelState{string(j.next.seenBy(j).Value), j.next.timer()}); got.value != f[0].after.value || !got.wake.Equal(f[0].after.wake) {
			m.t.Fatalf("key %s is committed as %v, want %v", j.key, got, f[0].after)
		}
		if j.in != nil {
			m.done[j.in.rec.Offset] = true
		}
	}
	for o := range int(m.com.base) {
		if m.isRecord(o) && !m.done[int64(o)] {
			m.t.Fatalf("offset %d is below the committed %d and was never handled", o, m.com.base)
		}
	}
	b := *m.batch
	m.batch = nil
	m.tr.confirm(b)
	m.apply(len(m.applying.jobs)) // of the batch before
	m.applying = b.parts[0]
}

// apply makes at most n committed results the truth for their keys.
func (m *model) apply(n int) {
	n = min(n, len(m.applying.jobs))
	if n == 0 {
		return
	}
	start, _ := m.tr.apply(m.applying.part, m.applying.jobs[:n])
	m.applying.jobs = m.applying.jobs[n:]
	m.dispatched(start)
}

func (m *model) applySome() { m.apply(rapid.IntRange(1, 3).Draw(m.t, "applied")) }

func (m *model) isRecord(offset int) bool { return m.log[offset] != marker && m.log[offset] != gone }

func (m *model) refuse() { m.batch = nil }

func (m *model) fire() {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(m.t, "ms")) * time.Millisecond)
	start, _ := m.tr.due(m.now)
	m.dispatched(start)
}

// lose takes the partition away, perhaps in the middle of a commit that went
// through in Kafka.
func (m *model) lose() {
	if !m.held {
		return
	}
	if start := m.tr.forget([]int32{0}); len(start) > 0 {
		m.t.Fatal("a job was started although there is no partition")
	}
	m.held = false
	if m.batch != nil && rapid.Bool().Draw(m.t, "commit landed") {
		m.land()
	}
	m.batch = nil
	for _, j := range m.running { // late completions of an assignment that is over
		if start, news := m.tr.finish(j, &outcome{size: 1}, m.now); news.commit || len(start) > 0 {
			m.t.Fatal("a completion of an old assignment was accepted")
		}
	}
	m.running = nil
	if s := m.tr.stats(); s.records != 0 || s.bytes != 0 || s.running != 0 || s.timersDue != 0 || s.kept != 0 {
		m.t.Fatalf("after all is lost the tracker still counts %+v", s)
	}
}

// armed checks that each committed timer waits or has fired.
func (m *model) armed() {
	p := m.tr.parts[0]
	if p == nil {
		return
	}
	for k, s := range m.keys {
		at, waits := p.timers.at[k]
		l := p.lanes[k]
		switch {
		case l != nil: // a result that is not committed may have moved it
		case s.wake.IsZero() && waits:
			m.t.Fatalf("key %s has no timer, but one waits", k)
		case !s.wake.IsZero() && (!waits || !p.timers.items[at].due.Equal(s.wake)):
			m.t.Fatalf("the timer of key %s is lost", k)
		}
	}
}

func TestTrackerAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			t: t, tr: newTracker(limits{records: 12, waiting: 5, parked: 4, timers: 3, bytes: 100, kept: 20, ahead: 3}), now: time.UnixMilli(1_000_000),
			keys: map[string]modelState{}, done: map[int64]bool{},
		}
		steps := map[string]func(*rapid.T){}
		for name, f := range map[string]func(){
			"assign": m.assign, "fetch": m.fetch, "finish": m.finish, "replace": m.replace, "pick": m.pick, "apply": m.applySome,
			"land": m.land, "refuse": m.refuse, "fire": m.fire, "lose": m.lose, "compact": m.compact, "": m.armed,
		} {
			steps[name] = func(t *rapid.T) { m.t = t; f() }
		}
		t.Repeat(steps)
		m.rest(t)
	})
}

// rest lets everything that is there come to an end.
func (m *model) rest(t *rapid.T) {
	m.t = t
	m.batch = nil
	m.assign()
	for range 10_000 {
		if m.pos == len(m.log) && len(m.running) == 0 && m.tr.stats().records == 0 && m.com.base == int64(len(m.log)) {
			break
		}
		m.poll(100, false)
		for len(m.running) > 0 {
			m.finishOne(0, false)
		}
		b := m.tr.pick(100, 1<<20, true)
		m.batch = &b
		m.land()
		m.apply(len(m.applying.jobs))
		if end := len(m.log); end > 0 && m.log[end-1] == gone {
			m.log = append(m.log, marker) // else nobody can know that the last offset is empty
		}
	}
	for o := range m.log {
		if m.isRecord(o) && !m.done[int64(o)] {
			t.Fatalf("offset %d was never handled; %+v", o, m.tr.stats())
		}
	}
	if m.com.base != int64(len(m.log)) {
		t.Fatalf("offset %d is committed of %d, although all is done", m.com.base, len(m.log))
	}
	if s := m.tr.stats(); s.kept != 0 || s.bytes != 0 || len(m.tr.queue) != 0 {
		t.Fatalf("at rest the tracker still counts %+v", s)
	}
}

func TestTrackerPausesAPartitionThatCanTakeNoMore(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 2, limits{records: 8, waiting: 8, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	admit := func(id int32, n int, from int64) ([]*job, []int32) {
		var ins []*input
		for i := range n {
			ins = append(ins, &input{rec: Record{Partition: id, Offset: from + int64(i)}, size: 1})
		}
		return tr.admit(ins)
	}
	start, pause := admit(0, 8, 0)
	if len(start) != 6 || !slices.Equal(pause, []int32{0}) {
		t.Fatalf("%d started, paused %v: want 6 of 8 and a pause, so that the other partition has room", len(start), pause)
	}
	if other, _ := admit(1, 2, 0); len(other) != 2 {
		t.Fatalf("%d of 2 records of the other partition started", len(other))
	}
	var more []*job
	for _, j := range start[:2] {
		next, _ := tr.finish(j, &outcome{size: 1}, time.Time{})
		more = append(more, next...)
	}
	if len(more) != 2 {
		t.Fatalf("%d of 2 parked records started when 2 had finished", len(more))
	}
	if _, pause := admit(0, 1, 8); len(pause) > 0 {
		t.Fatalf("paused %v again", pause)
	}
	commit := func() bool { return slices.Contains(tr.commitAll(false), 0) }
	if !commit() {
		t.Fatal("with a single parked record fetching does not go on after the commit")
	}
	tr.finish(start[2], &outcome{size: 1}, time.Time{})
	if commit() {
		t.Fatal("resumed although it is not paused")
	}
}

// openTracker has n partitions that begin at 0 without state.
func openTracker(t *testing.T, n int32, l limits) *tracker {
	tr := newTracker(l)
	for id := range n {
		tr.restored(tr.assign(t.Context(), id, completion{}), map[string]*keyState{})
	}
	return tr
}

// commitAll commits what is finished and returns the partitions whose fetching may go on.
func (t *tracker) commitAll(idle bool) (resume []int32) {
	b := t.pick(100, 100, idle)
	t.confirm(b)
	for _, pb := range b.parts {
		for jobs := range pb.chunks(2) {
			if _, more := t.apply(pb.part, jobs); more {
				resume = append(resume, pb.part.id)
			}
		}
	}
	return resume
}

// A partition that waits for room may have nothing in it that becomes a job.
func TestTrackerGoesOnWithAPartitionOfMarkers(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 3, limits{records: 4, waiting: 8, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	records := func(id int32, n int, control bool) (ins []*input) {
		for i := range n {
			ins = append(ins, &input{rec: Record{Partition: id, Offset: int64(i)}, size: 1, control: control})
		}
		return ins
	}
	start, _ := tr.admit(slices.Concat(records(0, 3, false), records(1, 1, false)))
	if len(start) != 4 {
		t.Fatalf("%d of 4 records started", len(start))
	}
	if _, pause := tr.admit(records(2, 3, true)); !slices.Equal(pause, []int32{2}) {
		t.Fatalf("paused %v, want the partition whose markers wait for room", pause)
	}
	tr.finish(start[0], &outcome{size: 1}, time.Time{}) // now there is room for them
	if resume := tr.commitAll(true); !slices.Contains(resume, 2) {
		t.Fatalf("fetching goes on for %v, want partition 2 among them", resume)
	}
}

// Where a partition is taken away, others have the room that it had.
func TestTrackerGoesOnWithOthersWhereOneIsForgotten(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 3, limits{records: 4, waiting: 8, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	for id := range int32(3) {
		var ins []*input
		for i := range int64(2) {
			ins = append(ins, &input{rec: Record{Partition: id, Offset: i}, size: 1})
		}
		tr.admit(ins)
	}
	if start := tr.forget([]int32{0, 1}); len(start) != 2 {
		t.Fatalf("%d of 2 records started that waited for the room of others", len(start))
	}
}

// TestTrackerKeepsTheMapWithinItsBound holds up one record and every second one
// behind it: no more are admitted than a commit can say about, whatever finishes.
func TestTrackerKeepsTheMapWithinItsBound(t *testing.T) {
	t.Parallel()
	const many = 100_000
	tr := openTracker(t, 1, limits{records: many, waiting: many, parked: many, timers: 1, bytes: 1 << 40, kept: 1 << 40, ahead: 3})
	commit := func() (start []*job) {
		b := tr.pick(many, 1<<40, false)
		for _, pb := range b.parts {
			m := metadata{instance: strings.Repeat("i", 64), seq: strings.Repeat("s", 40), done: pb.done}
			if _, err := m.encode(); err != nil {
				t.Fatalf("%d offsets unfinished in a window of %d: %v", len(pb.done.unfinished), pb.done.end-pb.done.base, err)
			}
		}
		tr.confirm(b)
		for _, pb := range b.parts {
			more, _ := tr.apply(pb.part, pb.jobs)
			start = append(start, more...)
		}
		return start
	}
	var held []*job
	off := int64(0)
	for ; ; off++ {
		start, _ := tr.admit([]*input{{rec: Record{Offset: off}, size: 1}})
		if len(start) == 0 {
			break
		}
		if held == nil || off%2 == 0 {
			held = append(held, start[0])
		} else {
			tr.finish(start[0], &outcome{size: 1}, time.Time{})
		}
		if off%1000 == 0 {
			commit()
		}
		if off == many {
			t.Fatal("nothing stops the map from growing")
		}
	}
	if off < 20_000 {
		t.Errorf("only %d records were admitted", off)
	}
	if more := commit(); len(more) > 0 {
		t.Fatalf("%d more records started while the map is full", len(more))
	}
	tr.finish(held[0], &outcome{size: 1}, time.Time{})
	if more := commit(); len(more) != 1 {
		t.Fatalf("%d records started after the base has moved, want the one that waited", len(more))
	}
	for _, j := range held[1:] {
		tr.finish(j, &outcome{size: 1}, time.Time{})
	}
	commit()
}

// TestTrackerBoundsBytes: large records are as bounded as many, and those of a key
// that is stuck leave room for the other partition.
func TestTrackerBoundsBytes(t *testing.T) {
	t.Parallel()
	l := limits{records: 100, waiting: 100, parked: 100, timers: 1, bytes: 1000, kept: 1 << 20, ahead: 3}
	admit := func(tr *tracker, id int32, n int) ([]*job, []int32) {
		var ins []*input
		for i := range int64(n) {
			ins = append(ins, &input{rec: Record{Partition: id, Offset: i, Key: []byte("k")}, job: job{key: "k"}, size: 100})
		}
		return tr.admit(ins)
	}
	tr := openTracker(t, 2, l)
	start, pause := admit(tr, 0, 9)
	if s := tr.stats(); s.records != 8 || !slices.Equal(pause, []int32{0}) {
		t.Errorf("%d records of 9 were admitted and %v paused: want 8, which fill three quarters, and a pause", s.records, pause)
	}
	if tr.room() == 0 {
		t.Error("there is no room for the other partition")
	}
	if start, _ := admit(tr, 1, 1); len(start) != 1 {
		t.Errorf("%d records of the other partition started, want 1", len(start))
	}
	if n := tr.room(); n != 0 {
		t.Errorf("room for %d records, all bytes are taken", n)
	}
	tr.finish(start[0], &outcome{size: 1}, time.Time{})
	if resume := tr.commitAll(false); !slices.Equal(resume, []int32{0}) || tr.stats().records != 9 || tr.room() == 0 {
		t.Errorf("after a commit %v goes on with %d records: want the one that waited to be among 9, and room", resume, tr.stats().records)
	}

	tr = openTracker(t, 1, l)
	tr.hold(func() bool { return true })
	if _, pause := admit(tr, 0, 4); len(pause) > 0 {
		t.Error("paused with less than half of the bytes")
	}
	tr = openTracker(t, 1, l)
	tr.hold(func() bool { return true })
	if _, pause := admit(tr, 0, 5); !slices.Equal(pause, []int32{0}) {
		t.Error("not paused, although what is fetched ahead takes half of the bytes")
	}
}

// TestTrackerSharesTimers: due timers of one partition leave some of the budget to
// the other.
func TestTrackerSharesTimers(t *testing.T) {
	t.Parallel()
	tr := newTracker(limits{records: 8, waiting: 8, parked: 2, timers: 8, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	for id, n := range []int{20, 3} {
		keys := map[string]*keyState{}
		for k := range n {
			keys[fmt.Sprint(k)] = &keyState{wake: time.Unix(1, 0)}
		}
		tr.restored(tr.assign(t.Context(), int32(id), completion{}), keys)
	}
	fired := map[int32]int{}
	start, _ := tr.due(time.Unix(2, 0))
	for _, j := range start {
		fired[j.part.id]++
	}
	if fired[0] > 6 || fired[1] < 2 || len(start) != 8 {
		t.Errorf("%v timers fired, want 8 and at most 6 of one partition", fired)
	}
	n := 0
	for len(start) > 0 { // the others fire when there is room
		for _, j := range start {
			tr.finish(j, &outcome{size: 1}, time.Unix(2, 0))
		}
		n += len(start)
		tr.commitAll(false)
		start, _ = tr.due(time.Unix(2, 0))
	}
	if n != 23 {
		t.Errorf("%d of 23 timers fired", n)
	}
}

// TestTrackerSharesRoom: where there is no more room, what finishes makes room for the
// partition that has the least, and records of those that wait are still fetched.
func TestTrackerSharesRoom(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 3, limits{records: 8, waiting: 100, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	admit := func(id int32, n int) []*job {
		var ins []*input
		for i := range int64(n) {
			ins = append(ins, &input{rec: Record{Partition: id, Offset: i}, size: 1})
		}
		start, _ := tr.admit(ins)
		return start
	}
	slow := admit(0, 10)
	for id := range int32(2) {
		if tr.room() == 0 {
			t.Fatalf("no record of partition %d can be fetched", id+1)
		}
		admit(id+1, 5)
	}
	for _, j := range slow[:4] {
		tr.finish(j, &outcome{size: 1}, time.Time{})
	}
	for id, p := range tr.parts {
		if got := p.records - p.waiting; got < 2 || got > 3 {
			t.Errorf("partition %d has %d records at work, want 2 or 3 of 8", id, got)
		}
	}
}
