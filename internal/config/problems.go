package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong.
type Problem struct {
	Setting string // the name of the variable
	Text    string // what is wrong with it and what to do; quotes no secret
}

// String returns the problem as one line.
func (p Problem) String() string { return p.Setting + " " + p.Text }

// Error is everything that is wrong with a configuration.
type Error struct {
	Problems []Problem // at least one, in the order of [Settings], unknown variables last
}

// Error lists the problems, one a line where there are several.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d settings are wrong:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// problems collects what is wrong, by setting.
type problems struct {
	byName map[string][]string
}

// addf says what is wrong with a setting; the text follows its name.
func (p *problems) addf(setting, format string, args ...any) {
	if p.byName == nil {
		p.byName = make(map[string][]string)
	}
	p.byName[setting] = append(p.byName[setting], fmt.Sprintf(format, args...))
}

// has reports whether something is wrong with a setting already, so that what
// follows from it is not reported too.
func (p *problems) has(setting string) bool { return len(p.byName[setting]) > 0 }

// list returns the problems of these settings, in their order.
func (p *problems) list(settings []Setting) []Problem {
	var all []Problem
	for _, s := range settings {
		for _, text := range p.byName[s.Name] {
			all = append(all, Problem{s.Name, text})
		}
	}
	return all
}
