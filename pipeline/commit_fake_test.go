//go:build !realkafka

package pipeline

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRefusedRecordIsFoundByHalves: Kafka refuses all records that travel with a
// bad one, so it takes smaller batches to find it. That must not take one
// transaction for each.
func TestRefusedRecordIsFoundByHalves(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		const jobs = 600
		poisonous := func(r kmsg.Request) bool {
			for _, topic := range r.(*kmsg.ProduceRequest).Topics {
				for _, p := range topic.Partitions {
					if slices.Contains(valuesOf(p.Records), "poison") {
						return true
					}
				}
			}
			return false
		}
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.prefix + "out", Err: kerr.InvalidRecord, Count: -1, When: poisonous})
		commits := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Observe: true, Count: -1})
		var started sync.WaitGroup
		started.Add(jobs)
		c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			started.Done()
			started.Wait()
			v := "fine"
			if tr.Key == "300" {
				v = "poison"
			}
			return Result{Events: []Event{out(tr.Key, v)}}, nil
		}})
		for k := range jobs {
			c.publish(strconv.Itoa(k), "x")
		}
		c.read("out", jobs-1)
		if r := c.read("dead-letters", 1)[0]; headers(r)[HeaderDeadLetterClass] != classInvalidResult {
			t.Errorf("headers %v", headers(r))
		}
		// 600, 300, 150, … 1 are refused, and about as many parts go through.
		if n := commits.Hits(); n < 10 || n > 40 {
			t.Errorf("it took %d transactions to find one of %d", n, jobs)
		}
	})
}

// TestClientBeginsAnotherTransaction has the broker forget the producer in the
// middle of a transaction, in such a way that the client begins another one by
// itself. What it ends then is not what the offsets went into.
func TestClientBeginsAnotherTransaction(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		p := c.start(handler{handle: count})
		for range 3 {
			c.publish("k", "x")
		}
		c.checkCounts(3)
		var forgot atomic.Bool
		fake.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			if !ofStage(r) {
				fake.KeepControl()
				return nil, nil, false
			}
			fake.DropControl()
			forgot.Store(true)
			req := r.(*kmsg.ProduceRequest)
			resp := req.ResponseKind().(*kmsg.ProduceResponse)
			for _, topic := range req.Topics {
				t := kmsg.NewProduceResponseTopic()
				t.Topic, t.TopicID = topic.Topic, topic.TopicID
				for _, part := range topic.Partitions {
					p := kmsg.NewProduceResponseTopicPartition()
					p.Partition, p.ErrorCode = part.Partition, kerr.UnknownProducerID.Code
					p.LogStartOffset = 1000 // "retention has taken what this producer wrote last"
					t.Partitions = append(t.Partitions, p)
				}
				resp.Topics = append(resp.Topics, t)
			}
			return resp, nil, true
		})
		c.publish("k", "x")
		c.checkCounts(4)
		if !forgot.Load() {
			t.Fatal("the broker did not forget")
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		c.start(handler{handle: count}) // from what the group has
		c.publish("k", "x")
		c.checkCounts(5)
	})
}

// TestAbortInSilence has the first transaction of a producer aborted while the
// client says that it is committed, as franz-go does when it is asked to end one
// just before it remembers the partitions of a new topic.
func TestAbortInSilence(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		var ends atomic.Int64
		fake.ControlKey(kmsg.EndTxn.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			if req := r.(*kmsg.EndTxnRequest); ofStage(r) && ends.Add(1) == 1 {
				req.Commit = false
			}
			return nil, nil, false
		})
		var handled calls
		p := c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			handled.add(tr.Key)
			return Result{Events: []Event{out(tr.Key, "x")}}, nil
		}})
		const n = 20
		for k := range n {
			c.publish(strconv.Itoa(k), "x")
		}
		c.read("out", n)
		if ends.Load() < 2 {
			t.Fatalf("%d transactions ended, want one that was aborted and then another one", ends.Load())
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		c.start(handler{handle: count}) // from what the group has
		c.publish("other", "x")
		c.read("out", n+1)
		if got := handled.total(); got != n {
			t.Errorf("%d records were handled, want %d once each", got, n)
		}
	})
}

// TestOneKeyInAPipeline stops commits: the next triggers of a key run on what
// those before them want, but not without end.
func TestOneKeyInAPipeline(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		faulty := newFaultyNet()
		var handled calls
		c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			handled.add(tr.Key)
			if tr.Event.Key == nil {
				return Result{Events: []Event{out("", "no key")}}, nil
			}
			return count(ctx, tr, s)
		}}, c.over(faulty))
		c.publish("k", "x")
		c.checkCounts(1)
		faulty.freeze(func(k kmsg.Key) bool { return k == kmsg.EndTxn })
		const n = 3 * maxAhead
		for range n {
			c.publish("k", "x")
			c.publish("", "x")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := handled.total(); got != 1+maxAhead+n {
			t.Errorf("%d were handled while no commit ended, want %d of the key and %d without one", got-1, maxAhead, n)
		}
		faulty.freeze(nil)
		within(t, time.Minute, "all is handled", func() bool { return handled.total() == 1+2*n })
		next := 1
		for _, r := range c.read("out", 1+2*n) {
			if string(r.Key) != "k" {
				continue
			}
			if string(r.Value) != strconv.Itoa(next) {
				t.Fatalf("got %s, want %d", r.Value, next)
			}
			next++
		}
	})
}

// TestOneLogStartRequest: where a group is new, the start of all logs is asked
// for at once. One request per partition would hold up the group.
func TestOneLogStartRequest(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		asked := map[kmsg.Request]bool{} // written by the cluster's goroutine, which has no more to do when it is read
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
			for _, topic := range r.(*kmsg.ListOffsetsRequest).Topics {
				for _, p := range topic.Partitions {
					if topic.Topic == c.prefix+"in" && p.Timestamp == -2 {
						asked[r] = true
						return true
					}
				}
			}
			return false
		}})
		p := c.start(handler{handle: count})
		within(t, time.Minute, "the stage is ready", p.Ready)
		c.publish("k", "x")
		c.checkCounts(1)
		synctest.Wait()
		if n := len(asked); n < 1 || n > 2 { // the engine once, the client once
			t.Errorf("the start of the logs was asked for in %d requests", n)
		}
	})
}
