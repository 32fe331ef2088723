package schemas

import (
	"errors"
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
	switch t := i.UTC(); {
	case t.IsZero():
		return nil, errors.New("instant is not set")
	case t.Year() < 0 || t.Year() > 9999:
		return nil, errors.New("instant is outside the years 0 to 9999")
	default:
		return t.AppendFormat(b, instantLayout), nil
	}
}

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
// than milliseconds, and keeps it as [At] does. The error does not quote the
// text.
func (i *Instant) UnmarshalText(b []byte) error {
	var t time.Time
	if err := t.UnmarshalText(b); err != nil {
		return errors.New("want an RFC 3339 instant with a zone, like 2026-01-31T12:00:00.000Z")
	}
	*i = At(t)
	return nil
}

// UnmarshalJSON hides the method of the embedded time; see UnmarshalText.
func (i *Instant) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return errors.New("want a JSON string")
	}
	return i.UnmarshalText(b[1 : len(b)-1])
}
