package pipeline

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fuzzCanary stands where an error must not quote.
const fuzzCanary = "canary-77"

// Metadata that is taken describes a place in a partition, takes no more room
// when it is written again, and says the same then.
func FuzzDecodeMetadata(f *testing.F) {
	for _, done := range []completion{
		{}, {base: 7, end: 7}, {base: 3, end: 9, unfinished: []int64{3, 7}}, {base: 0, end: 6, unfinished: []int64{0, 2, 4}},
		{base: 1 << 40, end: 1<<40 + 20_000, unfinished: []int64{1 << 40, 1<<40 + 128, 1<<40 + 16_384}},
	} {
		s, err := metadata{instance: "i-1", seq: "s-7", topicID: testTopicID, done: done}.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s, done.base, done.runs([]byte{mapRuns}))
		f.Add(s[:len(s)-1], done.base, done.bits([]byte{mapBits}))
	}
	for i, s := range []string{
		"", "my own notes", "pipeline/2|" + fuzzCanary, "pipeline/1|i|s|" + fuzzCanary + "|AQIDAAAAAAAAAAAAAAAAEA|", "pipeline/1|i|s|-1|AQIDAAAAAAAAAAAAAAAAEA|",
		"pipeline/1|" + fuzzCanary + "|s|3|AQIDAAAAAAAAAAAAAAAAEA|cgE", "pipeline/1|i|s|+03|AQIDAAAAAAAAAAAAAAAAEA|YggB", "pipeline/1|i|s|3|AQIDAAAAAAAAAAAAAAAAEA|YgkB\nAA",
		"pipeline/1|i|s|3|AQIDAAAAAAAAAAAAAAAAEA|cv//////////AQ", "pipeline/1|i|s|3|AQIDAAAAAAAAAAAAAAAAEA|eA", "pipeline/1|i|s|3|AQIDAAAAAAAAAAAAAAAAEA|cgGA",
	} {
		f.Add(s, int64(i), []byte{mapBits, byte(i), 1})
	}
	f.Fuzz(func(t *testing.T, s string, base int64, b []byte) {
		checkMetadata(t, s)
		checkMetadata(t, strings.Join([]string{metadataMagic, "i", "s", strconv.FormatInt(base, 10), "AQIDAAAAAAAAAAAAAAAAEA", base64.RawURLEncoding.EncodeToString(b)}, "|"))
	})
}

func checkMetadata(t *testing.T, s string) {
	t.Helper()
	if len(s) > metadataLimit { // no broker keeps it
		return
	}
	m, err := decodeMetadata(s)
	if foreign := errors.Is(err, errForeignMetadata); foreign == strings.HasPrefix(s, "pipeline/") {
		t.Errorf("%q: got %v, another program's: %t", s, err, foreign)
	}
	if err != nil {
		if strings.HasPrefix(s, metadataMagic+"|") && strings.Contains(err.Error(), fuzzCanary) {
			t.Errorf("%q is quoted: %v", s, err)
		}
		return
	}
	if m.done.base > 1<<62 { // no partition gets there
		return
	}
	checkCompletion(t, m.done)
	again, err := m.encode()
	if err != nil || len(again) > len(s) {
		t.Fatalf("%q: written again it is %q, %v", s, again, err)
	}
	back, err := decodeMetadata(again)
	if err != nil || back.instance != m.instance || back.seq != m.seq || back.topicID != m.topicID ||
		back.done.base != m.done.base || back.done.end != m.done.end || !slices.Equal(back.done.unfinished, m.done.unfinished) {
		t.Errorf("%q: got %+v, %v, want %+v", again, back, err, m)
	}
}

func checkCompletion(t *testing.T, c completion) {
	t.Helper()
	if c.base < 0 || c.end < c.base {
		t.Errorf("got a map from %d to %d", c.base, c.end)
	}
	next := c.base
	for i, o := range c.unfinished {
		if o < next || o >= c.end || i == 0 && o != c.base {
			t.Fatalf("offset %d at %d of a map from %d to %d", o, i, c.base, c.end)
		}
		next = o + 1
	}
}

// State that is taken says the same after it was written again, and shares no
// memory with the record.
func FuzzDecodeState(f *testing.F) {
	now := time.UnixMilli(1_790_000_000_123)
	for _, s := range []keyState{
		{value: []byte("state"), wake: now.Add(time.Hour), changed: now, cause: "0e6c2d1a-9f4b-4d0e-8a57-3c1b2d4e5f60", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{wake: now, changed: now}, {value: []byte{}, changed: now}, {changed: now}, {value: []byte(fuzzCanary), wake: time.UnixMilli(-1), changed: time.UnixMilli(0)},
	} {
		b := s.encode(testTopicID)
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(b, 0))
	}
	f.Add([]byte{})
	f.Add([]byte{stateVersion + 1})
	f.Add((&keyState{changed: now}).encode([16]byte{9}))
	f.Add(append((&keyState{}).encode(testTopicID)[:17], 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		s, err := decodeState(given, testTopicID)
		ours := len(b) >= 17 && b[0] == stateVersion
		if other := ours && [16]byte(b[1:17]) != testTopicID; errors.Is(err, errOtherTopic) != other {
			t.Errorf("got %v, of another topic: %t", err, other)
		}
		if err != nil {
			if strings.Contains(err.Error(), fuzzCanary) {
				t.Errorf("the record is quoted: %v", err)
			}
			return
		}
		if !ours || !bytes.HasSuffix(b, s.value) || s.value == nil && b[len(b)-1] != 0 {
			t.Errorf("got value %q of %q", s.value, b)
		}
		again := s.encode(testTopicID)
		clear(given)
		if !bytes.Equal(s.encode(testTopicID), again) {
			t.Error("it changes with the record that it was read from")
		}
		back, err := decodeState(again, testTopicID)
		if err != nil || !back.timer().Equal(s.timer()) || !back.changed.Equal(s.changed) || back.cause != s.cause || back.traceparent != s.traceparent ||
			!bytes.Equal(back.value, s.value) || (back.value == nil) != (s.value == nil) || back.empty() != s.empty() {
			t.Errorf("got %+v, %v, want %+v", back, err, s)
		}
	})
}

// Whatever is in a record: as a dead letter it is complete, and redriven it is
// what it was, once more redriven.
func FuzzDeadLetter(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), true, true, "ce_id", []byte("e-1"), "", "", "boom")
	f.Add([]byte{}, []byte{}, true, true, "", []byte{}, "2", "", "two\nlines\tand \x1b[31m"+strings.Repeat("é", 400))
	f.Add([]byte{}, []byte{}, false, false, HeaderDeadLetterKey, []byte("*"), "-1", "", "")
	f.Add([]byte("key"), []byte{}, true, true, HeaderDeadLetterRedrivenAt, []byte("2026-11-22T09:15:02Z"), "1", "2026-11-22T09:15:02.123456789+02:00", "\xff")
	f.Add([]byte("\xff\x00"), []byte{}, true, false, HeaderDeadLetterTruncated, []byte("value"), "9223372036854775807", "0000-01-01T00:00:00Z", fuzzCanary)
	f.Fuzz(func(t *testing.T, key, value []byte, keyed, valued bool, name string, header []byte, redrives, wake, cause string) {
		if !keyed {
			key = nil
		} else if key == nil {
			key = []byte{}
		}
		if !valued {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		r := &kgo.Record{Key: key, Value: value, Offset: 42, Headers: []kgo.RecordHeader{
			{Key: name, Value: header}, {Key: headerRedrives, Value: []byte(redrives)}, {Key: headerWake, Value: []byte(wake)},
		}}
		in := inputOf(r, "in")
		due, timer := in.rec.wake()
		j := &job{part: &partition{id: 3}, in: in, key: string(key), keyed: keyed}
		first := time.Date(2026, 11, 22, 9, 15, 2, 5, time.UTC)
		e := deadLetter("accounts", "in", j, "permanent", errors.New(cause), attempts{5, first, first.Add(time.Second)})
		d, ok := readDeadLetter(&kgo.Record{Key: e.Key, Value: e.Value, Headers: recordHeaders(e.Headers)})
		if !ok || e.Value == nil {
			t.Fatalf("the dead letter %+v cannot be read", e)
		}
		if d.Stage != "accounts" || d.Class != "permanent" || d.Attempts != 5 || !d.FirstAt.Equal(first) || !d.LastAt.Equal(first.Add(time.Second)) ||
			d.Topic != "in" || d.Partition != 3 || d.Offset != 42 || d.Truncated || !d.RedrivenAt.IsZero() || d.Redrives != in.rec.redrives() {
			t.Errorf("got %+v", d)
		}
		if d.Timer != timer || timer && !d.Due.Equal(due) {
			t.Errorf("got timer %t, due %s, want %t, %s", d.Timer, d.Due, timer, due)
		}
		line := func(r rune) bool { return !unicode.IsPrint(r) }
		if len(d.Error) > maxErrorText+len("…") || !utf8.ValidString(d.Error) || strings.ContainsFunc(d.Error, line) {
			t.Errorf("got the error %q", d.Error)
		}
		checkOrigin(t, d, r, timer)
		if again, ok := readDeadLetter(d.redriven("dead-letters", first)); !ok || again.RedrivenAt.IsZero() || again.ID != d.ID || again.Redrives != d.Redrives || again.Value != nil {
			t.Errorf("once redriven it is %+v, %t", again, ok)
		}
	})
}

// checkOrigin wants of a redrive the record r again, or an empty one in place of
// a timer.
func checkOrigin(t *testing.T, d DeadLetter, r *kgo.Record, timer bool) {
	t.Helper()
	got := d.origin()
	want := r.Value
	if timer {
		want = []byte{}
	}
	if got.Topic != "in" || got.Partition != 3 || !bytes.Equal(got.Key, r.Key) || (got.Key == nil) != (r.Key == nil) ||
		!bytes.Equal(got.Value, want) || (got.Value == nil) != (want == nil) {
		t.Errorf("it goes back as %q, %q, want %q, %q", got.Key, got.Value, r.Key, want)
	}
	in := inputOf(got, got.Topic)
	theirs, before := foreign(in.rec.Headers), foreign(inputOf(r, "in").rec.Headers)
	if !slices.EqualFunc(theirs, before, func(a, b Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
		t.Errorf("it goes back with headers %q, want %q", theirs, before)
	}
	if d.Redrives < 1<<62 && in.rec.redrives() != d.Redrives+1 { // nobody redrives so often
		t.Errorf("it goes back as redriven %d times, want %d", in.rec.redrives(), d.Redrives+1)
	}
	if due, ok := in.rec.wake(); ok != timer || timer && !due.Equal(d.Due) {
		t.Errorf("it goes back as a timer: %t, due %s, want %t, %s", ok, due, timer, d.Due)
	}
}

// Whatever somebody has written to the topic of dead letters: what counts as one
// says where it belongs, and names no more than its headers do.
func FuzzReadDeadLetter(f *testing.F) {
	const id = "0e6c2d1a-9f4b-4d0e-8a57-3c1b2d4e5f60"
	f.Add(id, []byte("value"), "dead_letter_stage=accounts\ndead_letter_topic=in\ndead_letter_partition=3\ndead_letter_offset=42\ndead_letter_attempts=5\n"+
		"dead_letter_class=permanent\ndead_letter_error=boom\ndead_letter_first_at=2026-11-22T09:15:02Z\ndead_letter_last_at=2026-11-22T09:15:03Z\n"+
		"dead_letter_trigger=record\ndead_letter_key=a2V5\ndead_letter_redrives=1\nce_id=e-1")
	f.Add(id, []byte{}, "dead_letter_stage=a\ndead_letter_topic=in\ndead_letter_partition=0\ndead_letter_trigger=timer\ndead_letter_due=2026-11-22T09:15:02Z\ndead_letter_redriven_at=2026-11-22T09:15:02Z")
	f.Add(id, []byte("v"), "dead_letter_stage=a\ndead_letter_topic=in\ndead_letter_partition=0\ndead_letter_truncated=value\ndead_letter_no_value=null\ndead_letter_attempts=-5\ndead_letter_redrives=x")
	f.Add(strings.ToUpper(id), []byte{}, "dead_letter_stage=a\ndead_letter_topic=in\ndead_letter_partition=0")
	f.Add("{"+id+"}", []byte{}, "dead_letter_stage=a\ndead_letter_topic=in\ndead_letter_partition=0")
	f.Add(id, []byte{}, "dead_letter_stage=a\ndead_letter_topic=in\ndead_letter_partition=-1")
	f.Add(id, []byte{}, "dead_letter_stage=a\ndead_letter_topic=in\ndead_letter_partition=0\ndead_letter_key=*")
	f.Fuzz(func(t *testing.T, key string, value []byte, headers string) {
		r := &kgo.Record{Key: []byte(key), Value: value, Partition: 1, Offset: 7, Timestamp: time.UnixMilli(1_790_000_000_123)}
		last := map[string]string{} // value by name; the last one counts
		for line := range strings.SplitSeq(headers, "\n") {
			name, value, _ := strings.Cut(line, "=")
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
			last[name] = value
		}
		d, ok := readDeadLetter(r)
		if !ok {
			return
		}
		if parsed, err := uuid.Parse(d.ID); err != nil || parsed.String() != d.ID || d.ID != key || d.at != (spot{1, 7}) {
			t.Errorf("got id %q at %+v of key %q", d.ID, d.at, key)
		}
		if d.Stage == "" || d.Topic == "" || d.Stage != last[HeaderDeadLetterStage] || d.Topic != last[HeaderDeadLetterTopic] ||
			d.Class != last[HeaderDeadLetterClass] || d.Error != last[HeaderDeadLetterError] {
			t.Errorf("got %+v of %q", d, headers)
		}
		n, err := strconv.ParseInt(last[HeaderDeadLetterPartition], 10, 64)
		if d.Partition < 0 || err != nil || int32(n) != d.Partition || d.Attempts < 0 || d.Redrives < 0 || d.LastAt.IsZero() {
			t.Errorf("got %+v of %q", d, headers)
		}
		if lost := d.Timer || d.Truncated || !d.RedrivenAt.IsZero(); lost && d.Value != nil || d.Value != nil && !bytes.Equal(d.Value, value) {
			t.Errorf("got value %q of %q", d.Value, value)
		}
		if _, there := last[HeaderDeadLetterKey]; (d.Key != nil) != there {
			t.Errorf("got key %q, want one: %t", d.Key, there)
		}
		if slices.ContainsFunc(d.Headers, func(h Header) bool { return strings.HasPrefix(h.Key, deadLetterPrefix) }) {
			t.Errorf("got headers of the engine for the record: %q", d.Headers)
		}
		if in := inputOf(d.origin(), d.Topic); in.rec.redrives() != d.Redrives+1 && d.Redrives < 1<<62 {
			t.Errorf("it goes back as redriven %d times, want %d", in.rec.redrives(), d.Redrives+1)
		}
		if again, ok := readDeadLetter(d.redriven("dead-letters", r.Timestamp)); !ok || again.RedrivenAt.IsZero() || again.ID != d.ID || again.Stage != d.Stage || again.Topic != d.Topic {
			t.Errorf("once redriven it is %+v, %t", again, ok)
		}
	})
}
