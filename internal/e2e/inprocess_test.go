package e2e_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/bridge"
	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages"
	"github.com/bankimport/bankimport/stages/connection"
)

// startInProcess runs all stages and the bridge in this process, each stage as
// changed. The function that it returns stops them in good order and waits; at
// the end of the test it is called in any case.
func (w *world) startInProcess(change ...func(stage string, d *stages.Deps, c *pipeline.Config)) (stop func()) {
	w.Helper()
	sealer := w.sealer(w.callbackKeys)
	deps := stages.Deps{
		Provider:        w.provider(),
		Callbacks:       sealer,
		CallbackBaseURL: "https://" + bridgeHost,
		AccountKey:      []byte(accountKey),
		Timing: connection.Timing{
			FormPoll: formPoll, FormGrace: formGrace, SecondLook: lookAgain, ThirdLook: 3 * lookAgain,
			DownloadPoll: downloadPoll, DownloadPollMost: 4 * downloadPoll, CategoryPoll: categoryPoll,
		},
	}

	ctx, cancel := context.WithCancel(w.ctx)
	var running sync.WaitGroup
	for _, name := range stageNames() {
		d, c := deps, pipeline.Config{
			KafkaOpts:   []kgo.Opt{kgo.SeedBrokers(w.cluster.Brokers...)},
			TopicPrefix: prefix,
		}
		for _, f := range change {
			f(name, &d, &c)
		}
		made, err := stages.Named(d, name)
		if err != nil {
			w.Fatal(err)
		}
		runner, err := pipeline.NewRunner(made[0], c)
		if err != nil {
			w.Fatal(err)
		}
		running.Go(func() {
			if err := runner.Run(ctx); err != nil {
				w.Errorf("stage %s ended: %v", name, err)
				w.broken(err)
			}
		})
	}

	listener, err := net.Listen("tcp", w.bridgeAddr)
	if err != nil {
		w.Fatal(err)
	}
	hints := &kafka.Writer{
		Addr:         kafka.TCP(w.cluster.Brokers...),
		Topic:        prefix + "webform-completed",
		Balancer:     kafka.Murmur2Balancer{Consistent: true},
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond,
	}
	b, err := bridge.New(bridge.Config{Opener: sealer, Writer: hints, TLS: w.bridgeTLS(), PublishTimeout: 20 * time.Second})
	if err != nil {
		w.Fatal(err)
	}
	running.Go(func() {
		if err := b.Serve(ctx, listener); err != nil {
			w.Errorf("the bridge ended: %v", err)
			w.broken(err)
		}
	})

	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := hints.Close(); err != nil {
			w.Errorf("close the bridge's writer: %v", err)
		}
	})
	w.Cleanup(stop)
	return stop
}

func (w *world) sealer(keys string) *callback.Sealer {
	w.Helper()
	parsed, err := callback.ParseKeys(keys)
	if err != nil {
		w.Fatal(err)
	}
	sealer, err := callback.New(parsed, prefix)
	if err != nil {
		w.Fatal(err)
	}
	return sealer
}

// provider is the client of the provider. It also says which provider user
// belongs to a user of upstream.
func (w *world) provider() *finapi.Client { return w.providerAt(w.simURL) }

// providerAt is the client of the provider behind another address.
func (w *world) providerAt(url string) *finapi.Client {
	w.Helper()
	return w.providerWith(func(c *finapi.Config) { c.AccessURL, c.WebFormURL = url, url })
}

// providerWith is the client of the provider with other settings.
func (w *world) providerWith(change func(*finapi.Config)) *finapi.Client {
	w.Helper()
	c := finapi.Config{
		AccessURL:    w.simURL,
		WebFormURL:   w.simURL,
		FormHosts:    []string{strings.TrimPrefix(w.simURL, "http://")},
		ClientID:     clientID,
		ClientSecret: clientSecret,
		UserKey:      userKey,
	}
	change(&c)
	client, err := finapi.New(c)
	if err != nil {
		w.Fatal(err)
	}
	return client
}
