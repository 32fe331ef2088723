package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed json/*.json examples/*.json asyncapi.yaml
var files embed.FS

// JSONSchema returns the JSON Schema (2020-12) of an event, given its name. It
// panics for a name that is not in [Events]: that is a bug of the caller.
func JSONSchema(eventType string) []byte {
	return mustRead("json/" + eventType + ".json")
}

// AsyncAPI returns the AsyncAPI 3.1 document (YAML): who reads and writes which
// topic. It refers to the JSON Schemas by their path beside it.
func AsyncAPI() []byte { return mustRead("asyncapi.yaml") }

// Example is one value of an event as it stands on its topic.
type Example struct {
	Type  string // name of the event
	Name  string // of the file: the event, and after a dot what is special
	Value []byte // JSON, indented
}

// Examples returns every example, by name. An event has at least one.
func Examples() []Example {
	names, err := fs.Glob(files, "examples/*.json")
	if err != nil {
		panic(err) // the pattern is constant
	}
	slices.Sort(names)
	examples := make([]Example, 0, len(names))
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".json")
		eventType, _, _ := strings.Cut(name, ".")
		examples = append(examples, Example{Type: eventType, Name: name, Value: mustRead(file)})
	}
	return examples
}

func mustRead(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Errorf("schemas: %w", err))
	}
	return b
}
