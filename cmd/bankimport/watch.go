package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

func (a *app) watchCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "watch [ID]",
		Short: "follow one import to its end, or all of them",
		Long: "With an id it follows that import until it has ended: exit code 3 if it ends badly. Without one it\n" +
			"shows where every import stands and then each step as it happens, until it is interrupted.",
		Args: maybeOneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != outputText && output != outputJSON && output != outputJSONL {
				return badOutput(output, outputText, outputJSON, outputJSONL)
			}
			if len(args) == 1 {
				if err := validImportID(args[0]); err != nil {
					return err
				}
			} else if output == outputJSON {
				return badOutput(output, outputText, outputJSONL)
			}
			return a.watch(cmd.Context(), args, output)
		},
	}
	outputFlag(cmd, &output, outputText, outputJSON, outputJSONL)
	return cmd
}

func (a *app) watch(ctx context.Context, args []string, output string) error {
	cfg, conn, err := a.cluster()
	if err != nil {
		return err
	}
	reach, client, reached := a.reaching(ctx, 0)
	defer reached()
	f, err := follow.Open(reach, follow.Config{Kafka: append(conn.Options(), client), Prefix: cfg.Kafka.TopicPrefix, Topics: follow.Topics(), FromStart: true})
	if err != nil {
		return a.unreachable(ctx, reach, err, cfg)
	}
	defer f.Close()
	reached()
	if len(args) == 1 {
		return a.follow(ctx, f, args[0], true, output)
	}
	return a.watchAll(ctx, f, output)
}

// maxWatched bounds how many imports are remembered; those that have been
// quiet longest go first.
const maxWatched = 10_000

// watchAll shows where each import stands, and then what happens.
func (a *app) watchAll(ctx context.Context, f *follow.Follower, output string) error {
	imports := map[string]*follow.Import{} // by import id
	said := map[string]string{}            // what was last said of an import, by id
	past := true                           // what is read was there before: first comes a table of it
	for {
		if past && f.CaughtUp() {
			past = false
			if output == outputText {
				for _, im := range newest(imports) {
					said[im.ID] = describe(im)
					a.watchLine(im)
				}
				fmt.Fprintf(a.stderr, "%s so far; waiting for what comes (Ctrl-C ends)\n", count(len(imports), "import"))
			}
		}
		recs, err := f.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return errInterrupted
			}
			return err
		}
		for _, r := range recs {
			if r.Event == nil {
				continue
			}
			id := r.Event.Subject()
			im := imports[id]
			if im == nil {
				im = &follow.Import{ID: id}
				imports[id] = im
			}
			if !im.Apply(r) {
				continue
			}
			switch {
			case output == outputJSONL:
				if err := (jsonProgress{a.stdout}).event(im, r); err != nil {
					return err
				}
			case final(im.Step()) && !im.Ended():
				// The event that says how is on its way.
			case !past && describe(im) != said[id]:
				said[id] = describe(im)
				a.watchLine(im)
			}
		}
		if len(imports) > maxWatched {
			for _, gone := range newest(imports)[:maxWatched/10] { // many at once: finding them takes a while
				delete(imports, gone.ID)
				delete(said, gone.ID)
			}
		}
	}
}

// newest returns the imports, the one that was changed last at the end.
func newest(imports map[string]*follow.Import) []*follow.Import {
	all := make([]*follow.Import, 0, len(imports))
	for _, im := range imports {
		all = append(all, im)
	}
	slices.SortFunc(all, func(x, y *follow.Import) int { return x.LastSeen.Compare(y.LastSeen) })
	return all
}

func (a *app) watchLine(im *follow.Import) {
	mark := map[schemas.Step]string{schemas.StepCompleted: "✓", schemas.StepFailed: "✕"}[im.Step()]
	if mark == "" {
		mark = "●"
	}
	fmt.Fprintf(a.stdout, "%s %s %s  %-12s  %s\n", im.LastSeen.Local().Format(time.TimeOnly), mark, im.ID, im.UserID, describe(im))
}
