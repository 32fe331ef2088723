package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kslog"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/bridge"
	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/internal/ops"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages"
)

// service is what one process runs for others: stages, the bridge, or both,
// with health and metrics.
type service struct {
	parts   []string // of parts()
	cfg     config.Config
	logger  *slog.Logger
	metrics *prometheus.Registry
	admin   net.Listener // of health and metrics
	public  net.Listener // of the bridge; nil where it does not run
}

// listen binds the addresses that the parts need, so that one that is taken
// fails at once.
func (s *service) listen() (err error) {
	if s.admin, err = listen(s.cfg.Admin.Addr, "BANKIMPORT_ADMIN_ADDR"); err != nil {
		return err
	}
	if slices.Contains(s.parts, partBridge) {
		if s.public, err = listen(s.cfg.Public.Addr, "BANKIMPORT_PUBLIC_ADDR"); err != nil {
			s.admin.Close()
			return err
		}
	}
	return nil
}

// listen binds an address, for a setting that an error names.
func listen(addr, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if bad, ok := errors.AsType[*net.AddrError](err); ok {
		return nil, usagef("%s %q: %s; want HOST:PORT, like 127.0.0.1:0 for any free port", setting, addr, bad.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; set %s to a free address", err, setting)
	}
	return l, nil
}

// run serves until ctx ends, or a part cannot go on. It takes the listeners over.
// Health and metrics stay until all parts have stopped, so that a drain can be
// watched.
func (s *service) run(ctx context.Context) error {
	admin := ops.New(ops.Config{Registry: s.metrics, Logger: s.logger})
	work, undo, err := s.prepare(admin)
	if err != nil {
		return errors.Join(err, undoAll(undo), s.closeListeners())
	}
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin()
	g, ctx := errgroup.WithContext(ctx)
	var working sync.WaitGroup
	for _, f := range work {
		working.Add(1)
		g.Go(func() error {
			defer working.Done()
			return f(ctx)
		})
	}
	g.Go(func() error { return admin.Serve(adminCtx, s.admin) })
	g.Go(func() error {
		<-ctx.Done()
		admin.Stopping()
		working.Wait()
		stopAdmin()
		return nil
	})
	return errors.Join(g.Wait(), undoAll(undo))
}

// prepare makes the parts and their checks. What it returns to be undone, in
// reverse order, is there with an error too.
func (s *service) prepare(admin *ops.Server) (work []func(context.Context) error, undo []func() error, err error) {
	conn, err := s.cfg.Kafka.Connect()
	if err != nil {
		return nil, nil, err
	}
	if names := slices.DeleteFunc(slices.Clone(s.parts), func(p string) bool { return p == partBridge }); len(names) > 0 {
		runners, client, err := s.runners(names, conn.Options())
		if err != nil {
			return nil, nil, err
		}
		undo = append(undo, func() error { client.Close(); return nil })
		for name, r := range runners {
			admin.Check(name, func(context.Context) error {
				if !r.Ready() {
					return errors.New("not a member of its group yet, or still restoring state")
				}
				return nil
			})
			work = append(work, r.Run)
		}
	}
	if s.public != nil {
		b, w, err := s.bridge(conn)
		if err != nil {
			return nil, undo, err
		}
		undo = append(undo, w.Close)
		admin.Check(partBridge, w.Reachable)
		work = append(work, func(ctx context.Context) error { return b.Serve(ctx, s.public) })
	}
	return work, undo, nil
}

func undoAll(undo []func() error) (err error) {
	for _, f := range slices.Backward(undo) {
		err = errors.Join(err, f())
	}
	return err
}

func (s *service) closeListeners() error {
	err := s.admin.Close()
	if s.public != nil {
		err = errors.Join(err, s.public.Close())
	}
	return err
}

// runners makes the stages with these names.
func (s *service) runners(names []string, kafka []kgo.Opt) (map[string]*pipeline.Runner, *finapi.Client, error) {
	settings := s.cfg.Client()
	settings.Logger, settings.Metrics = s.logger.With("part", "provider"), s.metrics
	client, err := finapi.New(settings)
	if err != nil {
		return nil, nil, err
	}
	runners, err := s.runnersWith(client, names, kafka)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return runners, client, nil
}

func (s *service) runnersWith(client *finapi.Client, names []string, kafka []kgo.Opt) (map[string]*pipeline.Runner, error) {
	deps := stages.Deps{
		Provider: client, CallbackBaseURL: s.cfg.Callback.BaseURL,
		AccountKey: []byte(s.cfg.Imports.AccountKey.Reveal()), AccountTypes: s.cfg.Imports.AccountTypes,
		Timing: s.cfg.Waiting.Timing(), Reading: s.cfg.Waiting.Reading(),
	}
	if slices.Contains(names, stageNames()[0]) {
		sealer, err := s.cfg.Sealer()
		if err != nil {
			return nil, err
		}
		deps.Callbacks = sealer
	}
	chosen, err := stages.Named(deps, names...)
	if err != nil {
		return nil, err
	}
	observer, err := stages.NewObserver(s.metrics)
	if err != nil {
		return nil, err
	}
	cfg := s.cfg.Pipeline()
	cfg.KafkaOpts = append(kafka, kgo.WithLogger(s.kafkaLogger()))
	cfg.Hooks = s.kafkaMetrics
	cfg.Logger = s.logger
	cfg.Metrics = pipeline.NewMetrics(s.metrics, chosen...)
	cfg.Committed = observer.Committed
	runners := map[string]*pipeline.Runner{}
	for _, stage := range chosen {
		if runners[stage.Name], err = pipeline.NewRunner(stage, cfg); err != nil {
			return nil, err
		}
	}
	return runners, nil
}

// kafkaLogger takes what the Kafka clients say. Their "info" is a handful of
// lines for every transaction, so only debug shows it.
func (s *service) kafkaLogger() kgo.Logger {
	l := kslog.New(s.logger.With("part", "kafka"))
	if s.logger.Enabled(context.Background(), slog.LevelDebug) {
		return l
	}
	return warnings{l}
}

// warnings asks a client for nothing below a warning.
type warnings struct{ kgo.Logger }

func (warnings) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// kafkaMetrics counts what one client sends and gets. They are taken away when
// it is closed.
func (s *service) kafkaMetrics(stage, client string) []kgo.Hook {
	return []kgo.Hook{kprom.NewMetrics("bankimport",
		kprom.Subsystem("kafka"), kprom.Registerer(s.metrics),
		kprom.WithStaticLabel(prometheus.Labels{"stage": stage, "client": client}))}
}

// bridge makes the webhook bridge and its writer, which the caller closes.
func (s *service) bridge(conn kafkaconn.Config) (*bridge.Bridge, *kafkaconn.Writer, error) {
	sealer, err := s.cfg.Sealer()
	if err != nil {
		return nil, nil, err
	}
	tls, err := s.cfg.Public.TLS()
	if err != nil {
		return nil, nil, err
	}
	logger := s.logger.With("part", partBridge)
	w := conn.Writer(s.cfg.Kafka.TopicPrefix+schemas.TopicWebformCompleted, logger)
	b, err := bridge.New(bridge.Config{Opener: sealer, Writer: w, Logger: logger, Metrics: s.metrics, TLS: tls})
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return b, w, nil
}
