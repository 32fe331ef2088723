package pipeline

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// Headers of a dead letter, beside the headers of the original record. All are
// text.
const (
	HeaderDeadLetterStage     = "dead_letter_stage"
	HeaderDeadLetterClass     = "dead_letter_class"     // why, out of a closed set
	HeaderDeadLetterError     = "dead_letter_error"     // why, in words
	HeaderDeadLetterAttempts  = "dead_letter_attempts"  // how often it was tried
	HeaderDeadLetterFirstAt   = "dead_letter_first_at"  // RFC 3339
	HeaderDeadLetterLastAt    = "dead_letter_last_at"   // RFC 3339
	HeaderDeadLetterTrigger   = "dead_letter_trigger"   // "record" or "timer"
	HeaderDeadLetterTopic     = "dead_letter_topic"     // where it came from
	HeaderDeadLetterPartition = "dead_letter_partition" //
	HeaderDeadLetterOffset    = "dead_letter_offset"    // of a record
	HeaderDeadLetterDue       = "dead_letter_due"       // of a timer, RFC 3339
	HeaderDeadLetterKey       = "dead_letter_key"       // original key in base64, absent if the record had none
	HeaderDeadLetterTruncated = "dead_letter_truncated" // "value": the value did not fit
	HeaderDeadLetterRedrives  = headerRedrives          // how often it had been redriven before
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
	var id, where string
	e := Event{}
	if j.in != nil {
		r := j.in.rec
		where = fmt.Sprintf("%d|%d", r.Offset, r.redrives())
		e.Value = r.Value
		for _, h := range r.Headers {
			if h.Key != headerRedrives {
				e.Headers = append(e.Headers, h)
			}
		}
	} else {
		where = fmt.Sprintf("%s|%d", j.key, j.due.UnixMilli())
	}
	id = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "dead-letter|%s|%s|%d|%s", stage, topic, j.part.id, where)).String()
	e.Key = []byte(id)
	add := func(k, v string) { e.Headers = append(e.Headers, Header{k, []byte(v)}) }
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
	if j.in != nil {
		add(HeaderDeadLetterTrigger, "record")
		add(HeaderDeadLetterOffset, strconv.FormatInt(j.in.rec.Offset, 10))
		add(HeaderDeadLetterRedrives, strconv.Itoa(j.in.rec.redrives()))
	} else {
		add(HeaderDeadLetterTrigger, "timer")
		add(HeaderDeadLetterDue, j.due.UTC().Format(time.RFC3339Nano))
	}
	return e
}

// withoutValue is what remains of a dead letter that Kafka does not take.
func withoutValue(e Event) Event {
	e.Value = nil
	var own []Header
	for _, h := range e.Headers {
		if strings.HasPrefix(h.Key, "dead_letter_") {
			own = append(own, h)
		}
	}
	e.Headers = append(own, Header{HeaderDeadLetterTruncated, []byte("value")})
	return e
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
