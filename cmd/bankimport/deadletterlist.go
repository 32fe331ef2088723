package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/pipeline"
)

const maxDeadLetterRows = 100_000

func (a *app) deadLetterListCommand() *cobra.Command {
	var f deadLetterFilter
	var output string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list dead letters, the newest last",
		Example: "  bankimport dead-letters list --since 24h\n" +
			"  bankimport dead-letters list --stage transactions --class retries_exhausted -o jsonl",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != outputText && output != outputJSON && output != outputJSONL {
				return badOutput(output, outputText, outputJSON, outputJSONL)
			}
			if limit < 1 || limit > maxDeadLetterRows {
				return usagef("--limit %d: want 1 to %d", limit, maxDeadLetterRows)
			}
			if err := f.parse(cmd, time.Now()); err != nil {
				return err
			}
			return a.listDeadLetters(cmd.Context(), &f, limit, output)
		},
	}
	f.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 1000, "so many at most, the newest of them")
	outputFlag(cmd, &output, outputText, outputJSON, outputJSONL)
	return cmd
}

func (a *app) listDeadLetters(ctx context.Context, f *deadLetterFilter, limit int, output string) error {
	n := newestRows{limit: limit}
	err := a.withDeadLetters(ctx, 0, func(d *pipeline.DeadLetters) error {
		return d.Each(ctx, f.matches, func(l pipeline.DeadLetter) error {
			n.add(rowOf(l))
			return nil
		})
	})
	if err != nil {
		return err
	}
	list := n.sorted()
	if err := writeDeadLetters(a.stdout, list, output); err != nil {
		return err
	}
	switch {
	case n.total == 0:
		a.tellNone(f)
	case n.total > len(list):
		fmt.Fprintf(a.stderr, "the newest %s of %s; see more with --limit, or ask for fewer\n", thousands(len(list)), count(n.total, "dead letter"))
	case output == outputText:
		fmt.Fprintf(a.stderr, "%s; look into one with: bankimport dead-letters show ID\n", count(n.total, "dead letter"))
	}
	return nil
}

func writeDeadLetters(w io.Writer, list []deadLetterRow, output string) error {
	if output != outputText {
		out := rows{w: w, lines: output == outputJSONL}
		for _, r := range list {
			if err := out.write(r); err != nil {
				return err
			}
		}
		return out.close()
	}
	if len(list) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTIME\tSTAGE\tCLASS\tIMPORT\tATTEMPTS\tREDRIVEN")
	for _, r := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", r.ID, moment(r.Time), printable(r.Stage), printable(r.Class), r.key(), r.Attempts, r.redriven())
	}
	return table.Flush()
}

// newestRows keeps the newest of many rows.
type newestRows struct {
	limit, total int
	rows         []deadLetterRow // at most twice the limit
}

func (n *newestRows) add(r deadLetterRow) {
	n.total++
	if n.rows = append(n.rows, r); len(n.rows) >= 2*n.limit {
		n.sorted()
	}
}

// sorted returns them, the newest last.
func (n *newestRows) sorted() []deadLetterRow {
	slices.SortStableFunc(n.rows, func(a, b deadLetterRow) int { return a.Time.Compare(b.Time) })
	if over := len(n.rows) - n.limit; over > 0 {
		n.rows = slices.Delete(n.rows, 0, over)
	}
	return n.rows
}
