package finapi

import "log/slog"

// redacted is what every way of printing a [Secret] shows.
const redacted = "***"

// Secret is a text that must not be printed: a password, a token, a key. All
// ways of printing, logging and marshalling it show "***"; only [Secret.Reveal]
// gives the text.
//
// fmt calls no methods on unexported struct fields, so a type that keeps a
// Secret in one must be printable itself or be held behind a pointer.
type Secret string

// Reveal returns the text itself, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
