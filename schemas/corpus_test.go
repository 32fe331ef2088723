package schemas_test

import (
	"testing"

	"github.com/bankimport/bankimport/internal/testlist"
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
var elsewhere = map[int]testlist.Test{
	21: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 http"},
	22: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 javascript"},
	23: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 user"},
	24: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 IPv4"},
	25: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 IPv4, short"},
	26: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 IPv4, hexadecimal"},
	27: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 IPv6"},
	28: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 without dot"},
	29: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "D8 line break in the host"},
	30: {File: "internal/config/check_test.go", Func: "TestLoad_BadValues", Row: "redirect of 2,049 characters"},
	36: {File: "stages/webform/webform_test.go", Func: "TestUserGone"},
	39: {File: "stages/codec_test.go", Func: "TestUnknownCodec"},
	40: {File: "pipeline/offsets_test.go", Func: "TestMarkersCountAsFinished"},
}

// TestEveryBadRequestIsTested looks for the numbers in front of the rows.
func TestEveryBadRequestIsTested(t *testing.T) {
	t.Parallel()
	testlist.List{
		Letter: "A", Entries: badRequests, Root: "..",
		Patterns: []string{"schemas/*_test.go", "stages/webform/*_test.go"}, Elsewhere: elsewhere,
	}.Check(t)
}
