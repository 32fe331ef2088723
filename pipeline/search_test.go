package pipeline

import (
	"errors"
	"fmt"
	"math/bits"
	"testing"
	"time"
)

// TestSearchEnds: whichever partition has the result that Kafka refuses, and however
// busy all of them are, it is alone in a batch after about so many refusals as halving
// takes.
func TestSearchEnds(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int32{1, 3, 6, 12} {
		for bad := range partitions {
			for phase := range int(partitions) {
				for _, at := range []int64{0, 50, 99} {
					t.Run(fmt.Sprintf("%d partitions, in %d at %d, turn %d", partitions, bad, at, phase), func(t *testing.T) {
						searchEnds(t, partitions, bad, at, phase)
					})
				}
			}
		}
	}
}

func searchEnds(t *testing.T, partitions, bad int32, at int64, phase int) {
	const each = 100
	tr := openTracker(t, partitions, limits{records: 1 << 20, waiting: 1 << 20, parked: 2, timers: 1, bytes: 1 << 40, kept: 1 << 40, ahead: 3})
	for range phase {
		tr.pick(1, 1, true, 0)
	}
	c := &committer{session: &session{tracker: tr}}
	offsets := map[int32]int64{}
	refill := func() { // every partition is as busy as it can be
		for id, p := range tr.parts {
			for len(p.done) < each {
				start, _ := tr.admit(inputs(id, offsets[id], 1))
				offsets[id]++
				tr.finish(start[0], &outcome{size: 1}, time.Time{})
			}
		}
	}
	refused := 0
	for range 100 {
		refill()
		b := c.pick(false)
		var poison *job
		for _, pb := range b.parts {
			for _, j := range pb.jobs {
				if pb.part.id == bad && j.in.rec.Offset == at {
					poison = j
				}
			}
		}
		switch {
		case poison == nil:
			c.searched(b)
			tr.confirm(b)
			for _, pb := range b.parts {
				tr.apply(pb.part, pb.jobs)
			}
		case b.jobs == 1:
			if most := bits.Len(uint(partitions)*each) + 2; refused > most {
				t.Errorf("found after %d refusals, want at most %d", refused, most)
			}
			return
		default:
			refused++
			r := &refusedError{err: errors.New("refused"), jobs: []*job{poison, b.parts[0].jobs[0]}} // more than one
			if err := c.search(b, r); err == nil {
				t.Fatal("a search without an error")
			}
		}
	}
	t.Errorf("not found in 100 batches, %d of them refused", refused)
}
