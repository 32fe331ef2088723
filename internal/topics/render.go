package topics

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// WriteText writes the plan for a person: a line per topic, beneath it what
// differs, and at the end what it comes to.
func (p Plan) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACTION\tTOPIC\tPARTITIONS\tREPLICATION\tCLEANUP\tRETENTION")
	for _, t := range p.Topics {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n",
			t.Action, t.Name, t.Partitions, replication(t.Replication), t.Configs[cleanupPolicy], days(t.Configs[retentionMS]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, t := range p.Topics {
		for _, d := range t.Differences {
			if _, err := fmt.Fprintf(w, "%s: %s is %s, want %s\n", t.Name, d.Setting, quoted(d.Have), quoted(d.Want)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(w, p.summary())
	return err
}

// WriteJSON writes the plan as one JSON object. Its form is stable.
func (p Plan) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(p)
}

func (p Plan) summary() string {
	create, differ := len(p.With(ActionCreate)), len(p.With(ActionDiffers))
	s := fmt.Sprintf("%d to create, %d as they must be", create, len(p.With(ActionKeep)))
	if differ > 0 {
		s += fmt.Sprintf(", %d with other settings (left as they are)", differ)
	}
	if err := p.Err(); err != nil {
		s += fmt.Sprintf(", %d in conflict: nothing can be applied", len(p.With(ActionConflict)))
	}
	return s
}

func replication(n int) string {
	if n < 0 {
		return "broker's"
	}
	return strconv.Itoa(n)
}

// days writes milliseconds as days where they are whole days.
func days(ms string) string {
	const perDay = 24 * 60 * 60 * 1000
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || n%perDay != 0 {
		return ms + " ms"
	}
	return strconv.FormatInt(n/perDay, 10) + " d"
}

func quoted(s string) string {
	if s == "" {
		return "not set"
	}
	return s
}
