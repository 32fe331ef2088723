package schemas

import (
	"reflect"
	"strings"
)

// field is one JSON field of a Go type.
type field struct {
	name     string
	typ      reflect.Type
	required bool
	together bool // of an embedded pointer: these are there together or not at all
}

// fieldsOf returns the JSON fields of a struct type in their order.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		switch {
		case tag == "-":
		case f.Anonymous:
			for _, inner := range fieldsOf(f.Type.Elem()) {
				inner.together = true
				fields = append(fields, inner)
			}
		default:
			name, options, _ := strings.Cut(tag, ",")
			fields = append(fields, field{name: name, typ: f.Type, required: options == ""})
		}
	}
	return fields
}
