package config

import (
	"encoding"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bankimport/bankimport/internal/secret"
)

// Row is a setting as it is.
type Row struct {
	Name        string `json:"name"`
	Value       string `json:"value"` // *** for a secret that is set
	Origin      Origin `json:"from"`
	Description string `json:"description"`
}

// Rows returns every setting as it is, in the order of [Settings]. Secrets are
// hidden; of PEM texts it says only that they are there.
func (c Config) Rows() []Row {
	var rows []Row
	for _, s := range Settings() {
		rows = append(rows, Row{s.Name, show(s.field(&c)), c.Origin(s.Name), s.Description})
	}
	return rows
}

// Origin returns where the value of a setting is from, given its full name.
func (c Config) Origin(name string) Origin {
	if from, ok := c.origin[name]; ok {
		return from
	}
	return FromDefault
}

// show returns a value as somebody would write it into a variable.
func show(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case secret.Text:
		if value == "" {
			return ""
		}
		return value.String()
	case PEM:
		if value == "" {
			return ""
		}
		return "(PEM)"
	case time.Duration:
		return short(value)
	case string:
		if u, err := url.Parse(value); err == nil && u.User != nil { // it is refused, but not hidden otherwise
			u.User = url.User("xxxxx")
			return u.String()
		}
		return value
	case []string:
		return strings.Join(value, ",")
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			return ""
		}
		return strings.ToLower(string(text))
	default:
		return fmt.Sprint(value)
	}
}

// short is a duration without the zeroes at its end: 15m instead of 15m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// WriteValues writes the rows as a table of names, values and where these are
// from.
func WriteValues(w io.Writer, rows []Row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		value := r.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Name, value, r.Origin)
	}
	return table.Flush()
}

// WriteHelp writes every setting with its default and what it is, for a
// terminal.
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	for _, s := range Settings() {
		b.WriteString(s.Name)
		if s.File {
			b.WriteString(" or " + s.FileName())
		}
		if s.Default != "" {
			b.WriteString(" (default " + s.Default + ")")
		}
		b.WriteString("\n    " + s.Description + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes every setting as a table for the README. A test there
// can keep the two in step.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| variable | default | what it is |\n|---|---|---|\n")
	for _, s := range Settings() {
		name, value := "`"+s.Name+"`", ""
		if s.File {
			name += " ¹"
		}
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, s.Description)
	}
	b.WriteString("\n¹ or as a file: the name of the variable and `" + fileSuffix + "`\n")
	_, err := io.WriteString(w, b.String())
	return err
}
