//go:build !realkafka

package pipeline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRefusedRecordIsFoundByHalves: Kafka refuses all records that travel with a
// bad one, so it takes smaller batches to find it. That must not take one
// transaction for each.
func TestRefusedRecordIsFoundByHalves(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		const jobs = 600
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

// TestOffsetsAreSentOnce: a broker may carry out a request without an answer much
// later, so that the client must not have sent it once more meanwhile.
func TestOffsetsAreSentOnce(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first func(fake *kfake.Cluster) (kmsg.Response, error, bool) // meets the first one
	}{
		{name: "no answer", first: func(fake *kfake.Cluster) (kmsg.Response, error, bool) {
			fake.SleepControl(func() { time.Sleep(25 * time.Second) })
			return nil, nil, false
		}},
		{name: "connection ends", first: func(*kfake.Cluster) (kmsg.Response, error, bool) { return nil, errors.New("ended"), true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
				var mu sync.Mutex
				sent := map[string]int{} // by metadata, which no two commits have in common
				fake.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
					fake.KeepControl()
					mu.Lock()
					first := len(sent) == 0
					for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
						for _, p := range topic.Partitions {
							sent[*p.Metadata]++
						}
					}
					mu.Unlock()
					if first {
						return tc.first(fake)
					}
					return nil, nil, false
				})
				c.start(handler{handle: countSome})
				c.publish("0", "skip")
				c.publishRounds(5, 10, func() {})
				c.commitOffsetsAlone()
				c.checkCounts(5 * 10)
				time.Sleep(time.Minute) // the first one is carried out, and nothing comes of it
				c.checkCounts(5 * 10)
				mu.Lock()
				defer mu.Unlock()
				if len(sent) < 2 {
					t.Errorf("%d commits of offsets alone, want some", len(sent))
				}
				for _, n := range sent {
					if n > 1 {
						t.Errorf("a commit of offsets was sent %d times", n)
					}
				}
			})
		})
	}
}

// TestStateRefusedForGood: a timer that has fired writes the state of its key again,
// also where it was given up. If Kafka does not take that, there is nothing left
// to leave out.
func TestStateRefusedForGood(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		p := c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			if tr.Event == nil {
				return Result{}, Permanent("bad_input", errors.New("no"))
			}
			return Result{State: SetState([]byte("large")), Wake: WakeAt(tr.Now.Add(time.Minute))}, nil
		}})
		c.publish("k", "x")
		eventually(t, "the state is committed", c.caughtUp)
		state := c.prefix + c.stateTopic()
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: state, Err: kerr.MessageTooLarge, Count: -1})
		time.Sleep(time.Minute) // until the timer fires
		p.endsWith(state, "max.message.bytes")
	})
}

// TestRefusedStateIsItsAuthors: a timer that leaves the state as it was writes it
// again, in the same record as the trigger that made it. If Kafka does not take it,
// that trigger is to blame, and the timer runs no more.
func TestRefusedStateIsItsAuthors(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		fake.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Produce}, Topic: c.prefix + c.stateTopic(), Err: kerr.MessageTooLarge, Count: -1,
			When: func(r kmsg.Request) bool {
				return slices.ContainsFunc(produced(r), func(state string) bool { return strings.Contains(state, "too large") })
			},
		})
		c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			switch {
			case tr.Event == nil:
				return Result{Events: []Event{out(tr.Key, "timer")}}, nil
			case tr.Key == "k":
				return Result{State: SetState([]byte("too large")), Wake: WakeAt(tr.Now)}, nil
			default:
				return Result{Events: []Event{out(tr.Key, "fine")}}, nil
			}
		}}, func(cfg *Config) { cfg.CommitInterval = time.Second }) // the trigger and its timer go into one batch
		c.publish("before", "x")
		c.read("out", 1)
		c.publish("k", "x")
		l := c.read("dead-letters", 1)[0]
		if string(l.Value) != "x" {
			t.Errorf("a dead letter of %q, want it of the record that set the state", l.Value)
		}
		c.publish("after", "x")
		eventually(t, "all is committed", c.caughtUp)
		for _, r := range c.read("out", 2) {
			if string(r.Value) != "fine" {
				t.Errorf("key %s: a result %q of a state that was refused", r.Key, r.Value)
			}
		}
	})
}

// TestSearchBesideABusyPartition: while Kafka refuses a record of one partition, the
// results that others finish meanwhile do not keep the search from its end.
func TestSearchBesideABusyPartition(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		refused := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.prefix + "out", Err: kerr.InvalidRecord, Count: -1, When: poisonous})
		const busy, each = 400, 4
		var rounds atomic.Int64
		var started sync.WaitGroup
		started.Add(busy + each)
		c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
			if tr.Event != nil {
				started.Done()
				started.Wait()
			}
			// All go into one batch of the client, which is refused as a whole.
			r := Result{Events: []Event{{Topic: "out", Key: []byte("same"), Value: []byte("fine")}}}
			switch {
			case tr.Key == "poison":
				r.Events[0].Value = []byte("poison")
			case tr.Event == nil && rounds.Add(1) > 100_000:
			default:
				r.Wake = WakeAt(tr.Now) // its next result is there at once
			}
			return r, nil
		}})
		var recs []*kgo.Record
		for i := range busy {
			recs = append(recs, &kgo.Record{Topic: "in", Partition: 0, Key: []byte(strconv.Itoa(i)), Value: []byte("x")})
		}
		for i := range each {
			key := "poison"
			if i > 0 {
				key = "beside-" + strconv.Itoa(i)
			}
			recs = append(recs, &kgo.Record{Topic: "in", Partition: 1, Key: []byte(key), Value: []byte("x")})
		}
		c.produceTo(recs...)
		c.read("dead-letters", 1)
		if n := refused.Hits(); n > 40 {
			t.Errorf("it took %d refusals to find one of %d", n, busy+each)
		}
	})
}

// TestReplacedStateIsLeft: a trigger that fails on a state that Kafka has refused
// meanwhile is not retried on it.
func TestReplacedStateIsLeft(t *testing.T) {
	for name, failed := range map[string]func() (Result, error){
		"error": func() (Result, error) { return Result{}, errors.New("no good") },
		"invalid result": func() (Result, error) {
			time.Sleep(3 * time.Second) // until the state has been refused
			return Result{Events: []Event{{Topic: "nowhere"}}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
				fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.prefix + "out", Err: kerr.MessageTooLarge, Count: -1, When: poisonous})
				var tried atomic.Int64
				var said bytes.Buffer
				p := c.start(handler{handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
					switch {
					case string(tr.Event.Value) == "first":
						return Result{Events: []Event{out(tr.Key, "poison")}, State: SetState([]byte("never"))}, nil
					case string(s.Value) == "never":
						tried.Add(1)
						return failed()
					default:
						return Result{Events: []Event{out(tr.Key, "fine")}}, nil
					}
				}}, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
				began := time.Now()
				c.produce(&kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("first")}, &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("second")})
				c.read("out", 1)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s until the second was handled on the state that is true", took)
				}
				if n := tried.Load(); n > 1 {
					t.Errorf("it was handled %d times on the state that is not", n)
				}
				c.read("dead-letters", 1)
				_ = p.stop()
				if n := strings.Count(said.String(), "gave up"); n != 1 {
					t.Errorf("%d dead letters are told of, want that of the first alone:\n%s", n, &said)
				}
			})
		})
	}
}
