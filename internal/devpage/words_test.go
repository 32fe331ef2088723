package devpage

import (
	"strings"
	"testing"

	"github.com/bankimport/bankimport/schemas"
)

// TestEndingOf: every reason of the contract has words of its own.
func TestEndingOf(t *testing.T) {
	t.Parallel()
	unknown := endingOf("new_reason")
	if unknown.short != "new_reason" {
		t.Errorf("an unknown reason is called %q", unknown.short)
	}
	shorts := map[string]schemas.Reason{}
	for _, r := range schemas.Reasons() {
		e := endingOf(r)
		if e.what == unknown.what || e.what == "" || e.look == "" {
			t.Errorf("%s: got %+v, want what happened and where to look", r, e)
		}
		if other, taken := shorts[e.short]; taken || e.short == "" || strings.Contains(e.short, "_") {
			t.Errorf("%s is called %q, as is %q", r, e.short, other)
		}
		shorts[e.short] = r
	}
}

func TestStepWords(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, s := range schemas.Steps() {
		names[stepName(s)] = true
		for _, on := range schemas.WaitingFors() {
			if headline, sentence := waiting(s, on); headline == "" || !strings.HasSuffix(sentence, ".") {
				t.Errorf("%s, waiting for %s: got %q, %q", s, on, headline, sentence)
			}
		}
	}
	if len(names) != 6 {
		t.Errorf("got %d names of steps, want 6: both ends share one", len(names))
	}
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	for _, f := range schemas.Failures() {
		if failureOf(f) == "" {
			t.Errorf("%s has no words", f)
		}
	}
	if got := failureOf("new"); got != "" {
		t.Errorf("got %q of an unknown one, want nothing", got)
	}
}
