package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "show or check the configuration",
		Long:  "All settings are environment variables. \"config help\" lists them with their defaults.",
	}
	var output string
	show := &cobra.Command{
		Use:   "print",
		Short: "print every setting as it is, secrets hidden",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, _ := config.Load(a.environ, config.NeedAll) // what is wrong is for "config check"
			switch output {
			case outputText:
				return config.WriteValues(a.stdout, cfg.Rows())
			case outputJSON:
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				return e.Encode(cfg.Rows())
			default:
				return badOutput(output, outputText, outputJSON)
			}
		},
	}
	outputFlag(show, &output, outputText, outputJSON)
	check := &cobra.Command{
		Use:       "check [STAGE…|bridge]",
		Short:     "say all that is wrong with the configuration of these parts (default: all)",
		ValidArgs: parts(),
		RunE: func(_ *cobra.Command, args []string) error {
			need := config.NeedAll
			if len(args) > 0 {
				var err error
				if need, err = needOf(args); err != nil {
					return err
				}
			}
			if _, err := config.Load(a.environ, need); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, "the configuration is complete")
			return err
		},
	}
	help := &cobra.Command{
		Use:   "help",
		Short: "list every setting with its default",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return config.WriteHelp(a.stdout) },
	}
	cmd.AddCommand(show, check, help)
	return cmd
}
