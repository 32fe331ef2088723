package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/topics"
)

func (a *app) topicsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "compare the topics with what is needed, create what is missing",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var output string
	plan := &cobra.Command{
		Use:   "plan",
		Short: "show what apply would do",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(func(adm *kadm.Client, s topics.Settings) error {
				p, err := topics.Compare(cmd.Context(), adm, s)
				if err != nil {
					return err
				}
				return a.writePlan(p, output)
			})
		},
	}
	outputFlag(plan, &output, outputText, outputJSON)
	apply := &cobra.Command{
		Use:   "apply",
		Short: "create the topics that are missing; nothing is changed or deleted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(func(adm *kadm.Client, s topics.Settings) error { return a.applyTopics(cmd.Context(), adm, s) })
		},
	}
	cmd.AddCommand(plan, apply)
	return cmd
}

func (a *app) withAdmin(f func(*kadm.Client, topics.Settings) error) error {
	cfg, err := config.Load(a.environ, config.NeedKafka)
	if err != nil {
		return err
	}
	conn, err := cfg.Kafka.Connect()
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(conn.Options()...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	return f(kadm.NewClient(cl), cfg.TopicSettings(stageNames()...))
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

func (a *app) writePlan(p topics.Plan, output string) error {
	switch output {
	case outputText:
		return p.WriteText(a.stdout)
	case outputJSON:
		return p.WriteJSON(a.stdout)
	default:
		return badOutput(output, outputText, outputJSON)
	}
}
