package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bankimport/bankimport/pipeline"
)

// deadLetterRow is a dead letter as the commands write it. Nothing in it comes
// from the record's value.
type deadLetterRow struct {
	ID         string            `json:"id"`
	Result     string            `json:"result,omitzero"` // of a redrive
	Problem    string            `json:"problem,omitzero"`
	Time       time.Time         `json:"time,omitzero"`
	Stage      string            `json:"stage,omitzero"`
	Class      string            `json:"class,omitzero"`
	Error      string            `json:"error,omitzero"`
	ImportID   string            `json:"import_id,omitzero"`  // the record's key, if it is text
	KeyBase64  []byte            `json:"key_base64,omitzero"` // else
	Attempts   int               `json:"attempts,omitzero"`
	FirstAt    time.Time         `json:"first_at,omitzero"`
	Trigger    string            `json:"trigger,omitzero"` // record or timer
	Due        time.Time         `json:"due,omitzero"`     // of a timer
	Origin     *deadLetterOrigin `json:"origin,omitzero"`
	Redrives   int               `json:"redrives"`
	RedrivenAt time.Time         `json:"redriven_at,omitzero"`
	Truncated  bool              `json:"truncated,omitzero"`
}

// deadLetterOrigin is where it came from.
type deadLetterOrigin struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    *int64 `json:"offset,omitzero"`
}

func rowOf(l pipeline.DeadLetter) deadLetterRow {
	r := deadLetterRow{
		ID: l.ID, Time: l.LastAt.UTC(), Stage: l.Stage, Class: l.Class, Error: l.Error, Attempts: l.Attempts, Trigger: "record",
		Origin: &deadLetterOrigin{Topic: l.Topic, Partition: l.Partition}, Redrives: l.Redrives, Truncated: l.Truncated,
		FirstAt: l.FirstAt, RedrivenAt: l.RedrivenAt,
	}
	if l.Timer {
		r.Trigger, r.Due = "timer", l.Due
	}
	if l.Offset >= 0 {
		r.Origin.Offset = &l.Offset
	}
	if utf8.Valid(l.Key) {
		r.ImportID = string(l.Key)
	} else {
		r.KeyBase64 = l.Key
	}
	return r
}

// key is the record's key for a terminal.
func (r deadLetterRow) key() string {
	switch {
	case r.KeyBase64 != nil:
		return "base64:" + base64.StdEncoding.EncodeToString(r.KeyBase64)
	case r.ImportID == "":
		return "-"
	default:
		return printable(r.ImportID)
	}
}

func (r deadLetterRow) redriven() string {
	if r.RedrivenAt.IsZero() {
		return "no"
	}
	return moment(r.RedrivenAt)
}

func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

// printable quotes what would garble a terminal.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}

// rows writes JSON, one row after the other: an array, or a line for each.
type rows struct {
	w     io.Writer
	lines bool
	some  bool
}

func (r *rows) write(v any) error {
	if r.lines {
		return json.NewEncoder(r.w).Encode(v)
	}
	b, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	before := "[\n  "
	if r.some {
		before = ",\n  "
	}
	r.some = true
	_, err = fmt.Fprintf(r.w, "%s%s", before, b)
	return err
}

// close ends the array.
func (r *rows) close() error {
	end := "[]\n"
	switch {
	case r.lines:
		return nil
	case r.some:
		end = "\n]\n"
	}
	_, err := io.WriteString(r.w, end)
	return err
}
