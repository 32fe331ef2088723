package schemas

import (
	"errors"
	"strings"
	"time"
)

// instantLayout is RFC 3339 in UTC with milliseconds, so that texts sort as
// the times do.
const instantLayout = "2006-01-02T15:04:05.000Z"

// Instant is a point in time as the events carry it: RFC 3339, UTC, with
// milliseconds. The zero Instant means that nothing is known and is left out
// of an optional field; writing it into a required field is an error.
type Instant struct{ time.Time }

// At returns t as an Instant: in UTC, cut to milliseconds, without a monotonic
// reading. The zero time gives the zero Instant.
func At(t time.Time) Instant {
	if t.IsZero() {
		return Instant{}
	}
	return Instant{t.UTC().Truncate(time.Millisecond)}
}

// String returns the instant as events carry it, or "" for the zero Instant.
func (i Instant) String() string {
	if i.IsZero() {
		return ""
	}
	return i.UTC().Format(instantLayout)
}

// AppendText appends the instant as events carry it.
func (i Instant) AppendText(b []byte) ([]byte, error) {
	t := i.UTC()
	if !writable(t) {
		return nil, errors.New("instant is not set or outside the years 1 to 9999")
	}
	return t.AppendFormat(b, instantLayout), nil
}

// writable says whether t, in UTC, is a time that RFC 3339 can write and that
// is not Go's zero time, which stands for none.
func writable(t time.Time) bool { return !t.IsZero() && t.Year() >= 1 && t.Year() <= 9999 }

// MarshalText returns the instant as events carry it.
func (i Instant) MarshalText() ([]byte, error) { return i.AppendText(nil) }

// MarshalJSON hides the method of the embedded time, which writes nanoseconds.
func (i Instant) MarshalJSON() ([]byte, error) {
	b, err := i.AppendText([]byte{'"'})
	if err != nil {
		return nil, err
	}
	return append(b, '"'), nil
}

// UnmarshalText reads any RFC 3339 instant, also with another offset or finer
// than milliseconds, and keeps it as [At] does. Go's zero time is refused: it
// means that the writer had none. The error does not quote the text.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil || !isRFC3339(string(b)) || !writable(t.UTC()) {
		return errors.New("want an RFC 3339 instant with a zone, like 2026-01-31T12:00:00.000Z")
	}
	*i = At(t)
	return nil
}

// isRFC3339 refuses what [time.Parse] takes beyond RFC 3339: hours of one
// digit, a comma before the fraction, offsets of a day and more.
func isRFC3339(s string) bool {
	const form = "dddd-dd-ddTdd:dd:dd"
	if len(s) <= len(form) || !hasForm(s[:len(form)], form) {
		return false
	}
	rest := s[len(form):]
	if rest[0] == '.' {
		rest = strings.TrimLeft(rest[1:], "0123456789") // time.Parse wants a digit
	}
	if rest == "Z" {
		return true
	}
	return hasForm(rest, "+dd:dd") && rest[1:3] < "24" && rest[4:] < "60"
}

// hasForm compares s with a form in which d is a digit and + a sign.
func hasForm(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; form[i] {
		case 'd':
			if c < '0' || c > '9' {
				return false
			}
		case '+':
			if c != '+' && c != '-' {
				return false
			}
		default:
			if c != form[i] {
				return false
			}
		}
	}
	return true
}

// UnmarshalJSON hides the method of the embedded time; see UnmarshalText.
func (i *Instant) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	s, ok := unquote(b)
	if !ok {
		return errors.New("want a JSON string")
	}
	return i.UnmarshalText([]byte(s))
}
