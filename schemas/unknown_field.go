package schemas

import (
	"reflect"
	"strings"
)

// maxPrintedName bounds how much of a foreign field name an error shows.
const maxPrintedName = 32

// printableName makes a field name that came from outside fit for an error:
// short, plain ASCII, and without digits, because somebody may have put an
// account number where a name belongs.
func printableName(name string) string {
	var b strings.Builder
	for _, r := range name {
		if b.Len() >= maxPrintedName {
			b.WriteString("...")
			break
		}
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == '-', r == '.':
			b.WriteRune(r)
		case r >= '0' && r <= '9':
			b.WriteByte('#')
		default:
			b.WriteByte('?')
		}
	}
	if b.Len() == 0 {
		return "(empty name)"
	}
	return b.String()
}

// suggestion names the known field that somebody may have meant, or nothing.
func suggestion(name string) string {
	if len(name) > 2*maxPrintedName {
		return ""
	}
	plain := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	best, closest := "", 3 // two edits at most: a, b and c are no import_id
	for _, f := range fieldsOf(reflect.TypeFor[ImportRequested]()) {
		d := distance(plain, strings.ReplaceAll(f.name, "_", ""))
		if d < closest {
			best, closest = f.name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the least number of letters to insert, delete or replace to make
// b out of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
