package main

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/ops"
)

func (a *app) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [STAGE…] [bridge]",
		Short: "run stages, the webhook bridge, or all of it against a real cluster",
		Long: "Runs the parts that are named, or all of them: webform, connection, accounts, transactions, bridge.\n" +
			"Settings are environment variables: see bankimport config help. SIGTERM or Ctrl-C stops it gracefully.",
		ValidArgs: parts(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = parts()
			}
			need, err := needOf(args)
			if err != nil {
				return err
			}
			cfg, err := config.Load(a.environ, need)
			if err != nil {
				return err
			}
			slices.Sort(args)
			s := &service{
				parts: slices.Compact(args), cfg: cfg, metrics: prometheus.NewRegistry(),
				logger: ops.NewLogger(a.stderr, cfg.Log.Level, cfg.Log.Format),
			}
			if err := s.listen(); err != nil {
				return err
			}
			s.logger.Info("starting", "version", version(), "parts", s.parts, "admin", s.admin.Addr().String())
			err = s.run(cmd.Context())
			if err == nil {
				s.logger.Info("stopped")
			}
			return err
		},
	}
	return cmd
}
