// Package testlist makes sure that every entry of a list of bad inputs has a test.
package testlist

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A List is bad inputs by number, from 1. Rows of tables say by letter and
// numbers in front of their name which ones they are, like "C12 C14 ".
type List struct {
	Letter  string
	Entries []string
	// Root is the way to the module's folder, and Patterns are the files with the
	// rows, from there.
	Root     string
	Patterns []string
	// Elsewhere are the entries that no row stands for.
	Elsewhere map[int]Test
}

// Test is a test of its own: its file, from the module's folder, its function
// and, where that has a table, the row.
type Test struct{ File, Func, Row string }

// Check fails t for every entry without a row or test, and every row without an
// entry.
func (l List) Check(t *testing.T) {
	t.Helper()
	rows := map[int]int{} // by number
	row := regexp.MustCompile(`(?m)^\s*\{?"((?:` + l.Letter + `\d+ )+)`)
	for _, pattern := range l.Patterns {
		files, err := filepath.Glob(filepath.Join(l.Root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, found := range row.FindAllStringSubmatch(read(t, file), -1) {
				for tag := range strings.FieldsSeq(found[1]) {
					n, _ := strconv.Atoi(tag[1:])
					if n < 1 || n >= len(l.Entries) {
						t.Errorf("%s: a row is called %s, which is not in the list", file, tag)
					}
					rows[n]++
				}
			}
		}
	}
	for n, what := range l.Entries {
		test, elsewhere := l.Elsewhere[n]
		switch {
		case n == 0 || rows[n] > 0:
		case !elsewhere:
			t.Errorf("%s%d (%s) has no row", l.Letter, n, what)
		case !test.exists(t, l.Root):
			t.Errorf("%s%d (%s): %v is not there", l.Letter, n, what, test)
		}
	}
}

func (test Test) exists(t *testing.T, root string) bool {
	t.Helper()
	_, body, found := strings.Cut(read(t, filepath.Join(root, test.File)), "\nfunc "+test.Func+"(")
	body, _, _ = strings.Cut(body, "\n}\n")
	return found && (test.Row == "" || strings.Contains(body, fmt.Sprintf("%q", test.Row)))
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
