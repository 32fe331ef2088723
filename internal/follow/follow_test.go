package follow

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/bankimport/bankimport/internal/localkafka"
	"github.com/bankimport/bankimport/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const prefix = "test."

// broker is a Kafka with topics, and somebody who publishes to it.
type broker struct {
	t   *testing.T
	ctx context.Context
	opt kgo.Opt
	cl  *kgo.Client
}

func newBroker(t *testing.T, topics ...string) *broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	k, err := localkafka.Start(localkafka.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	b := &broker{t: t, ctx: ctx, opt: kgo.SeedBrokers(k.Addr())}
	b.cl = b.client()
	for _, topic := range topics {
		if r, err := kadm.NewClient(b.cl).CreateTopic(ctx, 1, 1, nil, prefix+topic); err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
	}
	return b
}

func (b *broker) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	cl, err := kgo.NewClient(append(opts, b.opt, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(cl.Close)
	return cl
}

func recordOf(t *testing.T, e schemas.Event) *kgo.Record {
	t.Helper()
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "test", Time: began})
	if err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: prefix + e.Topic(), Key: []byte(e.Key()), Value: value, Timestamp: began}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

func (b *broker) publish(recs ...*kgo.Record) {
	b.t.Helper()
	if err := b.cl.ProduceSync(b.ctx, recs...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *broker) follow(cfg Config) *Follower {
	b.t.Helper()
	cfg.Kafka, cfg.Prefix = []kgo.Opt{b.opt}, prefix
	f, err := Open(b.ctx, cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(f.Close)
	return f
}

// next reads until there are n records.
func (b *broker) next(f *Follower, n int) []Record {
	b.t.Helper()
	var all []Record
	for len(all) < n {
		recs, err := f.Next(b.ctx)
		if err != nil {
			b.t.Fatalf("after %d of %d records: %v", len(all), n, err)
		}
		all = append(all, recs...)
	}
	return all
}

func failure(id string) schemas.ImportFailed {
	return schemas.ImportFailed{ImportID: id, Run: 1, UserID: "u1", Reason: schemas.ReasonGaveUp, Retryable: true, FailedAt: schemas.At(began)}
}

func idsOf(recs []Record) string {
	var ids []string
	for _, r := range recs {
		ids = append(ids, r.Event.Subject())
	}
	return strings.Join(ids, " ")
}

const (
	idA = "00000000-0000-4000-8000-00000000000a"
	idB = "00000000-0000-4000-8000-00000000000b"
)

// TestFollower_FromStart: what is there is read as what it is, and what cannot
// be read is there all the same.
func TestFollower_FromStart(t *testing.T) {
	t.Parallel()
	b := newBroker(t, schemas.TopicImportFailed)
	broken := recordOf(t, failure(idA))
	broken.Value = []byte("{")
	other := recordOf(t, failure(idA))
	for i, h := range other.Headers {
		if h.Key == schemas.HeaderType {
			other.Headers[i].Value = []byte(schemas.CloudEventType(schemas.TypeAccount))
		}
	}
	b.publish(recordOf(t, failure(idA)), broken, other, &kgo.Record{Topic: prefix + schemas.TopicImportFailed, Value: []byte("x"), Timestamp: began})

	f := b.follow(Config{Topics: []string{schemas.TopicImportFailed}, FromStart: true})
	if f.CaughtUp() {
		t.Error("caught up before anything was read")
	}
	got := b.next(f, 4)
	id, typ := failure(idA).ID(), schemas.TypeImportFailed
	want := []Record{
		{Topic: "import-failed", Offset: 0, Time: began, ID: id, Type: typ, Event: failure(idA)},
		{Topic: "import-failed", Offset: 1, Time: began, ID: id, Type: typ},
		{Topic: "import-failed", Offset: 2, Time: began, ID: id}, // an account does not belong here
		{Topic: "import-failed", Offset: 3, Time: began},
	}
	for i := range got {
		got[i].Time = got[i].Time.UTC()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if !f.CaughtUp() {
		t.Error("not caught up after all was read")
	}

	b.publish(recordOf(t, failure(idB)))
	if got := idsOf(b.next(f, 1)); got != idB || !f.CaughtUp() {
		t.Errorf("got %q, caught up %t; want %q and still caught up", got, f.CaughtUp(), idB)
	}
}

func TestFollower_OnlyNew(t *testing.T) {
	t.Parallel()
	b := newBroker(t, Topics()...)
	b.publish(recordOf(t, failure(idA)))
	f := b.follow(Config{Topics: Topics()})
	if !f.CaughtUp() {
		t.Error("not caught up, although nothing old is read")
	}
	b.publish(recordOf(t, failure(idB)))
	if got := idsOf(b.next(f, 1)); got != idB {
		t.Errorf("got %q, want only %q", got, idB)
	}
}

func TestFollower_NothingThere(t *testing.T) {
	t.Parallel()
	b := newBroker(t, Topics()...)
	f := b.follow(Config{Topics: Topics(), FromStart: true})
	if !f.CaughtUp() {
		t.Error("not caught up with empty topics")
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if recs, err := f.Next(ctx); err == nil {
		t.Errorf("got %d records of a context that has ended, want its error", len(recs))
	}
}

// TestFollower_SeesOnlyWhatIsCommitted: a transaction that is open at Open is
// not waited for, and is new when it commits; one that was aborted is passed
// over.
func TestFollower_SeesOnlyWhatIsCommitted(t *testing.T) {
	t.Parallel()
	b := newBroker(t, schemas.TopicImportFailed)
	cfg := Config{Topics: []string{schemas.TopicImportFailed}}
	cfgAll := cfg
	cfgAll.FromStart = true
	tx := b.client(kgo.TransactionalID("test"), kgo.TransactionTimeout(20*time.Second))
	write := func(id string) {
		t.Helper()
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(b.ctx, recordOf(t, failure(id))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := tx.EndTransaction(b.ctx, how); err != nil {
			t.Fatal(err)
		}
	}

	write(idA)
	end(kgo.TryAbort)
	aborted := b.follow(cfgAll)
	if recs, err := aborted.Next(b.ctx); err != nil || len(recs) != 0 || !aborted.CaughtUp() {
		t.Errorf("got %d records, %v, caught up %t; want none of the aborted one and to be caught up", len(recs), err, aborted.CaughtUp())
	}

	b.publish(recordOf(t, failure(idA)))
	write(idB)
	onlyNew, all := b.follow(cfg), b.follow(cfgAll)
	if got := idsOf(b.next(all, 1)); got != idA || !all.CaughtUp() {
		t.Errorf("got %q, caught up %t; want %q and to be caught up while a transaction is open", got, all.CaughtUp(), idA)
	}
	end(kgo.TryCommit)
	for name, f := range map[string]*Follower{"only new": onlyNew, "from start": all} {
		if got := idsOf(b.next(f, 1)); got != idB {
			t.Errorf("%s: got %q, want %q, which was committed after Open", name, got, idB)
		}
	}
}

func TestOpen_Fails(t *testing.T) {
	t.Parallel()
	t.Run("topics are missing", func(t *testing.T) {
		t.Parallel()
		b := newBroker(t, schemas.TopicImportStatus, schemas.TopicImportFailed)
		f, err := Open(b.ctx, Config{Kafka: []kgo.Opt{b.opt}, Prefix: prefix, Topics: Topics()})
		if err == nil {
			f.Close()
			t.Fatal("got no error")
		}
		const want = "these topics do not exist: test.import-completed, test.webform-created; create them with bankimport topics apply"
		if err.Error() != want {
			t.Errorf("got error %q\nwant %q", err, want)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		f, err := Open(ctx, Config{Kafka: []kgo.Opt{kgo.SeedBrokers(l.Addr().String())}, Topics: Topics()})
		if err == nil {
			f.Close()
			t.Fatal("got no error")
		}
		if !strings.Contains(err.Error(), "reach kafka") {
			t.Errorf("got error %q, want it to say what was attempted", err)
		}
	})
	t.Run("a setting is wrong", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(t.Context(), Config{Kafka: []kgo.Opt{kgo.SeedBrokers()}}); err == nil || !strings.Contains(err.Error(), "kafka client") {
			t.Errorf("got error %v, want that of the client", err)
		}
	})
}

// TestDecode: every event of the contract comes back as it was published.
func TestDecode(t *testing.T) {
	t.Parallel()
	for _, ex := range schemas.Examples() {
		if got := decode(ex.Type, ex.Value); got == nil || got.Type() != ex.Type {
			t.Errorf("%s: got %T, want the event", ex.Name, got)
		}
		if got := decode(ex.Type, ex.Value[:len(ex.Value)/2]); got != nil {
			t.Errorf("half of %s: got %T, want none", ex.Name, got)
		}
	}
	if got := decode("", []byte("{}")); got != nil {
		t.Errorf("got %T of what is no event, want none", got)
	}
}
