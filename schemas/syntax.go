package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// member is one name and value of a JSON object, in the order of the text.
type member struct {
	name  string
	value jsontext.Value
}

// members returns what the one JSON object in b holds, repeated names included.
// The problem is "" when b is such an object; otherwise it says what is wrong
// without quoting b.
func members(b []byte) (found []member, problem string) {
	switch {
	case len(b) == 0:
		return nil, "the record has no value"
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return nil, "not JSON: it starts with a byte order mark"
	case !utf8.Valid(b):
		return nil, "not valid UTF-8"
	}
	d := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
	if kind := d.PeekKind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		return nil, "not a JSON object"
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntaxProblem(err)
	}
	for d.PeekKind() != jsontext.KindEndObject {
		token, err := d.ReadToken()
		if err != nil {
			return nil, syntaxProblem(err)
		}
		name := token.String() // before the next read, which reuses its memory
		value, err := d.ReadValue()
		if err != nil {
			return nil, syntaxProblem(err)
		}
		found = append(found, member{name, value.Clone()})
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntaxProblem(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, "something follows the JSON object"
	}
	return found, ""
}

// syntaxProblem says where JSON ends to be JSON. The decoder's own text is not
// used: it quotes characters and names.
func syntaxProblem(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "not JSON: it ends too early"
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("not JSON: syntax error at byte %d", e.ByteOffset)
	}
	return "not JSON"
}

// elementsOf returns the elements of a JSON array.
func elementsOf(array jsontext.Value) ([]jsontext.Value, error) {
	var elements []jsontext.Value
	err := json.Unmarshal(array, &elements)
	return elements, err
}
