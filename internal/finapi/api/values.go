package api

import (
	"errors"
	"strconv"
	"time"
)

var (
	errNumber = errors.New("not a decimal number")
	errDay    = errors.New("not a date like 2026-01-31")
	errTime   = errors.New("not a time like 2026-01-31T12:00:00.000+0000")
	errText   = errors.New("not a text")
)

// The errors above quote nothing: what is wrong may be somebody's data.

// Number is a JSON number as the text that was written, so that an amount is
// never rounded. "" stands for null or absent.
type Number string

// MarshalJSON writes the text as it is, and null for "".
func (n Number) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	if !isNumber(string(n)) {
		return nil, errNumber
	}
	return []byte(n), nil
}

// UnmarshalJSON takes a number as it is written. A text with a number in it is
// refused.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = ""
		return nil
	}
	if !isNumber(string(b)) {
		return errNumber
	}
	*n = Number(b)
	return nil
}

// isNumber reports whether s is a number by JSON's grammar.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	if s != "" && s[0] == '0' {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if s != "" && s[0] == '.' {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// Day is a calendar date, YYYY-MM-DD. "" stands for null or absent.
type Day string

// DayOf is the date that t has in its own location.
func DayOf(t time.Time) Day { return Day(t.Format(time.DateOnly)) }

// MarshalJSON writes null for "".
func (d Day) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("null"), nil
	}
	if !isDay(string(d)) {
		return nil, errDay
	}
	return strconv.AppendQuote(nil, string(d)), nil
}

// UnmarshalJSON refuses days that no calendar has, and the year 0, in which
// nothing was booked and which many a reader's calendar does not have.
func (d *Day) UnmarshalJSON(b []byte) error {
	s, err := text(b)
	if err != nil || s == "" {
		*d = ""
		return err
	}
	if !isDay(s) {
		return errDay
	}
	*d = Day(s)
	return nil
}

func isDay(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && t.Year() >= 1
}

// Time is an instant as Access writes it: 2026-08-13T18:12:22.011+02:00. The
// zero value stands for null or absent.
type Time struct{ time.Time }

// FormInstant is an instant as Web Form writes it, without a colon in the
// offset: 2021-03-02T13:51:08.973+0000. The zero value stands for null or
// absent.
type FormInstant struct{ time.Time }

// MarshalJSON writes milliseconds and an offset with a colon.
func (t Time) MarshalJSON() ([]byte, error) {
	return appendTime(t.Time, "2006-01-02T15:04:05.000-07:00")
}

// UnmarshalJSON takes offsets like +02:00, +0200 and Z, with or without a
// fraction of a second. A time without an offset is refused, and so is one that
// in UTC is outside the years 1 to 9999: no event can carry it.
func (t *Time) UnmarshalJSON(b []byte) (err error) {
	t.Time, err = parseTime(b)
	return err
}

// MarshalJSON writes milliseconds and an offset without a colon.
func (t FormInstant) MarshalJSON() ([]byte, error) {
	return appendTime(t.Time, "2006-01-02T15:04:05.000-0700")
}

// UnmarshalJSON takes the same spellings as that of [Time].
func (t *FormInstant) UnmarshalJSON(b []byte) (err error) {
	t.Time, err = parseTime(b)
	return err
}

func appendTime(t time.Time, layout string) ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.AppendFormat(nil, `"`+layout+`"`), nil
}

func parseTime(b []byte) (time.Time, error) {
	s, err := text(b)
	if err != nil || s == "" {
		return time.Time{}, err
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700"} {
		t, err := time.Parse(layout, s)
		if y := t.UTC().Year(); err == nil && y >= 1 && y <= 9999 { // what RFC 3339 can write in UTC
			return t, nil
		}
	}
	return time.Time{}, errTime
}

// text is the content of a JSON string that needs no escapes, as dates and
// times do not, and "" for null.
func text(b []byte) (string, error) {
	if string(b) == "null" {
		return "", nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return "", errText
	}
	return string(b[1 : len(b)-1]), nil
}
