package schemas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/schemas/schematest"
)

// These tests keep Go types, JSON Schemas and examples in step. That of the
// AsyncAPI document is in asyncapi_test.go.

func validator(t testing.TB) *schematest.Validator {
	t.Helper()
	v, err := schematest.New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// object is a parsed JSON object.
type object = map[string]any

func parse(t testing.TB, b []byte) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTypesAndSchemasHaveTheSameFields(t *testing.T) {
	t.Parallel()
	for _, e := range schemas.Events() {
		t.Run(e.Type(), func(t *testing.T) {
			t.Parallel()
			schema := parse(t, schemas.JSONSchema(e.Type()))
			if got, want := schema["$id"], "urn:bankimport:"+e.Type()+":v1"; got != want {
				t.Errorf("got $id %v, want %v", got, want)
			}
			if got, want := schema["$schema"], "https://json-schema.org/draft/2020-12/schema"; got != want {
				t.Errorf("got $schema %v, want %v", got, want)
			}
			compareObject(t, e.Type(), reflect.TypeOf(e), schema)
		})
	}
}

// compareObject compares a Go struct with the schema of an object.
func compareObject(t *testing.T, path string, typ reflect.Type, schema object) {
	t.Helper()
	if schema["type"] != "object" || schema["description"] == nil {
		t.Errorf("%s: got type %v and description %v, want an object with a description", path, schema["type"], schema["description"])
	}
	if _, closed := schema["additionalProperties"]; closed != (path == schemas.TypeImportRequested) {
		t.Errorf("%s: got additionalProperties %v; only import-requested may refuse unknown fields", path, schema["additionalProperties"])
	}
	properties := schema["properties"].(object)
	fields := goFields(typ)
	if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Fatalf("%s: the schema has %v, the Go type has %v", path, got, want)
	}
	var required, together []string
	for name, f := range fields {
		compareField(t, path+"/"+name, f.typ, properties[name].(object))
		switch {
		case f.required && f.embedded:
			together = append(together, name)
		case f.required:
			required = append(required, name)
		}
	}
	compareNames(t, path+": required", schema["required"], required)
	if together != nil {
		compareNames(t, path+": required where loaded", schema["then"].(object)["required"], together)
	}
}

func compareNames(t *testing.T, what string, got any, want []string) {
	t.Helper()
	var names []string
	for _, n := range got.([]any) {
		names = append(names, n.(string))
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("%s: the schema has %v, the Go type has %v", what, names, want)
	}
}

func compareField(t *testing.T, path string, typ reflect.Type, schema object) {
	t.Helper()
	if schema["description"] == nil {
		t.Errorf("%s: no description", path)
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	want := ""
	switch {
	case typ == reflect.TypeFor[schemas.Instant]():
		want = "string"
		if schema["format"] != "date-time" || !strings.HasSuffix(path, "_at") {
			t.Errorf("%s: got format %v, want date-time and a name ending in _at", path, schema["format"])
		}
	case typ.Kind() == reflect.String:
		want = "string"
		checkText(t, path, schema)
	case typ.Kind() == reflect.Bool:
		want = "boolean"
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		want = "integer"
		if _, bounded := schema["minimum"]; !bounded && schema["anyOf"] == nil {
			t.Errorf("%s: no minimum", path)
		}
	case typ.Kind() == reflect.Slice:
		want = "array"
		if schema["minItems"] != json.Number("1") {
			t.Errorf("%s: got minItems %v, want 1: lists are never empty", path, schema["minItems"])
		}
		if elem := typ.Elem(); elem.Kind() == reflect.Struct {
			compareObject(t, path, elem, schema["items"].(object))
		}
	default:
		t.Errorf("%s: the test does not know Go type %s", path, typ)
	}
	if schema["type"] != want {
		t.Errorf("%s: got type %v, want %s", path, schema["type"], want)
	}
}

// checkText says that no text may be empty: what is not known is left out.
func checkText(t *testing.T, path string, schema object) {
	t.Helper()
	if schema["minLength"] == nil && schema["enum"] == nil && schema["format"] == nil && schema["pattern"] == nil {
		t.Errorf("%s: the schema takes an empty text", path)
	}
}

type goField struct {
	typ                reflect.Type
	required, embedded bool
}

// goFields returns the JSON fields of a Go struct, by name.
func goFields(typ reflect.Type) map[string]goField {
	fields := make(map[string]goField)
	for f := range typ.Fields() {
		tag := f.Tag.Get("json")
		if f.Anonymous {
			for name, inner := range goFields(f.Type.Elem()) {
				inner.embedded = true
				fields[name] = inner
			}
		} else if tag != "-" {
			name, options, _ := strings.Cut(tag, ",")
			fields[name] = goField{typ: f.Type, required: options == ""}
		}
	}
	return fields
}

func TestEnumsAreTheConstants(t *testing.T) {
	t.Parallel()
	sets := map[string][]string{ // by "event/field", or "field" for the same in all events
		"account_types": schemas.AccountTypes(),
		"account_type":  schemas.AccountTypes(), // open: the schemas show them as examples
		"account/type":  schemas.AccountTypes(), // likewise
		"failure":       texts(schemas.Failures()),
		"reason":        texts(schemas.Reasons()),
		"step":          texts(schemas.Steps()),
		"waiting_for":   texts(schemas.WaitingFors()),
		"ended_by":      texts(schemas.EndedBys()),
	}
	seen := make(map[string]bool)
	for _, e := range schemas.Events() {
		walkFields(parse(t, schemas.JSONSchema(e.Type())), func(name string, schema object) {
			if items, ok := schema["items"].(object); ok && items["enum"] != nil {
				schema = items
			}
			enum, closed := schema["enum"].([]any)
			if !closed {
				enum, _ = schema["examples"].([]any)
			}
			if enum == nil {
				return
			}
			want, known := sets[name]
			if !known {
				name = e.Type() + "/" + name
				want = sets[name]
			}
			seen[name] = true
			var got []string
			for _, v := range enum {
				got = append(got, v.(string))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s: the schema has %v, Go has %v", name, e.Type(), got, want)
			}
		})
	}
	if got, want := len(seen), len(sets); got != want {
		t.Errorf("got enums %v, want one for each of %v", slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(sets)))
	}
}

// walkFields calls visit for every field of the schema of an object, also of
// the objects in its lists.
func walkFields(schema object, visit func(name string, schema object)) {
	for name, s := range schema["properties"].(object) {
		field := s.(object)
		visit(name, field)
		if items, ok := field["items"].(object); ok && items["properties"] != nil {
			walkFields(items, visit)
		}
	}
}

func texts[S ~string](set []S) []string {
	all := make([]string, len(set))
	for i, s := range set {
		all[i] = string(s)
	}
	return all
}

func TestExamples(t *testing.T) {
	t.Parallel()
	v := validator(t)
	count := make(map[string]int)
	for _, x := range schemas.Examples() {
		count[x.Type]++
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			if err := v.Validate(x.Type, x.Value); err != nil {
				t.Error(err)
			}
			event, err := decode(x.Type, x.Value)
			if err != nil {
				t.Fatal(err)
			}
			value, _, err := schemas.Encode(event, schemas.Meta{Source: "test", Time: time.Unix(0, 0)})
			if err != nil {
				t.Fatal(err)
			}
			if want := compact(t, x.Value); string(value) != want {
				t.Errorf("decoded and encoded again: got\n%s\nwant\n%s", value, want)
			}
		})
	}
	for _, e := range schemas.Events() {
		if count[e.Type()] == 0 {
			t.Errorf("%s has no example", e.Type())
		}
		delete(count, e.Type())
	}
	for name := range count {
		t.Errorf("examples of %s: no such event", name)
	}
}

func TestExamplesShowEveryField(t *testing.T) {
	t.Parallel()
	shown := make(map[string]bool) // by "event field"
	for _, x := range schemas.Examples() {
		var mark func(o object)
		mark = func(o object) {
			for name, v := range o {
				shown[x.Type+" "+name] = true
				list, _ := v.([]any)
				for _, element := range list {
					if inner, ok := element.(object); ok {
						mark(inner)
					}
				}
			}
		}
		mark(parse(t, x.Value))
	}
	for _, e := range schemas.Events() {
		walkFields(parse(t, schemas.JSONSchema(e.Type())), func(name string, _ object) {
			if !shown[e.Type()+" "+name] {
				t.Errorf("%s: no example shows %s", e.Type(), name)
			}
		})
	}
}

// decode reads a value as a reader of the named event does.
func decode(eventType string, value []byte) (schemas.Event, error) {
	switch eventType {
	case schemas.TypeImportRequested:
		return checked(schemas.DecodeImportRequested(value))
	case schemas.TypeImportCancelRequested:
		return checked(schemas.Decode[schemas.ImportCancelRequested](value))
	case schemas.TypeWebformCreated:
		return schemas.Decode[schemas.WebformCreated](value)
	case schemas.TypeWebformAwaited:
		return schemas.Decode[schemas.WebformAwaited](value)
	case schemas.TypeWebformCompleted:
		return schemas.Decode[schemas.WebformCompleted](value)
	case schemas.TypeConnectionReady:
		return schemas.Decode[schemas.ConnectionReady](value)
	case schemas.TypeAccountsFetched:
		return schemas.Decode[schemas.AccountsFetched](value)
	case schemas.TypeImportCompleted:
		return schemas.Decode[schemas.ImportCompleted](value)
	case schemas.TypeImportFailed:
		return schemas.Decode[schemas.ImportFailed](value)
	case schemas.TypeImportStatus:
		return schemas.Decode[schemas.ImportStatus](value)
	case schemas.TypeAccount:
		return schemas.Decode[schemas.Account](value)
	case schemas.TypeTransaction:
		return schemas.Decode[schemas.Transaction](value)
	default:
		return nil, fmt.Errorf("no event is named %q", eventType)
	}
}

// checked validates what was decoded without error.
func checked[T interface {
	schemas.Event
	Validate() error
}](event T, err error) (schemas.Event, error) {
	if err != nil {
		return nil, err
	}
	return event, event.Validate()
}

func compact(t testing.TB, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
