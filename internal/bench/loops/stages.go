package loops

import (
	"context"
	"iter"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages"
	"github.com/bankimport/bankimport/stages/connection"
)

// Stages are the stages of an import, as they are, with a provider that takes no
// time and has everything when it is asked. The task's output is the prefix of
// their topics. Of their waits those are left out that would wait for it.
func Stages(ctx context.Context, t contest.Task, m *contest.Meter) error {
	keys, err := callback.ParseKeys(callback.GenerateKey("b1"))
	if err != nil {
		return err
	}
	sealer, err := callback.New(keys, "bench")
	if err != nil {
		return err
	}
	const once = time.Nanosecond
	provider := &instant{rows: t.Rows}
	m.Calls = func() int { return int(provider.calls.Load()) }
	all, err := stages.All(stages.Deps{
		Provider: provider, Callbacks: sealer, CallbackBaseURL: "https://bridge.bankimport.test", AccountKey: make([]byte, 32),
		Timing: connection.Timing{DownloadPoll: once, CategoryPoll: once},
	})
	if err != nil {
		return err
	}
	running, ctx := errgroup.WithContext(ctx)
	for _, s := range all {
		r, err := pipeline.NewRunner(s, pipeline.Config{
			KafkaOpts:   []kgo.Opt{kgo.SeedBrokers(t.Brokers...)},
			TopicPrefix: t.Output,
			MaxInFlight: t.InFlight,
			Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
			Committed: func(_ string, events iter.Seq[pipeline.Event]) {
				n := 0
				for e := range events {
					if e.Topic == schemas.TopicImportCompleted {
						n++
					}
				}
				if n > 0 {
					m.Add(n)
				}
			},
		})
		if err != nil {
			return err
		}
		running.Go(func() error { return r.Run(ctx) })
	}
	return running.Wait()
}
