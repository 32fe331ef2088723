//go:build realkafka

package markers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/realkafka"
)

// A broker that is killed just after it has said that a transaction is committed
// owes its markers when it is back. Where this fails because none was lost, Kafka has
// mended that, and this package can go.
func TestMender(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	addrs, err := freeport.Addrs(1)
	if err != nil {
		t.Fatal(err)
	}
	// From the jars: a container is killed too late.
	b, err := realkafka.Start(ctx, realkafka.Config{Dir: realkafka.DirForTest(t), Addr: addrs[0]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Kill(); err != nil {
			t.Error(err)
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(ctx, 6, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	m := &Mender{admin: admin}
	open := func() int {
		t.Helper()
		for {
			found, err := m.lost(ctx)
			if err == nil {
				return len(found)
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				t.Fatal(errors.Join(err, context.Cause(ctx)))
			}
		}
	}

	written := 0
	for try := 0; open() == 0; try++ { // it takes some luck
		if try == 30 {
			t.Fatal("no marker was lost, although the broker was killed thirty times")
		}
		written += transactions(ctx, t, b)
		if err := b.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}

	mender, err := Start(ctx, t.Logf, b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer mender.Stop()
	reader, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for read := 0; read < written; {
		read += reader.PollFetches(ctx).NumRecords()
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records can be read, %d markers were written", read, written, mender.Mended())
		}
	}
	if mender.Mended() == 0 || open() > 0 {
		t.Errorf("%d markers were written, %d are missing", mender.Mended(), open())
	}
}

// transactions commits some to all partitions, kills the broker at once, and says how
// many records those are.
func transactions(ctx context.Context, t *testing.T, b *realkafka.Broker) int {
	t.Helper()
	const transactions, records = 10, 60
	p, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.TransactionalID("t"), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range transactions {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range records {
			p.Produce(ctx, &kgo.Record{Value: []byte("v")}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := errors.Join(p.Flush(ctx), p.EndTransaction(ctx, kgo.TryCommit)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	return transactions * records
}
