package schemas

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the value of a record that carries a T. It ignores fields it
// does not know, because later versions may add some. It refuses what is not
// one JSON object in UTF-8, repeated names, values of a wrong type and the
// absence of a required field; it does not check what the values say. The error
// is an [*InvalidError].
//
// Use [DecodeImportRequested] for import-requested, which must be read
// strictly.
func Decode[T Event](b []byte) (T, error) {
	var event, none T
	name := event.Type()
	if _, problem := members(b); problem != "" {
		return none, wholeRecord(name, problem)
	}
	if err := json.Unmarshal(b, &event); err != nil {
		return none, &InvalidError{Event: name, Problems: []Problem{unmarshalProblem(err)}}
	}
	if problems := missing(jsontext.Value(b), reflect.TypeFor[T](), ""); len(problems) > 0 {
		return none, invalid(name, problems)
	}
	return event, nil
}

// unmarshalProblem keeps of an error only what is safe to print. The place of a
// type error is made of names that the Go type has; the text of the error and
// the place of a syntax error may quote the record.
func unmarshalProblem(err error) Problem {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return Problem{Rule: "a field is there twice"}
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return Problem{Field: strings.TrimPrefix(string(e.JSONPointer), "/"), Rule: "has the wrong type or is out of range"}
	}
	return Problem{Rule: syntaxProblem(err)}
}

// missing returns a problem for every required field of t that value lacks.
// The value has been decoded into t before, so its types fit.
func missing(value jsontext.Value, t reflect.Type, path string) []Problem {
	switch {
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[Instant]():
		return missingFields(value, t, path)
	case t.Kind() == reflect.Slice:
		return missingElements(value, t.Elem(), path)
	default:
		return nil
	}
}

func missingFields(value jsontext.Value, t reflect.Type, path string) []Problem {
	var have map[string]jsontext.Value // by JSON name
	if err := json.Unmarshal(value, &have); err != nil {
		return []Problem{{Field: path, Rule: "must be a JSON object"}}
	}
	fields := fieldsOf(t)
	anyTogether := slices.ContainsFunc(fields, func(f field) bool { return f.together && present(have, f.name) })
	var problems []Problem
	for _, f := range fields {
		name := f.name
		if path != "" {
			name = path + "/" + f.name
		}
		switch {
		case present(have, f.name):
			problems = append(problems, missing(have[f.name], f.typ, name)...)
		case f.required && (anyTogether || !f.together):
			problems = append(problems, Problem{Field: name, Rule: "is missing"})
		}
	}
	return problems
}

// present says whether an object has a field; null counts as absent.
func present(have map[string]jsontext.Value, name string) bool {
	v, there := have[name]
	return there && v.Kind() != jsontext.KindNull
}

func missingElements(value jsontext.Value, elem reflect.Type, path string) []Problem {
	if elem.Kind() != reflect.Struct {
		return nil
	}
	elements, err := elementsOf(value)
	if err != nil {
		return []Problem{{Field: path, Rule: "must be a list"}}
	}
	for i, e := range elements {
		if problems := missing(e, elem, path+"/"+strconv.Itoa(i)); len(problems) > 0 {
			return problems // one element is enough to tell
		}
	}
	return nil
}
