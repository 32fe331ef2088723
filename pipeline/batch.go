package pipeline

import (
	"maps"
	"slices"
	"time"
)

// A batch is what one transaction commits.
type batch struct {
	parts []partBatch
	size  int64
	jobs  int
}

type partBatch struct {
	part  *partition
	jobs  []*job
	done  completion
	epoch int32 // leader epoch that goes with the offset
}

// pick collects finished jobs, at most so many jobs and bytes of output (but at
// least one job), and what would be committed if all of them were. If idle,
// partitions come along that only have something to say about offsets: markers
// that were passed.
func (t *tracker) pick(maxJobs int, maxBytes int64, idle bool) batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blocked = false
	var b batch
	for _, id := range slices.Sorted(maps.Keys(t.parts)) {
		p := t.parts[id]
		pb := partBatch{part: p}
		finished := map[int64]bool{}
		for _, j := range p.done {
			if b.jobs > 0 && (b.jobs >= maxJobs || b.size+j.out.size > maxBytes) {
				break
			}
			pb.jobs = append(pb.jobs, j)
			if j.in != nil {
				finished[j.in.rec.Offset] = true
			}
			b.size += j.out.size
			b.jobs++
		}
		if len(pb.jobs) == 0 && !idle {
			continue
		}
		pb.done, pb.epoch = p.completionWithout(finished)
		if len(pb.jobs) > 0 || pb.done.base > p.base {
			b.parts = append(b.parts, pb)
		}
	}
	return b
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
// and timers change. It returns the jobs to start and the partitions whose
// fetching may go on.
func (t *tracker) committedBatch(b batch, now time.Time) (start []*job, resume []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, pb := range b.parts {
		p := pb.part
		if p.gone {
			continue
		}
		finished := make(map[int64]bool, len(pb.jobs))
		for _, j := range pb.jobs {
			p.active--
			t.keep(p, -j.out.size)
			if j.in != nil {
				finished[j.in.rec.Offset] = true
				t.count(p, -1, 0, -j.in.size)
				t.wait(p, -1)
			} else {
				t.count(p, 0, -1, 0)
			}
			if j.keyed {
				p.leave(j)
			}
		}
		p.base = max(p.base, pb.done.base)
		p.pending = slices.DeleteFunc(p.pending, func(e pending) bool { return finished[e.offset] })
		p.done = slices.Delete(p.done, 0, len(pb.jobs))
		for _, j := range pb.jobs {
			if j.keyed {
				p.arm(j.key)
				if p.lanes[j.key] != nil {
					start = t.advance(start, p, j.key)
				}
			}
		}
		var more bool
		if start, more = t.unpark(start, p, now); more {
			resume = append(resume, p.id)
		}
	}
	return t.dequeue(start), resume
}

// leave takes a committed job out of its lane and makes the state it wanted
// that of its key.
func (p *partition) leave(j *job) {
	l := p.lanes[j.key]
	l.jobs = l.jobs[1:]
	l.finished--
	if j.in == nil {
		l.timers--
	}
	if !j.write {
		return
	}
	if old, ok := p.keys[j.key]; ok {
		p.size -= old.size(j.key)
	}
	if j.next.empty() {
		delete(p.keys, j.key)
		return
	}
	p.keys[j.key] = j.next
	p.size += j.next.size(j.key)
}

// arm sees to it that the committed timer of a key is waiting, unless it has
// fired and is in the lane.
func (p *partition) arm(key string) {
	wake := p.keys[key].wake
	if l := p.lanes[key]; l != nil && l.hasTimer(wake) {
		wake = time.Time{}
	}
	p.timers.set(key, wake)
}
