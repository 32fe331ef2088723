package bridge

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/schemas"
)

const topic = "test." + schemas.TopicWebformCompleted

// withKafka is a bridge on a cluster with the topic.
func withKafka(t *testing.T) (*fixture, *kfake.Cluster) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(12, topic))
	if err != nil {
		t.Fatal(err)
	}
	w := kafkaconn.Config{Brokers: cluster.ListenAddrs()}.Writer(topic, nil)
	// The bridge is closed first, then the writer, then the cluster.
	t.Cleanup(func() {
		w.Close()
		cluster.Close()
	})
	return newFixture(t, Config{Writer: w, PublishTimeout: 20 * time.Second}), cluster
}

// records reads this many records of the topic, and what is behind them.
func records(t *testing.T, cluster *kfake.Cluster, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var all []*kgo.Record
	for len(all) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(all), n, err)
		}
		all = append(all, fetches.Records()...)
	}
	end := 0
	for _, p := range cluster.PartitionInfos(topic) {
		end += int(p.HighWatermark)
	}
	if end != n {
		t.Errorf("got %d records, want %d", end, n)
	}
	return all
}

func (f *fixture) post(token, body string) int {
	return f.do(httptest.NewRequest(http.MethodPost, Path+token, bytes.NewBufferString(body))).Code
}

// B30: many callbacks for many imports, each told ten times at once: one
// record each, on the partition of its key, readable as the event it is.
func TestKafka_ConcurrentRepeats(t *testing.T) {
	t.Parallel()
	f, cluster := withKafka(t)
	const imports, repeats = 50, 10
	var wg sync.WaitGroup
	for i := range imports {
		id := fmt.Sprintf("7f3a0c1e-5b1d-4c62-8e0f-%012x", i)
		token, err := f.sealer.Seal(callback.Token{ImportID: id, Run: 1, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		for range repeats {
			wg.Go(func() {
				if got := f.post(token, goodBody); got != http.StatusOK {
					t.Errorf("import %d: got %d, want 200", i, got)
				}
			})
		}
	}
	wg.Wait()
	if got, want := f.counted(t, outcomePublished), float64(imports); got != want {
		t.Errorf("got %v published, want %v", got, want)
	}

	seen := make(map[string]bool)
	partition := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
	for _, r := range records(t, cluster, imports) {
		e, err := schemas.Decode[schemas.WebformCompleted](r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if e.ImportID != string(r.Key) || seen[e.ImportID] || e.FormID != formID || e.EndedBy != schemas.EndedByCallback || e.ToldStatus != "COMPLETED" {
			t.Errorf("got %+v under key %s", e, r.Key)
		}
		seen[e.ImportID] = true
		if want := partition.Partition(&kgo.Record{Key: r.Key}, 12); int(r.Partition) != want {
			t.Errorf("key %s: got partition %d, want %d", r.Key, r.Partition, want)
		}
		headers := make(map[string]string)
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers[schemas.HeaderID] != e.ID() || headers[schemas.HeaderType] != schemas.CloudEventType(e.Type()) {
			t.Errorf("got headers %v, want id %s", headers, e.ID())
		}
	}
}

// Row 74: an outage shorter than the wait is not seen; a longer one is a 503,
// never a 2xx without the broker's word.
func TestKafka_Outage(t *testing.T) {
	t.Parallel()
	f, cluster := withKafka(t)
	post := func(status string) int { return f.post(f.token, `{"status":"`+status+`"}`) }
	if got := post("FIRST"); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	fault := func(err *kerr.Error, count int) *kfake.FaultHandle {
		return cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err, Count: count})
	}

	hits := fault(kerr.NotEnoughReplicas, 2)
	if got := post("SHORT"); got != 200 || hits.Hits() != 2 {
		t.Errorf("a short outage: got %d after %d refusals, want 200 after 2", got, hits.Hits())
	}
	long := fault(kerr.NotEnoughReplicas, -1)
	if got := post("LONG"); got != 503 {
		t.Errorf("a long outage: got %d, want 503", got)
	}
	long.Remove()
	denied := fault(kerr.TopicAuthorizationFailed, -1)
	if got := post("DENIED"); got != 503 {
		t.Errorf("no right to write: got %d, want 503", got)
	}
	denied.Remove()
	if got := post("AFTERWARDS"); got != 200 {
		t.Errorf("afterwards: got %d, want 200", got)
	}
	records(t, cluster, 3)
}

func TestKafka_Away(t *testing.T) {
	t.Parallel()
	f, cluster := withKafka(t)
	cluster.Close()
	begin := time.Now()
	if got := f.post(f.token, goodBody); got != 503 {
		t.Errorf("got %d, want 503", got)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %s, want about 2 s at most", took)
	}
}
