package finapi

import "log/slog"

// redacted is what every way of printing a [Secret] shows.
const redacted = "***"

// Secret is a text that must not be printed: a password, a token, a key. All
// ways of printing, logging and marshalling it show "***"; only [Secret.Reveal]
// gives the text.
//
// fmt calls no methods on unexported struct fields and follows pointers when the
// verb does not fit: a type that keeps a Secret in such a field and may meet fmt
// keeps a function that returns it instead.
type Secret string

// Reveal returns the text itself, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
