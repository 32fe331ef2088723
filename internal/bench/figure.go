package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// A figure is something measured, once per round.
type figure struct {
	what   string
	unit   string // empty: a ratio
	values []float64
	want   target
}

// A target is what a figure is to reach. The zero target is none.
type target struct {
	sign  string // ≥ or ≤
	value float64
}

func atLeast(v float64) target { return target{"≥", v} }
func atMost(v float64) target  { return target{"≤", v} }

func (t target) reached(v float64) bool {
	return t.sign == "" || t.sign == "≥" && v >= t.value || t.sign == "≤" && v <= t.value
}

// A result is what a scenario has measured.
type result struct {
	figures []figure
	spent   []spent
	late    []string // contestants that came to no result
}

// spent is what a contestant took, by round.
type spent struct {
	name    string
	reports []contest.Report
}

// write prints the result and returns how many targets were missed.
func (r result) write(w io.Writer) (missed int) {
	for _, f := range r.figures {
		verdict := ""
		m := median(f.values)
		if f.want.sign != "" {
			verdict = fmt.Sprintf("  target %s %s: ok", f.want.sign, number(f.want.value))
			if !f.want.reached(m) {
				verdict = fmt.Sprintf("  target %s %s: MISSED", f.want.sign, number(f.want.value))
				missed++
			}
		}
		fmt.Fprintf(w, "  %-52s %9s %-8s (%s–%s)%s\n", f.what, number(m), f.unit, number(slices.Min(f.values)), number(slices.Max(f.values)), verdict)
	}
	for _, name := range r.late {
		fmt.Fprintf(w, "    %-24s no result in time\n", name)
	}
	for _, s := range r.spent {
		of := func(f func(contest.Report) float64) string {
			var v []float64
			for _, r := range s.reports {
				v = append(v, f(r))
			}
			return number(median(v))
		}
		fmt.Fprintf(w, "    %-24s %9s records/s, CPU per record %8s µs, of the broker %8s µs, peak RSS %6s MiB\n", s.name,
			of(contest.Report.Rate),
			of(func(r contest.Report) float64 { return float64(r.ProcessCPU.Microseconds()) / float64(r.Records) }),
			of(func(r contest.Report) float64 { return float64(r.BrokerCPU.Microseconds()) / float64(r.Records) }),
			of(func(r contest.Report) float64 { return mib(r.PeakRSS) }))
	}
	return missed
}

// median of an even number of values is the lower one in the middle.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[(len(s)-1)/2]
}

// number prints three digits or more.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
