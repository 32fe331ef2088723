package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

func TestRun_Arguments(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		args     string
		quick    string // BENCH_QUICK
		want     string // in the output
		wantNot  string
		wantFail string
	}{
		{name: "list", args: "-list", want: "grid-tail-zipf"},
		{name: "quick list", args: "-list", quick: "1", want: "no-op", wantNot: "grid"},
		{name: "part", args: "-list -run ^hop$", want: "hop", wantNot: "tail"},
		{name: "no such part", args: "-run nothing", wantFail: "-list"},
		{name: "not a regular expression", args: "-run (", wantFail: "missing closing"},
		{name: "argument", args: "tail", wantFail: `"tail"`},
		{name: "no such contestant", args: "contestant nobody", wantFail: `"nobody"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := run(t.Context(), strings.Fields(tc.args), func(string) string { return tc.quick }, strings.NewReader(""), &out, io.Discard)
			switch {
			case tc.wantFail != "" && (err == nil || !strings.Contains(err.Error(), tc.wantFail)):
				t.Errorf("got error %v, want one that says %s", err, tc.wantFail)
			case tc.wantFail == "" && err != nil:
				t.Error(err)
			}
			if got := out.String(); !strings.Contains(got, tc.want) || tc.wantNot != "" && strings.Contains(got, tc.wantNot) {
				t.Errorf("got %q, want %q in it and not %q", got, tc.want, tc.wantNot)
			}
		})
	}
}

func TestComparison_Figures(t *testing.T) {
	t.Parallel()
	c := comparison{
		latency: contest.Latency{Usual: time.Second}, ideal: atLeast(0.98), memory: atMost(250),
		entrants: []entrant{{name: "a", inFlight: 100}, {name: "b", want: atLeast(3)}},
	}
	runs := func(records ...int) (reports []contest.Report) {
		for _, n := range records {
			reports = append(reports, contest.Report{Records: n, Took: 10 * time.Second, PeakRSS: 1 << 20})
		}
		return reports
	}
	res := result{figures: c.figures([]spent{{"a", runs(900, 950, 970)}, {"b", runs(300, 475, 194)}})}
	var out strings.Builder
	if missed := res.write(&out); missed != 1 {
		t.Errorf("got %d missed targets, want 1", missed)
	}
	for _, want := range []string{
		"a ÷ b", "3          (2–5)  target ≥ 3: ok",
		"0.95          (0.9–0.97)  target ≥ 0.98: MISSED",
		"1 MiB      (1–1)  target ≤ 250: ok",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", out.String(), want)
		}
	}
}

// TestComparison_Late: a contestant that comes to no result is named and left out of
// the figures; without the first one there are none.
func TestComparison_Late(t *testing.T) {
	t.Parallel()
	c := comparison{entrants: []entrant{{name: "a"}, {name: "b"}, {name: "c"}}}
	races := map[string]int{}
	race := func(late string) func(e entrant) (contest.Report, error) {
		return func(e entrant) (contest.Report, error) {
			races[e.name]++
			if e.name == late && races[e.name] == 2 {
				return contest.Report{}, fmt.Errorf("%s: %w", e.name, errLate)
			}
			return contest.Report{Records: 10, Took: time.Second}, nil
		}
	}
	r, err := c.run(3, race("b"))
	if err != nil {
		t.Fatal(err)
	}
	if races["a"] != 3 || races["b"] != 2 || races["c"] != 3 {
		t.Errorf("races %v, want b no more after it was late", races)
	}
	var out bytes.Buffer
	r.write(&out)
	if got := out.String(); !strings.Contains(got, "a ÷ c") || strings.Contains(got, "a ÷ b") || !strings.Contains(got, "b                        no result") {
		t.Errorf("got\n%s", got)
	}
	clear(races)
	if _, err := c.run(3, race("a")); !errors.Is(err, errLate) {
		t.Errorf("got error %v, want that the first one is late", err)
	}
}
