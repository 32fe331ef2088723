package stages_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/connection"
)

// silent is a provider whose forms end and who calls nobody back.
type silent struct {
	expires time.Time
	ends    map[string]time.Time // by form
}

func (silent) User(id string) finapi.User { return finapi.User{ID: id} }

func (s silent) Form(_ context.Context, _ finapi.User, id string) (finapi.Form, error) {
	time.Sleep(200 * time.Millisecond) // in the bubble
	f := finapi.Form{ID: id, Status: finapi.FormInProgress, ExpiresAt: s.expires}
	if !time.Now().Before(s.ends[id]) {
		f.Status, f.ConnectionID = finapi.FormCompleted, 77
	}
	return f, nil
}

func (s silent) CancelForm(ctx context.Context, user finapi.User, id string) (finapi.Form, error) {
	return s.Form(ctx, user, id)
}

func (silent) Connection(context.Context, finapi.User, int64) (finapi.Connection, error) {
	return finapi.Connection{ID: 77, UpdateStatus: finapi.StatusInProgress}, nil
}

func (silent) Accounts(context.Context, finapi.User, int64) ([]finapi.Account, error) {
	return nil, nil
}

// TestLostCallbacks: with every callback lost, the engine and the stage as they
// are delivered notice the end of a form within a minute, and upstream sees it.
func TestLostCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const imports, most = 60, 60 * time.Second
		provider := silent{time.Now().Add(20 * time.Minute), make(map[string]time.Time)}
		ends := make(map[string]time.Time) // by import
		var awaited []*kgo.Record
		for i := range imports {
			e := schemas.WebformAwaited{
				ImportID: fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", i), Run: 1, UserID: "u", FormID: fmt.Sprint("f", i),
				ExpiresAt: schemas.At(provider.expires), StartedAt: schemas.At(time.Now()),
			}
			ends[e.ImportID] = time.Now().Add(time.Duration(rand.Int64N(int64(20 * time.Minute))))
			provider.ends[e.FormID] = ends[e.ImportID]
			awaited = append(awaited, recordOf(t, e))
		}
		stage, err := connection.New(provider, connection.Timing{})
		if err != nil {
			t.Fatal(err)
		}
		var wires kfake.VirtualNetwork
		fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(wires.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer fake.Close()
		options := []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(wires.DialContext)}
		client, err := kgo.NewClient(append(options, kgo.ConsumeTopics(schemas.TopicImportStatus), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for _, topic := range append(stage.Outputs, stage.Input, "dead-letters", pipeline.StateTopic("", "bankimport", stage.Name)) {
			if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 3, 1, nil, topic); err != nil {
				t.Fatal(err)
			}
		}
		runner, err := pipeline.NewRunner(stage, pipeline.Config{KafkaOpts: options})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- runner.Run(ctx) }()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()

		if err := client.ProduceSync(t.Context(), awaited...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for left := imports; left > 0; {
			client.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
				left--
				if late := time.Since(ends[string(r.Key)]); late < 0 || late > most {
					t.Errorf("the end of a form was noticed after %s, want at most %s", late, most)
				}
			})
		}
	})
}

// recordOf is a record that carries e.
func recordOf(t *testing.T, e schemas.Event) *kgo.Record {
	t.Helper()
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "test", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: e.Topic(), Key: []byte(e.Key()), Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}
