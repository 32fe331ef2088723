package simulator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// object reads a JSON object field by field and collects everything that is
// wrong with it. A field that nobody asked for is wrong too. null counts as
// absent.
type object struct {
	path   string // before the names of its fields, e.g. "bank."
	fields map[string]jsontext.Value
	asked  map[string]bool // names of fields that somebody asked for
	inner  []*object
	wrong  []api.FormInvalidField
}

// parseObject refuses what is no object, names that stand there twice and broken
// UTF-8. Its errors quote nothing.
func parseObject(b []byte) (*object, error) {
	o := &object{asked: make(map[string]bool)}
	if err := json.Unmarshal(b, &o.fields); err != nil {
		return nil, errors.New("not one JSON object with every name once")
	}
	if o.fields == nil {
		return nil, errors.New("null is no object")
	}
	return o, nil
}

func (o *object) complain(field, format string, args ...any) {
	o.wrong = append(o.wrong, api.FormInvalidField{Field: o.path + field, Message: fmt.Sprintf(format, args...)})
}

// has reports whether a field is there.
func (o *object) has(field string) bool {
	v, ok := o.fields[field]
	return ok && v.Kind() != 'n'
}

// take gives a field's value of a kind: '"', '0', '{', '[' or 't' for both flags.
func (o *object) take(field string, kind jsontext.Kind, name string) (jsontext.Value, bool) {
	o.asked[field] = true
	if !o.has(field) {
		return nil, false
	}
	v := o.fields[field]
	got := v.Kind()
	if got == 'f' {
		got = 't'
	}
	if got != kind {
		o.complain(field, "must be %s", name)
		return nil, false
	}
	return v, true
}

// text is a field of so many characters, or "" where it is absent.
func (o *object) text(field string, least, most int) string {
	v, ok := o.take(field, '"', "a text")
	if !ok {
		return ""
	}
	s, err := jsontext.AppendUnquote(nil, v)
	if err != nil { // the parser has checked it
		o.complain(field, "is no valid text")
		return ""
	}
	if n := utf8.RuneCount(s); n < least || n > most {
		o.complain(field, "must have %d to %d characters", least, most)
	}
	return string(s)
}

func (o *object) flag(field string) bool {
	v, ok := o.take(field, 't', "true or false")
	return ok && v.Kind() == 't'
}

// integer is a whole number written as one.
func (o *object) integer(field string, least, most int64) int64 {
	v, ok := o.take(field, '0', "a number")
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < least || n > most {
		o.complain(field, "must be a whole number from %d to %d", least, most)
		return 0
	}
	return n
}

// set is a list of different words out of the allowed ones.
func (o *object) set(field string, allowed ...string) []string {
	v, ok := o.take(field, '[', "a list")
	if !ok {
		return nil
	}
	var words []string
	if err := json.Unmarshal(v, &words); err != nil {
		o.complain(field, "must be a list of texts")
		return nil
	}
	for i, w := range words {
		if !slices.Contains(allowed, w) {
			o.complain(field, "entry %d must be one of %s", i+1, strings.Join(allowed, ", "))
		}
		if slices.Contains(words[:i], w) {
			o.complain(field, "entry %d stands there twice", i+1)
		}
	}
	return words
}

// word is one of the allowed ones, or "" where it is absent.
func (o *object) word(field string, allowed ...string) string {
	s := o.text(field, 0, maxBody)
	if o.has(field) && o.fields[field].Kind() == '"' && !slices.Contains(allowed, s) {
		o.complain(field, "must be one of %s", strings.Join(allowed, ", "))
	}
	return s
}

// require complains about fields that are not there.
func (o *object) require(fields ...string) {
	for _, field := range fields {
		if !o.has(field) {
			o.complain(field, "is required")
		}
	}
}

// object is a field that is an object itself; where it is absent, an empty one.
func (o *object) object(field string) *object {
	inner := &object{path: o.path + field + ".", asked: make(map[string]bool)}
	o.inner = append(o.inner, inner)
	if v, ok := o.take(field, '{', "an object"); ok {
		if err := json.Unmarshal(v, &inner.fields); err != nil { // the parser has checked it
			o.complain(field, "is no valid object")
		}
	}
	return inner
}

// finish gives everything that was wrong.
func (o *object) finish() []api.FormInvalidField {
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		if !o.asked[name] {
			o.complain(unknownName(name), "is not known")
		}
	}
	for _, inner := range o.inner {
		o.wrong = append(o.wrong, inner.finish()...)
	}
	return o.wrong
}

// unknownName keeps a name that somebody made up short.
func unknownName(name string) string {
	if r := []rune(name); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return name
}
