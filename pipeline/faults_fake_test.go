//go:build !realkafka

package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func startFake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

func startKafka(t *testing.T) []string { return startFake(t).ListenAddrs() }

func startGuarded(t *testing.T, user, password string) guardedKafka {
	t.Helper()
	addrs := startFake(t, kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", password), kfake.User("PLAIN", user, password)).ListenAddrs()
	return guardedKafka{addrs, []kgo.Opt{plainLogin("admin", password)}, addrs}
}

// TestErrorAnswers answers requests of a commit and of a restart with errors,
// before or after they are carried out, several times in a row.
func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name string
		keys []kmsg.Key
		err  *kerr.Error
	}{
		{"coordinator gone", []kmsg.Key{kmsg.TxnOffsetCommit}, kerr.NotCoordinator},
		{"coordinator gone", []kmsg.Key{kmsg.EndTxn}, kerr.NotCoordinator},
		{"coordinator gone", []kmsg.Key{kmsg.OffsetFetch}, kerr.CoordinatorNotAvailable},
		{"done but timed out", []kmsg.Key{kmsg.TxnOffsetCommit}, kerr.RequestTimedOut},
		{"stale member", []kmsg.Key{kmsg.TxnOffsetCommit}, kerr.IllegalGeneration},
		{"concurrent", []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.InitProducerID}, kerr.ConcurrentTransactions},
		{"replicas", []kmsg.Key{kmsg.Produce}, kerr.NotEnoughReplicas},
		{"done, replicas", []kmsg.Key{kmsg.Produce}, kerr.NotEnoughReplicasAfterAppend},
		{"fenced", []kmsg.Key{kmsg.EndTxn}, kerr.ProducerFenced},
		{"unknown", []kmsg.Key{kmsg.EndTxn}, kerr.UnknownServerError},
		{"abortable", []kmsg.Key{kmsg.EndTxn}, kerr.TransactionAbortable},
		{"session", []kmsg.Key{kmsg.Heartbeat}, kerr.UnknownMemberID},
		{"idle for days", []kmsg.Key{kmsg.TxnOffsetCommit}, kerr.InvalidProducerIDMapping},
		{"idle for days", []kmsg.Key{kmsg.Produce}, kerr.InvalidProducerIDMapping},
		{"rebalance", []kmsg.Key{kmsg.TxnOffsetCommit}, kerr.RebalanceInProgress},
		{"rebalance", []kmsg.Key{kmsg.OffsetCommit}, kerr.RebalanceInProgress},
		{"coordinator gone", []kmsg.Key{kmsg.OffsetCommit}, kerr.NotCoordinator},
	} {
		for _, times := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s %v x%d", f.name, f.keys, times), func(t *testing.T) {
				t.Parallel()
				fake := startFake(t)
				c := newClusterAt(t, fake.ListenAddrs())
				c.run(handler{handle: countSome}, func(cfg *Config) {
					cfg.SessionTimeout, cfg.TransactionTimeout = 6*time.Second, 3*time.Second
				})
				var hit *kfake.FaultHandle
				c.publishRounds(5, 10, func() {
					hit = fake.Fault(kfake.Fault{Keys: f.keys, Err: f.err, Count: times, When: ofStage})
					if f.keys[0] == kmsg.OffsetFetch { // asked only by who does not know an outcome
						fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}})
					}
				})
				if f.keys[0] == kmsg.OffsetCommit {
					c.commitOffsetsAlone()
				}
				eventually(t, "the fault has happened", func() bool { return hit.Hits() > 0 })
				c.checkCounts(5 * 10)
			})
		}
	}
}

// TestRecoveryDoesNotGiveUp leaves the outcome of a commit unknown, which took place,
// for five minutes: nothing can be asked, so nothing else may be committed.
func TestRecoveryDoesNotGiveUp(t *testing.T) {
	for _, asked := range []kmsg.Key{kmsg.InitProducerID, kmsg.OffsetFetch} {
		t.Run(asked.Name(), func(t *testing.T) {
			virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
				faulty := newFaultyNet()
				c.run(handler{handle: count}, c.over(faulty))
				c.publish("a", "x")
				c.checkCounts(1)
				down := fake.Fault(kfake.Fault{Keys: []kmsg.Key{asked}, Err: kerr.CoordinatorNotAvailable, Count: -1, When: func(r kmsg.Request) bool {
					init, ok := r.(*kmsg.InitProducerIDRequest)
					return !ok || init.TransactionalID != nil
				}})
				faulty.spoilEndTxn(1)
				c.publish("a", "x")
				time.Sleep(10 * time.Second)
				c.publish("a", "x")
				c.publish("b", "x")
				time.Sleep(5 * time.Minute)
				c.checkCounts(2)
				if down.Hits() < 10 {
					t.Errorf("the cluster was asked %d times in five minutes", down.Hits())
				}
				down.Remove()
				c.checkCounts(4)
			})
		})
	}
}

// TestRebalanceInProgressPasses: however often a commit is told so, what runs goes on.
func TestRebalanceInProgressPasses(t *testing.T) {
	t.Parallel()
	fake := startFake(t)
	c := newClusterAt(t, fake.ListenAddrs())
	var n calls
	entered, proceed := make(chan struct{}, 10), make(chan struct{})
	c.run(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		if tr.Key == "slow" {
			n.add(tr.Key)
			entered <- struct{}{}
			select {
			case <-proceed:
			case <-ctx.Done():
			}
		}
		return countSome(ctx, tr, s)
	}})
	c.publish("slow", "x")
	<-entered
	told := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress, Count: 2 * maxRefusals})
	c.publish("0", "skip")
	eventually(t, "a commit was told so often", func() bool { return told.Hits() == 2*maxRefusals })
	close(proceed)
	c.checkCounts(1)
	if got := n.total(); got != 1 {
		t.Errorf("the record was handled %d times, want 1", got)
	}
}

// poisonous says whether a request produces the value "poison".
func poisonous(r kmsg.Request) bool {
	return slices.Contains(produced(r), "poison")
}

// produced is the values that a request writes, without dead letters.
func produced(r kmsg.Request) (values []string) {
	for _, topic := range r.(*kmsg.ProduceRequest).Topics {
		for _, p := range topic.Partitions {
			values = append(values, valuesOf(p.Records)...)
		}
	}
	return values
}

// ofStage keeps faults away from the test's own producer.
func ofStage(r kmsg.Request) bool {
	p, ok := r.(*kmsg.ProduceRequest)
	return !ok || p.TransactionID != nil
}

// TestRefusedRecord makes Kafka refuse one of many outputs: its trigger becomes
// a dead letter, the others are committed.
func TestRefusedRecord(t *testing.T) {
	t.Parallel()
	fake := startFake(t)
	c := newClusterAt(t, fake.ListenAddrs())
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.prefix + "out", Err: kerr.MessageTooLarge, Count: -1, When: poisonous})
	var started sync.WaitGroup
	started.Add(20)
	c.run(handler{
		handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			started.Done() // all results reach the committer together
			started.Wait()
			return Result{Events: []Event{out(tr.Key, string(tr.Event.Value))}}, nil
		},
		gaveUp: func(tr Trigger, _ State, _ error) Result {
			return Result{Events: []Event{out(tr.Key, "gave up")}}
		},
	})
	for k := range 19 {
		c.publish(strconv.Itoa(k), "fine")
	}
	c.publish("p", "poison")
	got := map[string]int{}
	for _, r := range c.read("out", 20) {
		got[string(r.Value)]++
	}
	if got["fine"] != 19 || got["gave up"] != 1 {
		t.Errorf("outputs %v, want 19 fine and 1 gave up", got)
	}
	if r := c.read("dead-letters", 1)[0]; string(r.Value) != "poison" {
		t.Errorf("dead letter of %q", r.Value)
	}
}

// valuesOf decodes the values of a produced batch that is no dead letter.
func valuesOf(raw []byte) (values []string) {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(raw); err != nil {
		return nil
	}
	recs, err := kfake.BatchRecords(b)
	if err != nil {
		return nil
	}
	for _, r := range recs {
		if len(r.Headers) == 0 {
			values = append(values, string(r.Value))
		}
	}
	return values
}
