package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/topics"
)

func (a *app) topicsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "compare the topics with what is needed, create what is missing",
	}
	var output string
	plan := &cobra.Command{
		Use:   "plan",
		Short: "show what apply would do",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != outputText && output != outputJSON {
				return badOutput(output, outputText, outputJSON)
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client, s topics.Settings) error {
				p, err := topics.Compare(ctx, adm, s)
				if err != nil {
					return err
				}
				write := p.WriteText
				if output == outputJSON {
					write = p.WriteJSON
				}
				return cmp.Or(write(a.stdout), p.Err()) // apply would say the same
			})
		},
	}
	outputFlag(plan, &output, outputText, outputJSON)
	apply := &cobra.Command{
		Use:   "apply",
		Short: "create the topics that are missing; nothing is changed or deleted",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), a.applyTopics)
		},
	}
	cmd.AddCommand(plan, apply)
	return cmd
}

// withAdmin calls f with what it needs to compare topics, and a context that
// ends when the cluster has not answered for long.
func (a *app) withAdmin(ctx context.Context, f func(context.Context, *kadm.Client, topics.Settings) error) error {
	cfg, conn, err := a.cluster()
	if err != nil {
		return err
	}
	reach, client, reached := a.reaching(ctx, 0)
	defer reached()
	cl, err := kgo.NewClient(append(conn.Options(), client)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	if err := f(reach, kadm.NewClient(cl), cfg.TopicSettings(stageNames()...)); err != nil {
		return a.unreachable(ctx, reach, err, cfg)
	}
	return nil
}

func (a *app) applyTopics(ctx context.Context, adm *kadm.Client, s topics.Settings) error {
	p, err := topics.Compare(ctx, adm, s)
	if err != nil {
		return err
	}
	created, err := p.Apply(ctx, adm)
	for _, t := range created {
		fmt.Fprintln(a.stdout, "created", t)
	}
	if err != nil {
		return err
	}
	for _, t := range p.With(topics.ActionDiffers) {
		fmt.Fprintf(a.stderr, "topic %s has other settings than it should; see bankimport topics plan\n", t)
	}
	fmt.Fprintf(a.stderr, "%d topics created, %d were there\n", len(created), len(p.Topics)-len(created))
	return nil
}
