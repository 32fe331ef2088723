package pipeline

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What a commit means for its keys goes on beside the next commit, but for one
// commit after the other: results of a key leave its lane in order.
func TestApply_OneCommitAfterTheOther(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var at, overlaps atomic.Int32
	c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
		return Result{Events: []Event{out(tr.Key, string(tr.Event.Value))}}, nil
	}}, func(cfg *Config) {
		cfg.Committed = func(string, iter.Seq[Event]) {
			if at.Add(1) > 1 {
				overlaps.Add(1)
			}
			time.Sleep(30 * time.Millisecond) // longer than a commit
			at.Add(-1)
		}
	})
	const n = 20
	for i := range n {
		c.publish("k", fmt.Sprint(i))
		time.Sleep(5 * time.Millisecond)
	}
	c.read("out", n)
	if got := overlaps.Load(); got != 0 {
		t.Errorf("%d commits were applied beside the one before", got)
	}
}

// The client uses the memory of a record again as soon as it was taken in.
func TestInputOf_SharesNothingWithTheClient(t *testing.T) {
	t.Parallel()
	piece := func(s string) []byte { return []byte(s) }
	r := &kgo.Record{Key: piece("key"), Value: piece("value"), Headers: []kgo.RecordHeader{
		{Key: headerID, Value: piece("id")}, {Key: headerTraceparent, Value: piece("trace")}, {Key: "other", Value: piece("x")},
	}}
	in := inputOf(r, "in")
	for _, b := range [][]byte{r.Key, r.Value, r.Headers[0].Value, r.Headers[1].Value, r.Headers[2].Value} {
		clear(b)
	}
	clear(r.Headers)
	got := []string{in.job.key, string(in.rec.Key), string(in.rec.Value), in.job.cause, in.job.traceparent}
	for _, h := range in.rec.Headers {
		got = append(got, h.Key+"="+string(h.Value))
	}
	if want := []string{"key", "key", "value", "id", "trace", "ce_id=id", "traceparent=trace", "other=x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
