package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/e2e/cluster"
	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// What the judge hands out is what was written, byte for byte: null and empty
// told apart, values that are no text, large ones; nothing of an aborted or an
// open transaction, and no marker.
func TestJudge_ReadsWhatIsCommitted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := cluster.ForTest(t)
	const prefix = "judged."
	createTopics(ctx, t, c, map[string]*string{"max.message.bytes": new("2097152")}, prefix+"facts", prefix+"empty")
	log := c.Judge(t, prefix, "facts", "empty")

	garbage := make([]byte, 1_000_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range garbage {
		garbage[i] = byte(rng.Uint32())
	}
	want := []*kgo.Record{
		{Partition: 0, Key: []byte("k"), Value: []byte(`{"text":"Grüße, \"\\/"}`), Headers: []kgo.RecordHeader{
			{Key: "a", Value: []byte("x=1,b=2\n")}, {Key: "a", Value: []byte{}}, {Key: "none"}, {Key: "bytes", Value: []byte{0, 0x1f, 0x7f, 0xff}}}},
		{Partition: 1, Key: nil, Value: []byte("no key")},
		{Partition: 1, Key: []byte("tombstone"), Value: nil},
		{Partition: 1, Key: []byte{}, Value: []byte{}},
		{Partition: 2, Key: []byte{0, 0xff}, Value: garbage},
	}
	producer := client(t, c, kgo.TransactionalID("judged"), kgo.TransactionTimeout(10*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(2<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	produce := func(end kgo.TransactionEndTry, records ...*kgo.Record) {
		t.Helper()
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			r.Topic = prefix + "facts"
		}
		if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := producer.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	produce(kgo.TryAbort, &kgo.Record{Partition: 0, Value: []byte("aborted")})
	produce(kgo.TryCommit, want...)
	produce(kgo.TryAbort, &kgo.Record{Partition: 0, Value: []byte("aborted")}, &kgo.Record{Partition: 2, Value: []byte("aborted")})

	if err := log.Until(ctx, "all records", func() bool { return len(log.Topic("facts")) == len(want) }); err != nil {
		t.Fatal(err)
	}
	if err := log.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]judge.Record)
	for _, r := range log.Topic("facts") {
		got[fmt.Sprint(r.Partition, r.Offset)] = r
	}
	if len(got) != len(want) {
		t.Errorf("got %d records, want %d", len(got), len(want))
	}
	for _, w := range want {
		g, ok := got[fmt.Sprint(w.Partition, w.Offset)]
		if !ok {
			t.Errorf("partition %d offset %d was not read", w.Partition, w.Offset)
			continue
		}
		if !bytes.Equal(g.Key, w.Key) || (g.Key == nil) != (w.Key == nil) {
			t.Errorf("partition %d offset %d: got key %#v, want %#v", w.Partition, w.Offset, g.Key, w.Key)
		}
		if !bytes.Equal(g.Value, w.Value) || (g.Value == nil) != (w.Value == nil) {
			t.Errorf("partition %d offset %d: got a value of %d bytes, want the %d bytes that were written", w.Partition, w.Offset, len(g.Value), len(w.Value))
		}
		var headers []judge.Header
		for _, h := range w.Headers {
			headers = append(headers, judge.Header{Key: h.Key, Value: h.Value})
		}
		if diff := cmp.Diff(headers, g.Headers); diff != "" {
			t.Errorf("partition %d offset %d: headers (-want +got)\n%s", w.Partition, w.Offset, diff)
		}
		if age := time.Since(g.Time); age < 0 || age > time.Hour {
			t.Errorf("partition %d offset %d: got time %v", w.Partition, w.Offset, g.Time)
		}
	}

	// While a transaction is open, the judge does not settle: it cannot have
	// read what comes behind.
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(ctx, &kgo.Record{Topic: prefix + "facts", Partition: 1, Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(ctx, 2*time.Second)
	defer cancelShort()
	if err := log.Settle(short); err == nil {
		t.Error("settled while a transaction is open")
	}
	if err := producer.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if err := log.Settle(ctx); err != nil {
		t.Error(err)
	}
	if got := len(log.Topic("facts")); got != len(want) {
		t.Errorf("at the end: got %d records, want %d", got, len(want))
	}
}

// The cluster has what exactly-once needs.
func TestCluster_HasTransactions(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := cluster.ForTest(t)
	versions, err := kadm.NewClient(client(t, c)).ApiVersions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions.Sorted() {
		got := int16(-1)
		for _, f := range v.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" {
				got = f.MaxVersionLevel
			}
		}
		if got < 2 {
			t.Errorf("node %d: got finalized transaction.version %d, want 2 or more", v.NodeID, got)
		}
	}
	if len(versions) == 0 {
		t.Error("got no nodes")
	}
}

func client(t *testing.T, c *cluster.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.Brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func createTopics(ctx context.Context, t *testing.T, c *cluster.Cluster, configs map[string]*string, topics ...string) {
	t.Helper()
	created, err := kadm.NewClient(client(t, c)).CreateTopics(ctx, 3, 1, configs, topics...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		t.Fatalf("create topics: %v", err)
	}
}
