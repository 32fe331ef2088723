package schemas

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxImportRequestedBytes is the longest value of an import-requested. A
// thousand times what a request needs, and little enough that garbage costs
// nothing.
const MaxImportRequestedBytes = 64 << 10

// maxReported bounds the problems of one kind that come from the record's own
// names, so that an error does not grow with garbage.
const maxReported = 8

// DecodeImportRequested reads the value of an import-requested strictly: one
// JSON object in UTF-8, fields that are known and there once, values of the
// right type and not empty, nothing after it, at most
// [MaxImportRequestedBytes]. It reports everything that is wrong at once, as an
// [*InvalidError].
//
// What the values say is checked by [ImportRequested.Validate], which also
// finds missing fields. When either fails, [RequestIdentity] still finds whom
// to tell.
func DecodeImportRequested(b []byte) (ImportRequested, error) {
	if len(b) > MaxImportRequestedBytes {
		return ImportRequested{}, wholeRecord(TypeImportRequested, fmt.Sprintf("longer than %d bytes", MaxImportRequestedBytes))
	}
	object, problem := members(b)
	if problem != "" {
		return ImportRequested{}, wholeRecord(TypeImportRequested, problem)
	}
	d := requestDecoder{seen: make(map[string]bool)}
	for _, m := range object {
		d.member(m)
	}
	if err := invalid(TypeImportRequested, d.result()); err != nil {
		return ImportRequested{}, err
	}
	return d.request, nil
}

// requestDecoder collects the members of a request and what is wrong with them.
type requestDecoder struct {
	request  ImportRequested
	seen     map[string]bool // by name in lower case
	problems []Problem
	foreign  []Problem // unknown and repeated fields: as many as the sender likes
}

func (d *requestDecoder) result() []Problem {
	problems := d.problems
	if more := len(d.foreign) - maxReported; more > 0 {
		problems = append(problems, d.foreign[:maxReported]...)
		return append(problems, Problem{Rule: fmt.Sprintf("%d more unknown or repeated fields", more)})
	}
	return append(problems, d.foreign...)
}

func (d *requestDecoder) member(m member) {
	set, known := d.setters()[m.name]
	folded := strings.ToLower(m.name)
	repeated := d.seen[folded]
	d.seen[folded] = true
	switch {
	case repeated:
		d.foreign = append(d.foreign, Problem{Field: printableName(m.name), Rule: "is there twice"})
	case !known:
		d.foreign = append(d.foreign, Problem{Field: printableName(m.name), Rule: "unknown field" + suggestion(m.name)})
	case m.value.Kind() == jsontext.KindNull:
		d.problems = append(d.problems, Problem{Field: m.name, Rule: "must not be null; leave it out"})
	default:
		if rule := set(m.value); rule != "" {
			d.problems = append(d.problems, Problem{Field: m.name, Rule: rule})
		}
	}
}

// setter stores a value and returns the rule it breaks, or "".
type setter func(jsontext.Value) string

func (d *requestDecoder) setters() map[string]setter {
	r := &d.request
	return map[string]setter{
		"import_id":          text(&r.ImportID),
		"user_id":            text(&r.UserID),
		"bank_id":            id(&r.BankID),
		"bank_search":        text(&r.BankSearch),
		"bank_connection_id": id(&r.BankConnectionID),
		"account_types":      texts(&r.AccountTypes),
		"max_days":           days(&r.MaxDays),
		"connection_name":    text(&r.ConnectionName),
		"profile_id":         text(&r.ProfileID),
		"requested_at":       instant(&r.RequestedAt),
	}
}

// text reads a string. An empty one is refused here, because in the Go type it
// would look like an absent field.
func text(to *string) setter {
	return func(v jsontext.Value) string {
		s, ok := unquote(v)
		switch {
		case !ok:
			return "must be a string"
		case s == "":
			return "must not be empty"
		}
		*to = s
		return ""
	}
}

// id reads an id of the provider. Zero is refused here, because in the Go type
// it would look like an absent field.
func id(to *int64) setter {
	return func(v jsontext.Value) string {
		n, rule := integer(v)
		if rule == "" && n < 1 {
			return "must be at least 1"
		}
		*to = n
		return rule
	}
}

func days(to **int) setter {
	return func(v jsontext.Value) string {
		n, rule := integer(v)
		switch {
		case rule != "":
			return rule
		case n < math.MinInt32 || n > math.MaxInt32:
			return ruleMaxDays
		}
		*to = new(int(n))
		return ""
	}
}

func integer(v jsontext.Value) (n int64, rule string) {
	if v.Kind() != jsontext.KindNumber {
		return 0, "must be a number"
	}
	if strings.ContainsAny(string(v), ".eE") {
		return 0, "must be a whole number without fraction or exponent"
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, "is out of range"
	}
	return n, ""
}

func instant(to *Instant) setter {
	return func(v jsontext.Value) string {
		s, ok := unquote(v)
		if !ok {
			return "must be a string"
		}
		if err := to.UnmarshalText([]byte(s)); err != nil {
			return err.Error()
		}
		return ""
	}
}

// texts reads a list of strings. An empty list is refused: leaving the field
// out means all, and a list that came out empty by mistake must not.
func texts(to *[]string) setter {
	const rule = "must be a list of strings"
	return func(v jsontext.Value) string {
		if v.Kind() != jsontext.KindBeginArray {
			return rule
		}
		elements, err := elementsOf(v)
		switch {
		case err != nil:
			return rule
		case len(elements) == 0:
			return "must not be empty; leave it out for all"
		}
		for _, e := range elements {
			s, ok := unquote(e)
			if !ok {
				return rule
			}
			*to = append(*to, s)
		}
		return ""
	}
}

func unquote(v jsontext.Value) (s string, ok bool) {
	if v.Kind() != jsontext.KindString {
		return "", false
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}
