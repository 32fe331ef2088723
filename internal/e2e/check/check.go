package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// Records is what was read, by topic (without prefix), per partition in the
// order of the offsets.
type Records map[string][]judge.Record

// Violation is one thing that is not as it must be.
type Violation struct {
	Rule string // see the package comment
	Text string
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// Figures are what a run of imports amounted to.
type Figures struct {
	Requests, Forms, Completed, Accounts, Rows, Statuses, Hints int
	Failed                                                      map[string]int // by reason
	DeadLetters                                                 map[string]int // by class, each once
	Redriven                                                    int            // of them
}

func (f Figures) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d forms, %d completed", f.Requests, f.Forms, f.Completed)
	for _, reason := range slices.Sorted(maps.Keys(f.Failed)) {
		fmt.Fprintf(&b, ", %d %s", f.Failed[reason], reason)
	}
	fmt.Fprintf(&b, ", %d accounts, %d rows, %d statuses, %d hints", f.Accounts, f.Rows, f.Statuses, f.Hints)
	for _, class := range slices.Sorted(maps.Keys(f.DeadLetters)) {
		fmt.Fprintf(&b, ", %d dead letters %s", f.DeadLetters[class], class)
	}
	if f.Redriven > 0 {
		fmt.Fprintf(&b, ", %d redriven", f.Redriven)
	}
	return b.String()
}

// Check compares what is on the topics with what is true. It reads complete
// topics of imports that have all ended, and no violation means that all rules
// hold. It does not change its arguments.
func Check(records Records, truth Truth) (Figures, []Violation) {
	c := &checker{
		truth:  truth,
		forms:  make(map[run]string),
		final:  make(map[run]string),
		done:   make(map[run]importCompleted),
		accts:  make(map[run]map[string]account),
		rows:   make(map[rowsOf][]transaction),
		loaded: make(map[accountOf][]Row),
	}
	c.events(records)
	c.published(records)
	c.statuses(records[topicStatus])
	c.finals(records)
	c.accounts(records[topicAccounts])
	c.transactions(records[topicTransactions])
	c.complete()
	c.deadLetters(c.redriven(records))
	return c.figures, c.violations
}

// Summary joins the first violations, and says how many there are.
func Summary(violations []Violation) string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%d violations", len(violations))
	for i, v := range violations {
		if i == most {
			b.WriteString("\n  …")
			break
		}
		fmt.Fprintf(&b, "\n  %v", v)
	}
	return b.String()
}

type checker struct {
	truth      Truth
	figures    Figures
	violations []Violation

	forms  map[run]string             // published form by run
	final  map[run]string             // "completed" or the reason, by run
	done   map[run]importCompleted    // by run
	accts  map[run]map[string]account // by run and account key
	rows   map[rowsOf][]transaction   // by run, account and read
	loaded map[accountOf][]Row        // of accounts that an import-completed lists
}

func (c *checker) violate(rule, format string, args ...any) {
	c.violations = append(c.violations, Violation{rule, fmt.Sprintf(format, args...)})
}
