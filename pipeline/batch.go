package pipeline

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// A batch is what one transaction commits.
type batch struct {
	parts []partBatch
	size  int64
	jobs  int
}

// writes says whether the batch has anything to commit beside offsets.
func (b batch) writes() bool {
	for _, pb := range b.parts {
		for _, j := range pb.jobs {
			if j.write || j.out.dead != nil || len(j.out.result.Events) > 0 {
				return true
			}
		}
	}
	return false
}

// events are those of the results, without the dead letters.
func (b batch) events(yield func(Event) bool) {
	for _, pb := range b.parts {
		for _, j := range pb.jobs {
			for _, e := range j.out.result.Events {
				if !yield(e) {
					return
				}
			}
		}
	}
}

type partBatch struct {
	part  *partition
	pick  uint64 // number of the pick that took the jobs
	jobs  []*job
	done  completion
	epoch int32 // leader epoch that goes with the offset
}

// chunks are the jobs, at most n at a time, and none once if there are none: fetching
// may go on all the same.
func (pb partBatch) chunks(n int) iter.Seq[[]*job] {
	return func(yield func([]*job) bool) {
		for rest := pb.jobs; ; {
			first := rest[:min(n, len(rest))]
			rest = rest[len(first):]
			if !yield(first) || len(rest) == 0 {
				return
			}
		}
	}
}

// pick collects finished jobs, at most so many jobs and bytes of output (but at
// least one job), and what would be committed if all of them were. With since there
// are only those that were taken by that pick. If idle, partitions come along that
// only have something to say about offsets: markers that were passed.
func (t *tracker) pick(maxJobs int, maxBytes int64, idle bool, since uint64) batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blocked = false
	t.picks++
	var b batch
	for _, p := range t.turns() {
		pb, n := partBatch{part: p, pick: t.picks}, 0
		for _, j := range p.done {
			if j.picked < since || b.jobs > 0 && (b.jobs >= maxJobs || b.size+j.out.size > maxBytes) {
				break
			}
			j.picked = pb.pick
			b.size += j.out.size
			b.jobs++
			n++
		}
		pb.jobs = slices.Clone(p.done[:n])
		if len(pb.jobs) == 0 && !idle {
			continue
		}
		pb.done, pb.epoch = p.completionWithout(pb.pick)
		if len(pb.jobs) > 0 || pb.done.base > p.base {
			b.parts = append(b.parts, pb)
		}
	}
	return b
}

// turns are the partitions in the order in which they are picked from: those that are
// being taken away first, as somebody waits for them. Of the others each is the first
// one in its turn, else one that is busy could fill every batch.
func (t *tracker) turns() []*partition {
	var urgent, others []*partition
	for _, id := range slices.Sorted(maps.Keys(t.parts)) {
		if p := t.parts[id]; p.draining {
			urgent = append(urgent, p)
		} else {
			others = append(others, p)
		}
	}
	if len(others) == 0 {
		return urgent
	}
	first := t.picks % uint64(len(others))
	return slices.Concat(urgent, others[first:], others[:first])
}

// completionWithout is what is finished once the jobs of a pick are.
func (p *partition) completionWithout(pick uint64) (completion, int32) {
	c, epoch := completion{end: p.end, base: p.end}, p.epoch
	for _, e := range p.pending {
		if e.picked(pick) {
			continue
		}
		if len(c.unfinished) == 0 {
			c.base, epoch = e.offset, e.epoch()
		}
		c.unfinished = append(c.unfinished, e.offset)
	}
	return c, epoch
}

// confirm notes that a batch is committed: its offsets are finished, and the next
// pick may follow. What else that means is up to apply, which takes longer.
func (t *tracker) confirm(b batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, pb := range b.parts {
		p := pb.part
		if p.gone {
			continue
		}
		p.active -= len(pb.jobs)
		p.base = max(p.base, pb.done.base)
		p.pending = slices.DeleteFunc(p.pending, func(e pending) bool { return e.picked(pb.pick) })
		p.done = slices.Delete(p.done, 0, len(pb.jobs))
	}
}

// apply makes results of a confirmed batch the truth for their keys: state and
// timers change, and what waited for the commit goes on. It returns the jobs to
// start and the partitions whose fetching may go on. It is called for all jobs of a partition in
// their order, for some at a time, so that nobody waits long, and for batches in the
// order in which they were confirmed.
func (t *tracker) apply(p *partition, jobs []*job) (start []*job, resume []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.gone {
		return nil, nil
	}
	for _, j := range jobs {
		t.keep(p, -j.out.size)
		if j.in != nil {
			t.count(p, -1, 0, -j.in.size)
			t.wait(p, -1)
		} else {
			t.count(p, 0, -1, 0)
		}
		if j.keyed {
			p.leave(j)
		}
	}
	for _, j := range jobs {
		if j.keyed {
			p.arm(j.lane)
			start = t.advance(start, p, j.lane)
		}
	}
	start = t.refill(start)
	return t.dequeue(start), t.resume()
}

// leave takes a committed job out of its lane and makes the state it wanted
// that of its key.
func (p *partition) leave(j *job) {
	l := j.lane
	l.jobs[0] = nil
	l.jobs = l.jobs[1:]
	l.finished--
	if j.in == nil {
		l.timers--
	}
	if !j.write {
		return
	}
	if l.state != nil {
		p.size -= l.state.size(l.key)
	}
	if j.next.empty() {
		l.state = nil
		delete(p.keys, l.key)
		return
	}
	l.state = j.next
	if !l.ownKey { // what the key shares its memory with is not to stay with the state
		l.key, l.ownKey = strings.Clone(l.key), true
	}
	p.keys[l.key] = j.next
	p.size += j.next.size(l.key)
}

// arm sees to it that the committed timer of a key is waiting, unless it has
// fired and is in the lane.
func (p *partition) arm(l *lane) {
	wake := l.state.timer()
	if l.hasTimer(wake) {
		wake = time.Time{}
	}
	p.timers.set(l.key, wake)
}
