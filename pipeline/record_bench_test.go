package pipeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkRecord is what the engine itself does for a record, without Kafka and
// without a handler: copy it, admit it, finish it, and commit it in a batch of
// 10,000. One operation is one record.
func BenchmarkRecord(b *testing.B) {
	for _, keys := range []int{12, 1 << 30} {
		for _, state := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/state=%v", keys, state), func(b *testing.B) { benchmarkRecord(b, keys, state) })
		}
	}
}

func benchmarkRecord(b *testing.B, keys int, state bool) {
	t := newTracker(limits{records: maxBatchJobs, waiting: 2 * maxBatchJobs, parked: maxPoll, timers: 1, bytes: 1 << 30, kept: 1 << 30, ahead: maxAhead})
	t.restored(t.assign(b.Context(), 0, completion{}), map[string]*keyState{})
	c := &committer{session: &session{outputs: map[string]string{"out": "out"}}}
	now := time.Now()
	var result Result
	if state {
		result.State = SetState(make([]byte, 200))
	}
	finish := func(start []*job) {
		for len(start) > 0 {
			j := start[len(start)-1]
			start = start[:len(start)-1]
			r := result
			r.Events = []Event{{Topic: "out", Key: j.in.rec.Key, Value: j.in.rec.Value}}
			j.first = outcome{result: r, size: resultSize(r)}
			next, _ := t.finish(j, &j.first, now)
			start = append(start, next...)
		}
	}
	value := make([]byte, 100)
	b.ReportAllocs()
	for offset := 0; offset < b.N; {
		for range maxBatchJobs / maxPoll {
			ins := make([]*input, maxPoll)
			for i := range ins {
				ins[i] = inputOf(&kgo.Record{Offset: int64(offset), Key: fmt.Append(nil, "key-", offset%keys), Value: value, Timestamp: now}, "in")
				offset++
			}
			start, _ := t.admit(ins)
			finish(start)
		}
		for {
			batch := t.pick(maxBatchJobs, maxBatchBytes, false, 0)
			if batch.jobs == 0 {
				break
			}
			c.spare = c.records(batch)
			clear(c.spare)
			t.confirm(batch)
			for _, pb := range batch.parts {
				start, _ := t.apply(pb.part, pb.jobs)
				finish(start)
			}
		}
	}
}
