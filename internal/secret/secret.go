// Package secret holds texts that must not be printed: passwords, keys, the
// credentials of Kafka and of the provider.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every way of printing a [Text] shows.
const redacted = "***"

// Text is a secret. All ways of printing, logging and marshalling it show
// "***", also where it is empty; only [Text.Reveal] gives the text.
//
// fmt calls no methods on unexported struct fields: keep a Text in an exported
// field, or the struct printable itself.
type Text string

// Reveal returns the text itself, for the one place that uses it.
func (t Text) Reveal() string { return string(t) }

// Format prints "***" for every verb; without it the verbs that do not fit a
// text, like %d, would show it.
func (Text) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

func (Text) String() string               { return redacted }
func (Text) GoString() string             { return redacted }
func (Text) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }
