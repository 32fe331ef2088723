package pipeline

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// Headers of a dead letter, beside the headers of the original record. All are
// text. Names that begin like these are the engine's own: on an input record
// they do not count as the record's headers.
//
// A value is never null here, because on a compacted topic that would delete the
// dead letter: what had none has an empty one, and a header says so. Once
// redriven, a dead letter is replaced by one with the same key and headers,
// HeaderDeadLetterRedrivenAt in addition, and an empty value.
const (
	HeaderDeadLetterStage      = "dead_letter_stage"
	HeaderDeadLetterClass      = "dead_letter_class"       // why, out of a closed set
	HeaderDeadLetterError      = "dead_letter_error"       // why, in words
	HeaderDeadLetterAttempts   = "dead_letter_attempts"    // how often it was tried
	HeaderDeadLetterFirstAt    = "dead_letter_first_at"    // RFC 3339
	HeaderDeadLetterLastAt     = "dead_letter_last_at"     // RFC 3339
	HeaderDeadLetterTrigger    = "dead_letter_trigger"     // "record" or "timer"
	HeaderDeadLetterTopic      = "dead_letter_topic"       // where it came from
	HeaderDeadLetterPartition  = "dead_letter_partition"   //
	HeaderDeadLetterOffset     = "dead_letter_offset"      // of a record, and of a timer that was redriven
	HeaderDeadLetterDue        = "dead_letter_due"         // of a timer, RFC 3339
	HeaderDeadLetterKey        = "dead_letter_key"         // original key in base64, absent if the record had none
	HeaderDeadLetterNoValue    = "dead_letter_no_value"    // "null": the record had no value
	HeaderDeadLetterTruncated  = "dead_letter_truncated"   // "value": the value did not fit
	HeaderDeadLetterRedrives   = headerRedrives            // how often it had been redriven before
	HeaderDeadLetterRedrivenAt = "dead_letter_redriven_at" // RFC 3339; absent until it is redriven

	deadLetterPrefix = "dead_letter_"

	triggerRecord = "record"
	triggerTimer  = "timer"
)

const maxErrorText = 512

// attempts is the history of a trigger that the engine gave up on.
type attempts struct {
	count       int
	first, last time.Time
}

// deadLetter makes the event for a trigger that the engine gave up on. Its key is the same
// however often the same trigger is given up after a crash.
func deadLetter(stage, topic string, j *job, class string, cause error, a attempts) Event {
	e := Event{Value: []byte{}}
	add := func(k, v string) { e.Headers = append(e.Headers, Header{k, []byte(v)}) }
	var where string
	if j.in != nil {
		r := &j.in.rec
		where = fmt.Sprintf("%d|%d", r.Offset, r.redrives())
		e.Headers = foreign(r.Headers)
		switch {
		case r.Value != nil:
			e.Value = r.Value
		case !j.wakes():
			add(HeaderDeadLetterNoValue, "null")
		}
	} else {
		where = fmt.Sprintf("%s|%d", j.key, j.due.UnixMilli())
	}
	id := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "dead-letter|%s|%s|%d|%s", stage, topic, j.part.id, where)).String()
	e.Key = []byte(id)
	add(HeaderDeadLetterStage, stage)
	add(HeaderDeadLetterClass, class)
	add(HeaderDeadLetterError, oneLine(cause.Error()))
	add(HeaderDeadLetterAttempts, strconv.Itoa(a.count))
	add(HeaderDeadLetterFirstAt, a.first.UTC().Format(time.RFC3339Nano))
	add(HeaderDeadLetterLastAt, a.last.UTC().Format(time.RFC3339Nano))
	add(HeaderDeadLetterTopic, topic)
	add(HeaderDeadLetterPartition, strconv.Itoa(int(j.part.id)))
	if j.keyed {
		add(HeaderDeadLetterKey, base64.StdEncoding.EncodeToString([]byte(j.key)))
	}
	due := j.due
	if j.in != nil {
		add(HeaderDeadLetterOffset, strconv.FormatInt(j.in.rec.Offset, 10))
		add(HeaderDeadLetterRedrives, strconv.Itoa(j.in.rec.redrives()))
		due, _ = j.in.rec.wake()
	}
	if !j.wakes() {
		add(HeaderDeadLetterTrigger, triggerRecord)
		return e
	}
	add(HeaderDeadLetterTrigger, triggerTimer)
	add(HeaderDeadLetterDue, due.UTC().Format(time.RFC3339Nano))
	return e
}

// foreign are the headers that are not the engine's own.
func foreign(hs []Header) []Header {
	return slices.DeleteFunc(slices.Clone(hs), func(h Header) bool { return strings.HasPrefix(h.Key, deadLetterPrefix) })
}

// withoutValue is what remains of a dead letter that Kafka does not take.
func withoutValue(e Event) Event {
	e.Value = []byte{}
	var own []Header
	for _, h := range e.Headers {
		if strings.HasPrefix(h.Key, deadLetterPrefix) {
			own = append(own, h)
		}
	}
	e.Headers = append(own, Header{HeaderDeadLetterTruncated, []byte("value")})
	return e
}

// truncated reports whether a dead letter has lost its value already.
func (e Event) truncated() bool {
	return slices.ContainsFunc(e.Headers, func(h Header) bool { return h.Key == HeaderDeadLetterTruncated })
}

// oneLine bounds an error text and takes out what would garble a terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return s
}
