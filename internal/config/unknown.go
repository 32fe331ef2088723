package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// testPrefix begins the variables of our own tests.
const testPrefix = Prefix + "TEST_"

// unknown returns a problem for every variable that is no setting.
func unknown(vars map[string]string, settings []Setting) []Problem {
	known := make(map[string]Setting)
	for _, s := range settings {
		known[s.Name] = s
		if s.File {
			known[s.FileName()] = s
		}
	}
	var all []Problem
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if _, ok := known[name]; ok || strings.HasPrefix(name, testPrefix) || serviceLink(name, vars[name]) {
			continue
		}
		text := "is no setting; bankimport config print lists them all"
		if s, ok := known[strings.TrimSuffix(name, fileSuffix)]; ok {
			text = "is no setting: only secrets and PEM texts may be files; set " + s.Name
		} else if meant := nearest(name, slices.Sorted(maps.Keys(known))); meant != "" {
			text = "is no setting: did you mean " + meant + "?"
		}
		all = append(all, Problem{name, text})
	}
	return all
}

// The variables that Kubernetes sets in every container for a service whose
// name begins with "bankimport".
var (
	linkName  = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$`)
	linkValue = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

func serviceLink(name, value string) bool {
	// The one that ends in _PORT alone could be a misspelt setting, so its
	// value must look like Kubernetes' too.
	return linkName.MatchString(name) || strings.HasSuffix(name, "_PORT") && linkValue.MatchString(value)
}

// nearest returns the name that was probably meant, or "".
func nearest(name string, names []string) string {
	short := strings.TrimPrefix(name, Prefix)
	best, least := "", len(short)/3+2 // the first distance that is too far
	for _, candidate := range names {
		d := distance(short, strings.TrimPrefix(candidate, Prefix))
		if d < least {
			best, least = candidate, d
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range names {
		if wordsOf(short, candidate) {
			return candidate
		}
	}
	return ""
}

// wordsOf reports whether all words of name are words of candidate too, as
// BROKERS and KAFKA_BROKERS.
func wordsOf(name, candidate string) bool {
	words := strings.Split(strings.TrimPrefix(candidate, Prefix), "_")
	for word := range strings.SplitSeq(name, "_") {
		if !slices.Contains(words, word) {
			return false
		}
	}
	return true
}

// distance is the number of bytes to insert, delete, replace or swap with
// their neighbour that make a out of b.
func distance(a, b string) int {
	// Three rows of the usual table: before the last, last, this.
	before, last, this := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			this[j] = min(last[j]+1, this[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				this[j] = min(this[j], before[j-2]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}
