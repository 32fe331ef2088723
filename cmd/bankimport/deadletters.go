package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/pipeline"
)

func (a *app) deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "list, show and redrive what the stages gave up on",
	}
	cmd.AddCommand(a.deadLetterListCommand(), a.deadLetterShowCommand(), a.deadLetterRedriveCommand())
	return cmd
}

// deadLetterFilter says which dead letters are meant. Empty fields mean any.
type deadLetterFilter struct {
	stage, class, importID string
	since, until           string // as given
	from, to               time.Time
}

func (f *deadLetterFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.stage, "stage", "", "only those of this stage: "+strings.Join(stageNames(), ", "))
	flags.StringVar(&f.class, "class", "", "only those of this class, like retries_exhausted; the README explains them")
	flags.StringVar(&f.importID, "import", "", "only those of the import with this id")
	flags.StringVar(&f.since, "since", "", "only those since then: a duration ago like 2h, or a time like 2026-01-02T15:04:05Z")
	flags.StringVar(&f.until, "until", "", "only those until then, in the same forms")
	// An error here would mean that the flag does not exist.
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(stageNames(), cobra.ShellCompDirectiveNoFileComp))
}

// parse checks the filter and fixes what it means now. An empty value is refused: a
// script whose variable is not set does not mean any.
func (f *deadLetterFilter) parse(cmd *cobra.Command, now time.Time) (err error) {
	for _, name := range []string{"stage", "class", "import", "since", "until"} {
		if flag := cmd.Flag(name); flag.Changed && flag.Value.String() == "" {
			return usagef("--%s is empty: leave it out if any is meant", name)
		}
	}
	if f.stage != "" && !slices.Contains(stageNames(), f.stage) {
		return usagef("--stage %q: want one of %s", f.stage, strings.Join(stageNames(), ", "))
	}
	if f.from, err = parseWhen("since", f.since, now); err != nil {
		return err
	}
	if f.to, err = parseWhen("until", f.until, now); err != nil {
		return err
	}
	if !f.from.IsZero() && !f.to.IsZero() && !f.from.Before(f.to) {
		return usagef("--since %s is not before --until %s", f.since, f.until)
	}
	return nil
}

func (f *deadLetterFilter) empty() bool {
	return f.stage == "" && f.class == "" && f.importID == "" && f.since == "" && f.until == ""
}

func (f *deadLetterFilter) matches(l pipeline.DeadLetter) bool {
	return (f.stage == "" || f.stage == l.Stage) &&
		(f.class == "" || f.class == l.Class) &&
		(f.importID == "" || f.importID == string(l.Key)) &&
		(f.from.IsZero() || !l.LastAt.Before(f.from)) &&
		(f.to.IsZero() || !l.LastAt.After(f.to))
}

// parseWhen reads a time, or a duration before now.
func parseWhen(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usagef("--%s %q: want a duration ago like 2h, or a time like 2026-01-02T15:04:05Z", flag, s)
	}
	return at, nil
}

// checkDeadLetterIDs refuses what cannot be the id of a dead letter.
func checkDeadLetterIDs(ids []string) error {
	for _, s := range ids {
		if id, err := uuid.Parse(s); err != nil || id.String() != s {
			return usagef("%q is no id of a dead letter, a lower-case UUID; bankimport dead-letters list shows them (--import takes the id of an import)", s)
		}
	}
	return nil
}

// withDeadLetters calls f with the cluster's dead letters. Once ctx has ended, what f
// does with Kafka has so long to come to its end.
func (a *app) withDeadLetters(ctx context.Context, end time.Duration, f func(*pipeline.DeadLetters) error) error {
	cfg, conn, err := a.cluster()
	if err != nil {
		return err
	}
	reach, client, reached := a.reaching(ctx, end)
	defer reached()
	d, err := pipeline.OpenDeadLetters(reach, pipeline.DeadLettersConfig{
		KafkaOpts: append(conn.Options(), client), TopicPrefix: cfg.Kafka.TopicPrefix,
		StateRetention: cfg.Engine.StateRetention,
	})
	if err != nil {
		return a.unreachable(ctx, reach, err, cfg)
	}
	defer d.Close()
	reached()
	if err := f(d); err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	return nil
}

// tellNone says on stderr that a filter let nothing through.
func (a *app) tellNone(f *deadLetterFilter) {
	if f.empty() {
		fmt.Fprintln(a.stderr, "there are no dead letters")
		return
	}
	fmt.Fprintln(a.stderr, "no dead letter matches; see all with: bankimport dead-letters list")
}
