package finapi

import (
	"testing"

	"github.com/bankimport/bankimport/internal/testlist"
)

// badAnswers are the bad answers of the provider that must have a test each. Rows
// of tables, here and in the stages, say by a number in front of their name which
// one they are.
var badAnswers = []string{
	1:  "every status with and without a body",
	2:  "200 with a login page",
	3:  "200 with {}",
	4:  "200 with an error",
	5:  "wrong Content-Type",
	6:  "cut off at every byte",
	7:  "Content-Length too small, too large",
	8:  "gzip cut off, a bomb, twice",
	9:  "body of 5 GB",
	10: "1 byte at a time",
	11: "headers never end",
	12: "numbers 1e400, -0, 0.0, of 20 digits, as text, NaN",
	13: "ids of 2^63-1, above 2^53, negative, as text",
	14: "times with +0000, with Z, without a zone, as a number, 30 February, years 0 and 10000",
	15: "null for what is required",
	16: "what is required is missing",
	17: "unknown word of an enumeration",
	18: "10,000 unknown fields",
	19: "ids twice in a page, across pages",
	20: "the same page twice, past the end, the number of pages changes, totals 0 with rows and negative",
	21: "no paging",
	22: "account of another user or connection",
	23: "currency null, unknown, in lower case",
	24: "texts with right-to-left marks, NUL, emoji, a formula, of 1 MB",
	25: "IBAN appears and goes",
	26: "status goes backwards",
	27: "no connection on COMPLETED, one on ABORTED",
	28: "form expires in the past, in a year",
	29: "form's URL on another host",
	30: "expires_in 0, 1, -1, missing, text",
	31: "another token type",
	32: "400 and 401 exchanged",
	33: "four shapes of errors and a fifth",
	34: "Retry-After negative, a date, 10^9, text",
	35: "redirects",
	36: "certificate expired, of another host, signed by itself",
	37: "connection reset",
	38: "the answer to another request",
	39: "cookies, 64 KiB of headers",
	40: "clock a day ahead, a day behind",
}

// elsewhere are those that no row of a table stands for: file and test.
var elsewhere = map[int]testlist.Test{
	6:  {File: "internal/finapi/exchange_test.go", Func: "TestEveryCutOfAnAnswer"},
	26: {File: "stages/connection/download_test.go", Func: "TestNeverSettles"},
	29: {File: "internal/finapi/answers_test.go", Func: "TestFormURLs"},
	35: {File: "internal/finapi/exchange_test.go", Func: "TestRedirectsAreNotFollowed"},
}

// TestEveryBadAnswerIsTested looks for the numbers in front of the rows.
func TestEveryBadAnswerIsTested(t *testing.T) {
	t.Parallel()
	testlist.List{
		Letter: "C", Entries: badAnswers, Root: "../..",
		Patterns: []string{"internal/finapi/*_test.go", "stages/*/*_test.go"}, Elsewhere: elsewhere,
	}.Check(t)
}
