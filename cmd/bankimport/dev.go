package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/devpage"
	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/internal/localkafka"
	"github.com/bankimport/bankimport/internal/ops"
	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/internal/topics"
	"github.com/bankimport/bankimport/schemas"
)

type devOptions struct {
	auto                             bool
	addrs                            devAddrs
	faults                           faultFlag
	formLife, download, categorizing time.Duration
}

func (a *app) devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "run everything in one process: embedded Kafka, simulated provider, all stages, a page",
		Long: "Runs an embedded Kafka, a simulated finAPI, all stages, the webhook bridge and a page that starts\n" +
			"imports and shows them. Everything is in memory and gone when it ends. It is for trying and\n" +
			"developing, not for real data.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.dev(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.auto, "auto", false, "import the test bank without a person, then exit: 0 when everything arrived")
	o.addrs.flags(f)
	o.faults.add(f)
	f.DurationVar(&o.formLife, "form-life", 20*time.Minute, "how long a web form is valid")
	f.DurationVar(&o.download, "download-time", 3*time.Second, "how long the simulated bank's download takes")
	f.DurationVar(&o.categorizing, "categorization-time", 2*time.Second, "how long the provider then takes to categorise")
	return cmd
}

// dev runs everything until ctx ends or, with --auto, until the import has ended.
func (a *app) dev(ctx context.Context, o devOptions) (err error) {
	began := time.Now()
	if o.formLife <= 0 {
		return usagef("--form-life %s: want a duration above 0", o.formLife)
	}
	faults, err := o.faults.parse()
	if err != nil {
		return err
	}
	cfg, err := config.Load(a.environ, 0) // addresses, log, timings: the rest is made up here
	if err != nil {
		return err
	}
	logger := ops.NewLogger(a.stderr, max(cfg.Log.Level, devLevel(cfg)), cfg.Log.Format)
	l, err := o.addrs.bind(cfg)
	if err != nil {
		return err
	}
	defer l.close()

	kafka, err := localkafka.Start(localkafka.Config{Listener: l.kafka, Logger: logger.With("part", "embedded-kafka")})
	if err != nil {
		return err
	}
	defer kafka.Close()
	world, err := newDevWorld(a.environ, l, kafka.Addr())
	if err != nil {
		return err
	}
	conn, err := world.cfg.Kafka.Connect()
	if err != nil {
		return err
	}
	if err := ensureTopics(ctx, conn, world.cfg); err != nil {
		return err
	}
	settings := world.simulator
	settings.FormLife, settings.DownloadTime, settings.CategorizationTime = o.formLife, instantly(o.download), instantly(o.categorizing)
	settings.Faults = faults
	settings.Logger = logger.With("part", "simulator")
	sim, err := simulator.New(settings)
	if err != nil {
		return err
	}
	page := a.devPage(world, conn, sim, logger)

	inner, stop := context.WithCancel(ctx)
	defer stop()
	g, inner := errgroup.WithContext(inner)
	// The provider goes after the stages: without it they would try again for as
	// long as a drain may last.
	provided, stopProvider := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProvider()
	g.Go(func() error {
		defer context.AfterFunc(provided, func() { sim.Close() })() // live pages end only with it
		return serveHTTP(provided, l.simulator, sim, logger)
	})
	g.Go(func() error {
		defer stopProvider()
		s := &service{parts: parts(), cfg: world.cfg, logger: logger, metrics: prometheus.NewRegistry(), admin: l.admin, public: l.bridge}
		return s.run(inner)
	})
	g.Go(func() error { return page.Run(inner) })
	g.Go(func() error { return serveHTTP(inner, l.page, page, logger) })
	a.banner(world, time.Since(began), o.auto)
	var ended error
	if o.auto {
		g.Go(func() error {
			defer stop()
			ended = a.auto(inner, conn, world)
			return nil
		})
	}
	err = g.Wait()
	err = errors.Join(err, sim.Close())
	if o.auto {
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil && errors.Is(ended, errInterrupted):
			return err // a part failed, and that ended the rest
		default:
			return errors.Join(ended, err)
		}
	}
	return err
}

// devLevel keeps the log of dev to what somebody must know, unless they asked
// for more: the page and the banner tell the rest.
func devLevel(cfg config.Config) slog.Level {
	if cfg.Origin(config.Prefix+"LOG_LEVEL") == config.FromDefault {
		return slog.LevelWarn
	}
	return cfg.Log.Level
}

// instantly turns no time at all into what the simulator understands as that.
func instantly(d time.Duration) time.Duration {
	if d <= 0 {
		return -1
	}
	return d
}

func ensureTopics(ctx context.Context, conn kafkaconn.Config, cfg config.Config) error {
	cl, err := kgo.NewClient(conn.Options()...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	_, err = topics.Ensure(ctx, kadm.NewClient(cl), cfg.TopicSettings(stageNames()...))
	return err
}

func (a *app) devPage(w *devWorld, conn kafkaconn.Config, sim *simulator.Simulator, logger *slog.Logger) *devpage.Page {
	var banks []devpage.Bank
	for _, b := range sim.Banks() {
		banks = append(banks, devpage.Bank{ID: b.ID, Name: b.Name})
	}
	return devpage.New(devpage.Config{
		Kafka: conn.Options(), Prefix: w.cfg.Kafka.TopicPrefix, Banks: banks,
		Publish: func(ctx context.Context, e schemas.Event) error {
			return publish(ctx, conn, w.cfg.Kafka.TopicPrefix, e)
		},
		KafkaAddr: w.kafkaAddr, SimulatorURL: w.simulatorURL, MetricsURL: w.adminURL + "/metrics",
		Logger: logger.With("part", "page"),
	})
}

func (a *app) banner(w *devWorld, took time.Duration, auto bool) {
	fmt.Fprintf(a.stderr, "bankimport dev is up after %s. Everything is in memory and gone when it ends.\n\n", took.Round(10*time.Millisecond))
	table := tabwriter.NewWriter(a.stderr, 0, 0, 2, ' ', 0)
	for _, line := range [][3]string{
		{"page", w.pageURL, "start an import here and watch it"},
		{"simulator", w.simulatorURL, "the simulated provider: its forms, banks and test logins"},
		{"bridge", w.bridgeURL, "takes the provider's callbacks"},
		{"metrics", w.adminURL, "/metrics, /livez, /readyz"},
		{"kafka", w.kafkaAddr, "embedded, for development only"},
	} {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", line[0], line[1], line[2])
	}
	table.Flush()
	if auto {
		return
	}
	setting := ""
	if standard, err := config.Load(nil, 0); err != nil || !slices.Equal(standard.Kafka.Brokers, []string{w.kafkaAddr}) {
		setting = config.Prefix + "KAFKA_BROKERS=" + w.kafkaAddr + " "
	}
	fmt.Fprintf(a.stderr, "\nNext: open %s, or in a second terminal\n  %sbankimport import --user u1 --bank %d --wait\n"+
		"Log in with demo / demo, TAN 123456. Ctrl-C ends it.\n", w.pageURL, setting, devBank)
}
