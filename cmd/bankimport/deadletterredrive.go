package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/pipeline"
)

// What became of a dead letter.
const (
	resultRedriven  = "redriven"
	resultWould     = "would_redrive" // with --dry-run
	resultBefore    = "already_redriven"
	resultTruncated = "truncated"
	resultNoOrigin  = "no_origin"
	resultForgotten = "forgotten"
	resultRefused   = "refused"
	resultNotFound  = "not_found"
)

// redriveEnd is how long a redrive that is interrupted has to end its transaction.
const redriveEnd = 5 * time.Second

type redriveOptions struct {
	filter deadLetterFilter
	ids    []string
	all    bool
	dryRun bool
	output string
}

func (a *app) deadLetterRedriveCommand() *cobra.Command {
	var o redriveOptions
	cmd := &cobra.Command{
		Use:   "redrive ID… | --stage … --class … | --all",
		Short: "put dead letters back where they came from, each once",
		Long: "Puts records back on the topic and partition they came from, and wakes the timers that were given\n" +
			"up. The stage then tries again; an import that was given up goes on as its next run. Each dead\n" +
			"letter is redriven once, whoever does it twice or at the same time. What fails again becomes a new\n" +
			"dead letter.",
		Example: "  bankimport dead-letters redrive 0b6f2a52-7c1e-5c5e-9c0e-7d5b0f6f2d11\n" +
			"  bankimport dead-letters redrive --class retries_exhausted --since 2h --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ids = args
			if err := o.check(cmd); err != nil {
				return err
			}
			return a.redrive(cmd.Context(), o)
		},
	}
	o.filter.flags(cmd)
	cmd.Flags().BoolVar(&o.all, "all", false, "all that have not been redriven yet")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only say what would be redriven")
	outputFlag(cmd, &o.output, outputText, outputJSON, outputJSONL)
	return cmd
}

func (o *redriveOptions) check(cmd *cobra.Command) error {
	if o.output != outputText && o.output != outputJSON && o.output != outputJSONL {
		return badOutput(o.output, outputText, outputJSON, outputJSONL)
	}
	switch {
	case len(o.ids) > 0 && (o.all || !o.filter.empty()):
		return usagef("ids and filters (or --all) together: name the dead letters, or say which are meant")
	case len(o.ids) == 0 && !o.all && o.filter.empty():
		return usagef("which dead letters? Name their ids, or filter with --stage, --class, --import, --since, --until, or say --all; --dry-run shows what would happen")
	}
	if err := checkDeadLetterIDs(o.ids); err != nil {
		return err
	}
	return o.filter.parse(cmd, time.Now())
}

func (a *app) redrive(ctx context.Context, o redriveOptions) error {
	t := &redriveTold{app: a, options: o, out: rows{w: a.stdout, lines: o.output == outputJSONL}, named: map[string]bool{}, seen: map[string]bool{}}
	for _, id := range o.ids {
		t.named[id] = true
	}
	err := a.withDeadLetters(ctx, redriveEnd, func(d *pipeline.DeadLetters) error {
		if o.dryRun {
			return d.Each(ctx, t.wanted, func(l pipeline.DeadLetter) error {
				why, err := d.Obstacle(ctx, l)
				if err != nil {
					return err
				}
				t.tell(l, why)
				return t.err
			})
		}
		return d.Redrive(ctx, t.wanted, t.tell)
	})
	if err == nil {
		t.tellMissing()
	}
	if o.output != outputText {
		t.err = errors.Join(t.err, t.out.close())
	}
	return t.end(err)
}

// redriveTold writes what becomes of each dead letter.
type redriveTold struct {
	*app
	options redriveOptions
	out     rows
	named   map[string]bool // by id: was asked for
	seen    map[string]bool // by id: of these, which are there
	done    int             // redriven, or would be
	before  int             // named ones that had been redriven
	failed  int
	err     error // of writing
}

func (t *redriveTold) wanted(l pipeline.DeadLetter) bool {
	if len(t.named) > 0 {
		return t.named[l.ID]
	}
	return t.options.filter.matches(l)
}

func (t *redriveTold) tell(l pipeline.DeadLetter, why error) {
	if t.named[l.ID] {
		t.seen[l.ID] = true
	}
	r := rowOf(l)
	switch {
	case errors.Is(why, pipeline.ErrRedriven):
		if !t.named[l.ID] {
			return // nobody has asked for this one
		}
		r.Result = resultBefore
		t.before++
	case why != nil:
		r.Result, r.Problem = resultOf(why), why.Error()
		t.failed++
	case t.options.dryRun:
		r.Result = resultWould
		t.done++
	default:
		r.Result = resultRedriven
		t.done++
	}
	t.write(r)
}

func resultOf(err error) string {
	switch {
	case errors.Is(err, pipeline.ErrTruncated):
		return resultTruncated
	case errors.Is(err, pipeline.ErrNoOrigin):
		return resultNoOrigin
	case errors.Is(err, pipeline.ErrForgotten):
		return resultForgotten
	default:
		return resultRefused
	}
}

// tellMissing tells of ids that are no dead letters.
func (t *redriveTold) tellMissing() {
	for _, id := range t.options.ids {
		if !t.seen[id] {
			t.seen[id] = true // it may have been named twice
			t.failed++
			t.write(deadLetterRow{ID: id, Result: resultNotFound, Problem: "there is no such dead letter; see bankimport dead-letters list"})
		}
	}
}

func (t *redriveTold) write(r deadLetterRow) {
	if t.err != nil {
		return
	}
	if t.options.output != outputText {
		t.err = t.out.write(r)
		return
	}
	words := map[string]string{
		resultRedriven: "redriven", resultWould: "would redrive", resultBefore: "redriven already",
		resultTruncated: "cannot redrive", resultNoOrigin: "cannot redrive", resultForgotten: "cannot redrive", resultRefused: "cannot redrive", resultNotFound: "cannot redrive",
	}
	line := words[r.Result] + "  " + r.ID
	if r.Stage != "" {
		line += fmt.Sprintf("  %s  %s  %s", printable(r.Stage), printable(r.Class), r.key())
	}
	if r.Problem != "" {
		line += ": " + r.Problem
	}
	_, t.err = fmt.Fprintln(t.stdout, line)
}

// end says how it went as a whole.
func (t *redriveTold) end(err error) error {
	switch {
	case err != nil && t.done > 0 && !t.options.dryRun:
		fmt.Fprintf(t.stderr, "%s redriven before this went wrong, or some more that there was no answer about; run it again for the rest\n", count(t.done, "dead letter"))
		return err
	case err != nil:
		return err
	case t.err != nil:
		return t.err
	case t.failed > 0:
		return fmt.Errorf("%s could not be redriven, %d could: the output says why", count(t.failed, "dead letter"), t.done)
	case t.options.dryRun && t.done > 0:
		fmt.Fprintf(t.stderr, "%s would be redriven; run it again without --dry-run\n", count(t.done, "dead letter"))
	case t.done > 0:
		fmt.Fprintf(t.stderr, "%s redriven; see what becomes of the imports with: bankimport watch\n", count(t.done, "dead letter"))
	case t.before > 0:
		fmt.Fprintln(t.stderr, "nothing to do: redriven already; what failed again is a new dead letter, see bankimport dead-letters list")
	case len(t.options.ids) == 0:
		fmt.Fprintln(t.stderr, "nothing to redrive: no dead letter that matches is left; see bankimport dead-letters list")
	}
	return nil
}
