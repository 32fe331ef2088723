package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTrackerPausesAPartitionThatCanTakeNoMore(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 2, limits{records: 8, waiting: 8, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	admit := func(id int32, n, from int64) ([]*job, []int32) { return tr.admit(inputs(id, from, n)) }
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
	commit := func() bool { _, resume := tr.commitAll(false); return slices.Contains(resume, 0) }
	if !commit() {
		t.Fatal("with a single parked record fetching does not go on after the commit")
	}
	tr.finish(start[2], &outcome{size: 1}, time.Time{})
	if commit() {
		t.Fatal("resumed although it is not paused")
	}
}

// inputs are n small records of a partition.
func inputs(id int32, from, n int64) (ins []*input) {
	for i := range n {
		ins = append(ins, &input{rec: Record{Partition: id, Offset: from + i}, size: 1})
	}
	return ins
}

// openTracker has n partitions that begin at 0 without state.
func openTracker(t *testing.T, n int32, l limits) *tracker {
	tr := newTracker(l)
	for id := range n {
		tr.restored(tr.assign(t.Context(), id, completion{}), map[string]*keyState{})
	}
	return tr
}

// commitAll commits what is finished and returns the jobs to start and the partitions
// whose fetching may go on.
func (t *tracker) commitAll(idle bool) (start []*job, resume []int32) {
	b := t.pick(100, 100, idle, 0)
	t.confirm(b)
	for _, pb := range b.parts {
		for jobs := range pb.chunks(2) {
			next, more := t.apply(pb.part, jobs)
			start, resume = append(start, next...), append(resume, more...)
		}
	}
	return start, resume
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
	if _, resume := tr.commitAll(true); !slices.Contains(resume, 2) {
		t.Fatalf("fetching goes on for %v, want partition 2 among them", resume)
	}
}

// Where a partition is taken away, others have the room that it had.
func TestTrackerGoesOnWithOthersWhereOneIsForgotten(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 3, limits{records: 4, waiting: 8, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	for id := range int32(3) {
		tr.admit(inputs(id, 0, 2))
	}
	if start, _ := tr.forget([]int32{0, 1}); len(start) != 2 {
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
		b := tr.pick(many, 1<<40, false, 0)
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
	if _, resume := tr.commitAll(false); !slices.Equal(resume, []int32{0}) || tr.stats().records != 9 || tr.room() == 0 {
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
	admit := func(id int32, n int64) []*job {
		start, _ := tr.admit(inputs(id, 0, n))
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

// TestTrackerResumesAPartitionWithNothingToCommit: what a paused partition has parked
// is let in by what finishes elsewhere, and turns out to be handled already. There is no commit
// of that partition that could say that its fetching may go on.
func TestTrackerResumesAPartitionWithNothingToCommit(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 2, limits{records: 4, waiting: 8, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	tr.restored(tr.assign(t.Context(), 2, completion{base: 50, end: 100, unfinished: []int64{50, 70}}), map[string]*keyState{})
	admit := func(id int32, from, n int64) ([]*job, []int32) { return tr.admit(inputs(id, from, n)) }
	first, _ := admit(2, 50, 1)
	tr.finish(first[0], &outcome{size: 1}, time.Time{})
	tr.commitAll(false)
	busy, _ := admit(0, 0, 3)
	admit(1, 0, 1)
	if _, pause := admit(2, 51, 2); !slices.Equal(pause, []int32{2}) {
		t.Fatalf("paused %v, want 2, as there is no room", pause)
	}
	if _, news := tr.finish(busy[0], &outcome{size: 1}, time.Time{}); !news.resume {
		t.Fatal("nobody is told that fetching may go on")
	}
	if got := tr.resumes(); !slices.Equal(got, []int32{2}) {
		t.Fatalf("fetching of %v goes on, want 2", got)
	}
	if start, _ := admit(2, 70, 1); len(start) != 1 {
		t.Fatal("the offset that was left is not handled")
	}
}

// TestTrackerPicksFromEachPartition: one that always has more than a batch takes does
// not keep the results of another from their commit.
func TestTrackerPicksFromEachPartition(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 3, limits{records: 1000, waiting: 1000, parked: 2, timers: 1, bytes: 1 << 20, kept: 1 << 20, ahead: 3})
	offsets := map[int32]int64{}
	finish := func(id int32, n int) {
		for range n {
			start, _ := tr.admit(inputs(id, offsets[id], 1))
			offsets[id]++
			tr.finish(start[0], &outcome{size: 1}, time.Time{})
		}
	}
	finish(0, 4)
	finish(1, 4)
	finish(2, 4)
	picked := map[int32]int{}
	commit := func() {
		b := tr.pick(2, 100, false, 0)
		tr.confirm(b)
		for _, pb := range b.parts {
			picked[pb.part.id] += len(pb.jobs)
			tr.apply(pb.part, pb.jobs)
		}
	}
	for range 3 {
		finish(0, 2)
		commit()
	}
	if picked[0] != 2 || picked[1] != 2 || picked[2] != 2 {
		t.Fatalf("in three batches of two the partitions had %v", picked)
	}
	tr.drain([]int32{2}) // it would be the turn of 1
	commit()
	if picked[2] != 4 {
		t.Fatal("a partition that is being taken away is not picked first")
	}
}

// TestTrackerSharesResults: handlers of a stuck partition leave room for results of others.
func TestTrackerSharesResults(t *testing.T) {
	t.Parallel()
	tr := openTracker(t, 2, limits{records: 100, waiting: 100, parked: 100, timers: 1, bytes: 1 << 20, kept: 40, ahead: 3})
	admit := func(id int32, from, n int64) []*job {
		start, _ := tr.admit(inputs(id, from, n))
		return start
	}
	first := admit(0, 0, 1)
	tr.finish(first[0], &outcome{size: 5}, time.Time{})
	tr.commitAll(false)
	if n := len(admit(0, 1, 50)); n != 6 {
		t.Fatalf("%d handlers of one partition run, want 6: three quarters of the room for results of 5", n)
	}
	other := admit(1, 0, 10)
	if len(other) != 2 {
		t.Fatalf("%d handlers of the other partition run, want 2", len(other))
	}
	for n := range 9 { // the first never ends
		next, _ := tr.finish(other[len(other)-1], &outcome{size: 5}, time.Time{})
		other = append(other[:len(other)-1], next...)
		next, _ = tr.commitAll(false)
		if other = append(other, next...); len(other) == 0 {
			t.Fatalf("the other partition stands still after %d results", n+1)
		}
	}
}
