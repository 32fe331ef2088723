package player

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/html"
)

// page is what a program needs of one: its name, which is in the data-page
// attribute of its body, and the fields it has.
type page struct {
	name   string
	fields []field
}

type field struct{ name, value string }

// final reports whether the page asks nothing, so that no answer would do.
func (p page) final() bool { return len(p.fields) == 0 }

// values are those of all fields with this name.
func (p page) values(name string) []string {
	var all []string
	for _, f := range p.fields {
		if f.name == name {
			all = append(all, f.value)
		}
	}
	return all
}

func readPage(r io.Reader) (page, error) {
	var p page
	t := html.NewTokenizer(r)
	for {
		switch t.Next() {
		case html.ErrorToken:
			if err := t.Err(); !errors.Is(err, io.EOF) {
				return page{}, fmt.Errorf("read page: %w", err)
			}
			return p, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			p.take(t.Token())
		}
	}
}

func (p *page) take(t html.Token) {
	attributes := make(map[string]string, len(t.Attr))
	for _, a := range t.Attr {
		attributes[a.Key] = a.Val
	}
	switch t.Data {
	case "body":
		p.name = attributes["data-page"]
	case "input", "button":
		if name := attributes["name"]; name != "" {
			p.fields = append(p.fields, field{name, attributes["value"]})
		}
	}
}
