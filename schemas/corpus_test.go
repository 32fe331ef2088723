package schemas_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// badRequests are the bad inputs on import-requested that must have a test each.
// Rows of tables say by a number in front of their name which one they are.
var badRequests = []string{
	1:  "empty value",
	2:  "null value, a tombstone",
	3:  "null key",
	4:  "key is not the import id",
	5:  "not JSON",
	6:  "JSON array",
	7:  "cut off",
	8:  "1 MiB of spaces",
	9:  "text of 900 kB",
	10: "depth of 10,000",
	11: "a name twice with different values",
	12: "byte order mark",
	13: "not UTF-8, lone surrogate",
	14: "import id empty, of 37 characters, with a slash, with CRLF, in upper case",
	15: "version 99, version 0, no version",
	16: "unknown fields",
	17: "wrong types and numbers",
	18: "max_days 1 to 13, 3651",
	19: "account types: unknown, none, 1,000, wrong case",
	20: "bank id negative, above 2^31, together with a search",
	21: "URL by http",
	22: "URL javascript:",
	23: "URL with a user",
	24: "URL of an IPv4 address",
	25: "URL of an IPv4 address, short",
	26: "URL of an IPv4 address, hexadecimal",
	27: "URL of an IPv6 address",
	28: "URL of a host without a dot",
	29: "URL with a tab, with a line break",
	30: "URL of 2,049 characters",
	31: "user of another tenant",
	32: "unknown tenant",
	33: "the same id twice, the same body",
	34: "the same id, another body",
	35: "request for an import that has ended",
	36: "request for a user who was erased",
	37: "time in 1970, in 9999, without a zone",
	38: "headers missing, doubled, 1,000 of them, binary",
	39: "compressed with an unknown codec",
	40: "record of an aborted transaction",
}

// elsewhere are those that no row of a table here stands for: file, test and,
// where it has rows, the row. URLs are configuration and not part of the event.
var elsewhere = map[int][]string{
	21: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 http"},
	22: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 javascript"},
	23: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 user"},
	24: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 IPv4"},
	25: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 IPv4, short"},
	26: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 IPv4, hexadecimal"},
	27: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 IPv6"},
	28: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 without dot"},
	29: {"internal/config/check_test.go", "TestLoad_BadValues", "D8 line break in the host"},
	30: {"internal/config/check_test.go", "TestLoad_BadValues", "redirect of 2,049 characters"},
	36: {"stages/webform/webform_test.go", "TestUserGone"},
	39: {"stages/codec_test.go", "TestUnknownCodec"},
	40: {"pipeline/offsets_test.go", "TestMarkersCountAsFinished"},
}

// TestEveryBadRequestIsTested looks for the numbers in front of the rows.
func TestEveryBadRequestIsTested(t *testing.T) {
	t.Parallel()
	rows := map[int]int{} // by number
	row := regexp.MustCompile(`(?m)^\s*\{?"((?:A\d+ )+)`)
	for _, pattern := range []string{"*_test.go", "../stages/webform/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, found := range row.FindAllStringSubmatch(read(t, file), -1) {
				for tag := range strings.FieldsSeq(found[1]) {
					n, _ := strconv.Atoi(tag[1:])
					if n < 1 || n >= len(badRequests) {
						t.Errorf("%s: a row is called %s, which is not in the list", file, tag)
					}
					rows[n]++
				}
			}
		}
	}
	for n, what := range badRequests {
		switch test := elsewhere[n]; {
		case n == 0 || rows[n] > 0:
		case test == nil:
			t.Errorf("A%d (%s) has no row", n, what)
		default:
			text := read(t, filepath.Join("..", test[0]))
			_, body, found := strings.Cut(text, "\nfunc "+test[1]+"(")
			body, _, _ = strings.Cut(body, "\n}\n")
			if !found || len(test) > 2 && !strings.Contains(body, fmt.Sprintf("%q", test[2])) {
				t.Errorf("A%d (%s): %q is not there", n, what, test)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
