package e2e_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/e2e/cluster"
	"github.com/bankimport/bankimport/internal/e2e/judge"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/internal/selfsigned"
	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/internal/topics"
)

const (
	prefix     = "e2e."
	partitions = 6 // more than there are processes, fewer than the default: a broker on two cores pays for each

	clientID     = "e2e-client"
	clientSecret = "e2e-client-secret"
	userKey      = "e2e master key of all provider users, never used elsewhere"
	accountKey   = "e2e secret of the account keys, never used elsewhere"

	// bridgeHost is the bridge's name outside. The provider takes https URLs with
	// a dotted host only; the simulator dials it at a loopback address.
	bridgeHost = "bridge.bankimport.test"
)

// stageNames in the order of the flow.
func stageNames() []string { return []string{"webform", "connection", "accounts", "transactions"} }

// inputs are the topics that stages read.
func inputs() map[string]string {
	return map[string]string{
		"webform": "import-requested", "connection": "webform-completed",
		"accounts": "connection-ready", "transactions": "accounts-fetched",
	}
}

// pace is how long things take in a test.
type pace struct {
	formLife  time.Duration // until a form that nobody fills in expires; see expireUnopened
	callbacks simulator.CallbackMode
	delay     func() time.Duration // of a call to the provider; nil: none
}

const (
	formPoll     = 2 * time.Second
	formGrace    = 2 * time.Second
	lookAgain    = time.Second
	downloadPoll = 300 * time.Millisecond
	categoryPoll = 300 * time.Millisecond
)

// world is everything around the product: the cluster with its topics, the
// provider, upstream and the judge. The product itself is started in it, in
// this process or as processes of its own.
type world struct {
	*testing.T
	ctx     context.Context // ends when the test has taken far too long, or something broke
	broken  context.CancelCauseFunc
	cluster *cluster.Cluster
	admin   *kadm.Client
	log     *judge.Log

	callbackKeys string // what seals callback URLs here

	sim        *simulator.Simulator
	ids        *finapi.Client // only derives the provider's ids of users
	simURL     string
	bridgeAddr string                 // where the simulator finds the bridge
	cert       selfsigned.Certificate // what the bridge shows and the simulator trusts
}

func newWorld(t *testing.T, limit time.Duration, p pace, banks []bank) *world {
	t.Helper()
	return newWorldOn(t, cluster.ForTest(t), limit, p, banks)
}

// newWorldOn is newWorld on a cluster that is there already.
func newWorldOn(t *testing.T, c *cluster.Cluster, limit time.Duration, p pace, banks []bank) *world {
	t.Helper()
	cert, err := selfsigned.New(selfsigned.Life, bridgeHost)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, callbackKeys: callback.GenerateKey("k1"), cert: cert, bridgeAddr: freeAddr(t)}
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("the test took longer than %v", limit))
	t.Cleanup(cancel)
	w.ctx, w.broken = context.WithCancelCause(ctx)
	t.Cleanup(func() { w.broken(nil) })

	w.cluster = c
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	w.admin = kadm.NewClient(cl)
	if _, err := topics.Ensure(w.ctx, w.admin, topics.Settings{Prefix: prefix, Stages: stageNames(), Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	w.log = w.cluster.Judge(t, prefix, check.Topics()...)
	w.startProvider(p, banks)
	w.ids = w.provider()
	t.Cleanup(w.ids.Close)
	return w
}

// providerUser is the provider's id of a user.
func (w *world) providerUser(userID string) string { return w.ids.User(userID).ID }

// startProvider serves the simulator until the test ends.
func (w *world) startProvider(p pace, banks []bank) {
	w.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	w.simURL = "http://" + listener.Addr().String()
	cfg := simulator.Config{
		BaseURL:            w.simURL,
		ClientID:           clientID,
		ClientSecret:       clientSecret,
		FormLife:           p.formLife,
		DownloadTime:       500 * time.Millisecond,
		CategorizationTime: 300 * time.Millisecond,
		Callbacks:          p.callbacks,
		CallbackDial:       map[string]string{bridgeHost: w.bridgeAddr},
		CallbackCA:         w.cert.Trusted,
	}
	for _, b := range banks {
		cfg.Banks = append(cfg.Banks, simulator.Bank{ID: b.id, Accounts: b.accounts, RowsPerAccount: b.rows, FailedAccounts: b.failed})
	}
	if w.sim, err = simulator.New(cfg); err != nil {
		w.Fatal(err)
	}
	server := &http.Server{Handler: slowed(w.sim, p.delay), ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.broken(fmt.Errorf("the simulator's server: %w", err))
		}
	})
	w.Cleanup(func() {
		if err := errors.Join(w.sim.Close(), server.Close()); err != nil {
			w.Error(err)
		}
		serving.Wait()
	})
}

// slowed lets calls of the provider's APIs take longer, not the pages for people.
func slowed(provider http.Handler, delay func() time.Duration) http.Handler {
	if delay == nil {
		return provider
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			pause(r.Context(), delay())
		}
		provider.ServeHTTP(rw, r)
	})
}

// bridgeTLS is how the bridge talks to the simulator.
func (w *world) bridgeTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{w.cert.TLS}, MinVersion: tls.VersionTLS12}
}

// trust is how a client of the bridge knows it: by its name, at a loopback
// address.
func (w *world) trust() *tls.Config {
	return &tls.Config{RootCAs: w.cert.Trusted, ServerName: bridgeHost, MinVersion: tls.VersionTLS12}
}

// awaitEnds returns when each of the imports has a final event.
func (w *world) awaitEnds(ids ...string) {
	w.Helper()
	ended := make(map[string]bool)
	left := ids
	seen := make(map[string]int) // records looked at, by topic
	err := w.log.Until(w.ctx, fmt.Sprintf("the ends of %d imports", len(ids)), func() bool {
		for _, topic := range []string{"import-completed", "import-failed"} {
			for _, r := range w.log.Topic(topic)[seen[topic]:] {
				ended[string(r.Key)] = true
				seen[topic]++
			}
		}
		for len(left) > 0 && ended[left[0]] { // asked after every record, so not all of them each time
			left = left[1:]
		}
		return len(left) == 0
	})
	if err != nil {
		var open []string
		for _, id := range ids {
			if !ended[id] {
				open = append(open, id)
			}
		}
		w.Fatalf("%v\n%d imports have not ended: %.400s", err, len(open), strings.Join(open, " "))
	}
}

// awaitConsumed returns when every stage has committed its way past every
// record that the judge knows of on its input: nothing is left that could
// still change anything.
func (w *world) awaitConsumed() {
	w.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		behind, err := w.behind()
		if err == nil && len(behind) == 0 {
			return
		}
		select {
		case <-again.C:
		case <-w.ctx.Done():
			w.Fatalf("wait until all is consumed: %v: behind %v", errors.Join(context.Cause(w.ctx), err), behind)
		}
	}
}

// behind lists partitions that stages have not consumed.
func (w *world) behind() ([]string, error) {
	var behind []string
	for stage, input := range inputs() {
		offsets, err := w.admin.FetchOffsets(w.ctx, prefix+"bankimport."+stage)
		if err != nil {
			return nil, fmt.Errorf("offsets of %s: %w", stage, err)
		}
		ends := make(map[int32]int64)
		for _, r := range w.log.Topic(input) {
			ends[r.Partition] = r.Offset + 1
		}
		for partition, end := range ends {
			if o, ok := offsets.Lookup(prefix+input, partition); !ok || o.At < end {
				behind = append(behind, fmt.Sprintf("%s partition %d: at %d of %d", stage, partition, o.At, end))
			}
		}
	}
	return behind, nil
}

// settle proves that the judge has read all there is, and hands it out. What is
// judged must have stopped.
func (w *world) settle() check.Records {
	w.Helper()
	if err := w.log.Settle(w.ctx); err != nil {
		w.Fatal(err)
	}
	records := make(check.Records)
	for _, topic := range check.Topics() {
		records[topic] = w.log.Topic(topic)
	}
	return records
}
