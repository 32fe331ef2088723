package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model runs a tracker against a naive picture of what must hold: every record
// and timer is dispatched once per life of its partition, in order per key, and
// never again after it is committed; whatever is committed can be read back
// from offset and map.
type model struct {
	t     *rapid.T
	tr    *tracker
	now   time.Time
	log   []string             // the partition's records: the key of each offset, "" for a marker
	pos   int                  // next offset the poll brings
	held  bool                 // the partition is ours
	com   completion           // what the group has
	state map[string]int       // committed state: how many triggers of the key are committed
	wake  map[string]time.Time // committed timers
	done  map[int64]bool       // committed offsets

	running []*job
	batch   *batch
}

func (m *model) dispatched(start []*job) {
	for _, j := range start {
		if j.in != nil {
			off := j.in.rec.Offset
			if m.done[off] {
				m.t.Fatalf("offset %d is handled again after its commit", off)
			}
			for o := range off {
				if m.log[o] == j.key && !m.done[o] {
					m.t.Fatalf("offset %d of key %s is handled before offset %d is committed", off, j.key, o)
				}
			}
		}
		if j.in == nil && !m.wake[j.key].Equal(j.due) {
			m.t.Fatalf("the timer of key %s fired for %v, committed is %v", j.key, j.due, m.wake[j.key])
		}
		for _, r := range m.running {
			if r.key == j.key && r.part == j.part {
				m.t.Fatalf("key %s is handled twice at a time", j.key)
			}
		}
		if got := string(m.tr.state(j).value); got != stateText(m.state[j.key]) {
			m.t.Fatalf("key %s sees state %q, committed is %q", j.key, got, stateText(m.state[j.key]))
		}
		m.running = append(m.running, j)
	}
}

func stateText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (m *model) assign() {
	if m.held {
		return
	}
	m.held, m.running, m.batch = true, nil, nil
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
	keys := map[string]keyState{}
	for k, n := range m.state {
		keys[k] = keyState{value: []byte(stateText(n)), wake: m.wake[k], changed: m.now}
	}
	start, _ := m.tr.restored(p, keys, m.now)
	m.dispatched(start)
}

func (m *model) fetch() {
	if !m.held {
		return
	}
	var ins []*input
	for range min(m.tr.room(), rapid.IntRange(1, 8).Draw(m.t, "fetched")) {
		for m.pos == len(m.log) || m.log[m.pos] == "" {
			if m.pos == len(m.log) {
				m.log = append(m.log, rapid.SampledFrom([]string{"a", "b", "c", "d", ""}).Draw(m.t, "record"))
				continue
			}
			m.pos++
		}
		ins = append(ins, &input{rec: &Record{Offset: int64(m.pos), Key: []byte(m.log[m.pos]), Timestamp: m.now}, size: 10})
		m.pos++
	}
	start, _ := m.tr.admit(ins, m.now)
	m.dispatched(start)
}

func (m *model) finish() {
	if len(m.running) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.running)-1).Draw(m.t, "finishing")
	j := m.running[i]
	m.running = slices.Delete(m.running, i, i+1)
	r := Result{State: SetState([]byte(stateText(m.state[j.key] + 1)))}
	switch rapid.IntRange(0, 2).Draw(m.t, "wake") {
	case 0:
		r.Wake = WakeAt(m.now.Add(time.Second))
	case 1:
		r.Wake = ClearWake()
	}
	m.tr.finish(j, &outcome{result: r, size: 1})
}

func (m *model) pick() {
	if m.batch == nil && m.held {
		b := m.tr.pick(rapid.IntRange(1, 5).Draw(m.t, "batch"), 1<<20, m.now)
		m.batch = &b
	}
}

// land commits what was picked: in Kafka first, then in the tracker, unless the
// partition went away in between.
func (m *model) land() {
	if m.batch == nil || m.batch.jobs == 0 {
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
	for i, j := range pb.jobs {
		m.state[j.key]++
		m.wake[j.key] = pb.next[i].wake
		if j.in != nil {
			m.done[j.in.rec.Offset] = true
		}
	}
	for o := range int(m.com.base) {
		if m.log[o] != "" && !m.done[int64(o)] {
			m.t.Fatalf("offset %d is below the committed %d and was never handled", o, m.com.base)
		}
	}
	b := *m.batch
	m.batch = nil
	start, _ := m.tr.committedBatch(b, m.now)
	m.dispatched(start)
}

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
	m.tr.forget([]int32{0})
	m.held = false
	if m.batch != nil && rapid.Bool().Draw(m.t, "commit landed") {
		m.land()
	}
	m.batch = nil
	for _, j := range m.running { // late completions of an assignment that is over
		if m.tr.finish(j, &outcome{size: 1}) {
			m.t.Fatal("a completion of an old assignment was accepted")
		}
	}
	m.running = nil
	if s := m.tr.stats(); s.records != 0 || s.bytes != 0 || s.running != 0 || s.timersDue != 0 {
		m.t.Fatalf("after all is lost the tracker still counts %+v", s)
	}
}

func TestTrackerAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			t: t, tr: newTracker(limits{records: 12, timers: 3, bytes: 1000}), now: time.UnixMilli(1_000_000),
			state: map[string]int{}, wake: map[string]time.Time{}, done: map[int64]bool{},
		}
		steps := map[string]func(*rapid.T){}
		for name, f := range map[string]func(){
			"assign": m.assign, "fetch": m.fetch, "finish": m.finish, "pick": m.pick,
			"land": m.land, "refuse": m.refuse, "fire": m.fire, "lose": m.lose,
		} {
			steps[name] = func(t *rapid.T) { m.t = t; f() }
		}
		t.Repeat(steps)
		// In the end everything comes to rest.
		m.t = t
		m.batch = nil
		m.assign()
		for range 10_000 {
			if m.pos == len(m.log) && len(m.running) == 0 && m.tr.stats().records == 0 {
				break
			}
			for m.pos < len(m.log) && m.tr.room() > 0 {
				in := &input{rec: &Record{Offset: int64(m.pos), Key: []byte(m.log[m.pos]), Timestamp: m.now}, size: 10}
				m.pos++
				if m.log[m.pos-1] == "" {
					continue
				}
				start, _ := m.tr.admit([]*input{in}, m.now)
				m.dispatched(start)
			}
			for len(m.running) > 0 {
				j := m.running[0]
				m.running = m.running[1:]
				m.tr.finish(j, &outcome{result: Result{State: SetState([]byte(stateText(m.state[j.key] + 1))), Wake: ClearWake()}, size: 1})
			}
			m.pick()
			m.land()
		}
		for o, k := range m.log {
			if k != "" && !m.done[int64(o)] {
				t.Fatalf("offset %d was never handled; %s", o, fmt.Sprintf("%+v", m.tr.stats()))
			}
		}
	})
}

func TestTrackerPausesAPartitionThatCanTakeNoMore(t *testing.T) {
	t.Parallel()
	tr := newTracker(limits{records: 8, timers: 1, bytes: 1 << 20})
	for id := range int32(2) {
		tr.restored(tr.assign(t.Context(), id, completion{}), map[string]keyState{}, time.Time{})
	}
	admit := func(id int32, n int, from int64) ([]*job, []int32) {
		var ins []*input
		for i := range n {
			ins = append(ins, &input{rec: &Record{Partition: id, Offset: from + int64(i)}, size: 1})
		}
		return tr.admit(ins, time.Time{})
	}
	start, pause := admit(0, 8, 0)
	if len(start) != 6 || !slices.Equal(pause, []int32{0}) {
		t.Fatalf("%d started, paused %v: want 6 of 8 and a pause, so that the other partition has room", len(start), pause)
	}
	if other, _ := admit(1, 2, 0); len(other) != 2 {
		t.Fatalf("%d of 2 records of the other partition started", len(other))
	}
	for _, j := range start {
		tr.finish(j, &outcome{size: 1})
	}
	more, resume := tr.committedBatch(tr.pick(100, 100, time.Time{}), time.Time{})
	if len(more) != 2 || !slices.Equal(resume, []int32{0}) {
		t.Fatalf("after the commit %d started, resumed %v: want the 2 that waited", len(more), resume)
	}
}
