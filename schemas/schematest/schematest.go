// Package schematest validates events against their published JSON Schemas. It
// is for tests; the pipeline itself does not validate what it has just written.
package schematest

import (
	"bytes"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bankimport/bankimport/schemas"
)

// Validator holds the compiled schemas. It is safe for concurrent use.
type Validator struct {
	schemas map[string]*jsonschema.Schema // by event
}

// New compiles the schema of every event. Formats (uuid, date, date-time, uri)
// are asserted.
func New() (*Validator, error) {
	v := &Validator{schemas: make(map[string]*jsonschema.Schema)}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, e := range schemas.Events() {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.JSONSchema(e.Type())))
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", e.Type(), err)
		}
		name := e.Type() + ".json"
		if err := c.AddResource(name, document); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", e.Type(), err)
		}
		if v.schemas[e.Type()], err = c.Compile(name); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", e.Type(), err)
		}
	}
	return v, nil
}

// Validate checks the value of a record that carries the named event.
func (v *Validator) Validate(eventType string, value []byte) error {
	schema, known := v.schemas[eventType]
	if !known {
		return fmt.Errorf("no event is named %q", eventType)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return fmt.Errorf("%s is not JSON: %w", eventType, err)
	}
	return schema.Validate(document)
}
