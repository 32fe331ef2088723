package pipeline

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestOddRecords: no key, an empty key, no value, an empty value, no headers, an
// empty header. The difference between nothing and empty is kept all the way.
func TestOddRecords(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	show := func(b []byte) string {
		if b == nil {
			return "nil"
		}
		return fmt.Sprintf("%q", b)
	}
	c.run(handler{handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
		e := tr.Event
		for _, h := range e.Headers {
			if h.Key == "fail" {
				return Result{}, Permanent("bad_input", errors.New("as was wished"))
			}
		}
		r := Result{Events: []Event{{Topic: "out", Key: e.Key, Value: e.Value, Headers: append([]Header{{"saw", fmt.Appendf(nil, "%s %s %d %q", show(e.Key), show(e.Value), len(e.Headers), tr.Key)}}, e.Headers...)}}}
		if e.Key != nil {
			r.State = SetState(e.Value) // also an empty one is a state
		}
		return r, nil
	}})
	recs := []*kgo.Record{
		{Key: nil, Value: []byte("v")},
		{Key: []byte{}, Value: []byte("v")},
		{Key: []byte("tombstone"), Value: nil},
		{Key: []byte("empty"), Value: []byte{}},
		{Key: nil, Value: nil},
		{Key: []byte("headers"), Value: []byte("v"), Headers: []kgo.RecordHeader{header("a", ""), header("a", "1"), {Key: "", Value: nil}}},
	}
	want := map[string]bool{
		`nil "v" 0 ""`: true, `"" "v" 0 ""`: true, `"tombstone" nil 0 "tombstone"`: true,
		`"empty" "" 0 "empty"`: true, `nil nil 0 ""`: true, `"headers" "v" 3 "headers"`: true,
	}
	dead := map[string]*kgo.Record{}
	for _, r := range recs {
		r.Topic = "in"
		c.produce(r)
		failing := &kgo.Record{Topic: "in", Key: r.Key, Value: r.Value, Headers: append([]kgo.RecordHeader{header("fail", "yes")}, r.Headers...)}
		c.produce(failing)
		dead[fmt.Sprint(failing.Partition, failing.Offset)] = failing
	}
	for _, r := range c.read("out", len(recs)) {
		saw := headers(r)["saw"]
		if !want[saw] {
			t.Errorf("the handler saw %s", saw)
		}
		delete(want, saw)
		if k, v := show(r.Key), show(r.Value); saw[:len(k)+1+len(v)] != k+" "+v {
			t.Errorf("the handler saw %s, published is %s %s", saw, k, v)
		}
	}
	if len(want) > 0 {
		t.Errorf("not seen: %v", want)
	}
	for _, r := range c.read("dead-letters", len(recs)) {
		h := headers(r)
		from := dead[fmt.Sprint(h[HeaderDeadLetterPartition], " ", h[HeaderDeadLetterOffset])]
		if from == nil {
			t.Errorf("dead letter of partition %s, offset %s", h[HeaderDeadLetterPartition], h[HeaderDeadLetterOffset])
			continue
		}
		key, had := h[HeaderDeadLetterKey]
		if had != (from.Key != nil) || key != base64.StdEncoding.EncodeToString(from.Key) ||
			!bytes.Equal(r.Value, from.Value) || (h[HeaderDeadLetterNoValue] == "null") != (from.Value == nil) {
			t.Errorf("dead letter %s with key %q (%t), of key %s, value %s", show(r.Value), key, had, show(from.Key), show(from.Value))
		}
	}
}

// TestNoStateWithoutAKey: records without a key are nobody's, so a state for
// them would be shared by all.
func TestNoStateWithoutAKey(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.run(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
		r := Result{Events: []Event{out("k", "fine")}}
		switch string(tr.Event.Value) {
		case "state":
			r.State = SetState([]byte("x"))
		case "clear":
			r.State = ClearState()
		case "wake":
			r.Wake = WakeAt(tr.Now)
		}
		return r, nil
	}})
	for _, v := range []string{"state", "clear", "wake", "nothing"} {
		c.publish("", v)
	}
	for _, r := range c.read("dead-letters", 3) {
		if h := headers(r); h[HeaderDeadLetterClass] != classInvalidResult {
			t.Errorf("headers %v", h)
		}
	}
	c.read("out", 1)
}

// TestRedrivenRecord: one that comes back from the dead letters says how often,
// and is another dead letter if it fails again.
func TestRedrivenRecord(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	seen := make(chan int, 10)
	c.run(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
		seen <- tr.Redrive
		if tr.Redrive < 2 {
			return Result{}, Permanent("bad_input", errors.New("x"))
		}
		return Result{Events: []Event{out(tr.Key, "at last")}}, nil
	}})
	c.publish("k", "x")
	c.publish("k", "x", header(HeaderDeadLetterRedrives, "1"))
	c.publish("k", "x", header(HeaderDeadLetterRedrives, "2"))
	c.publish("k", "x", header(HeaderDeadLetterRedrives, "-7"), header(HeaderDeadLetterRedrives, "nonsense"))
	for i, want := range []int{0, 1, 2, 0} {
		if got := <-seen; got != want {
			t.Errorf("record %d: redriven %d times, want %d", i, got, want)
		}
	}
	c.read("out", 1)
	ids, redrives := map[string]bool{}, map[string]int{}
	for _, r := range c.read("dead-letters", 3) {
		ids[string(r.Key)] = true
		redrives[headers(r)[HeaderDeadLetterRedrives]]++
		n := 0
		for _, h := range r.Headers {
			if h.Key == HeaderDeadLetterRedrives {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d headers %s", n, HeaderDeadLetterRedrives)
		}
	}
	if len(ids) != 3 || redrives["0"] != 2 || redrives["1"] != 1 {
		t.Errorf("dead letters %v, redriven %v", ids, redrives)
	}
}
