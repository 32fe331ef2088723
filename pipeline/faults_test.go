package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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

// lossyNet loses the answers to some requests: the broker has acted, but the
// connection breaks before the client hears of it.
type lossyNet struct {
	mu   sync.Mutex
	lose map[int16]int // by request key: how many answers are still to be lost
}

func (n *lossyNet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: c, net: n}, nil
}

type lossyConn struct {
	net.Conn
	net    *lossyNet
	mu     sync.Mutex
	broken bool
}

func (c *lossyConn) Write(b []byte) (int, error) {
	if len(b) >= 6 {
		key := int16(binary.BigEndian.Uint16(b[4:]))
		c.net.mu.Lock()
		if c.net.lose[key] > 0 {
			c.net.lose[key]--
			c.mu.Lock()
			c.broken = true
			c.mu.Unlock()
		}
		c.net.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b) // the answer is there, so the broker has acted
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// checkCounts reads n outputs of the counting stage: per key they must be 1, 2, 3, …
func (c *cluster) checkCounts(n int) {
	c.t.Helper()
	next := map[string]int{}
	for _, r := range c.read("out", n) {
		next[string(r.Key)]++
		if got, want := string(r.Value), strconv.Itoa(next[string(r.Key)]); got != want {
			c.t.Fatalf("key %s: got %s, want %s: something was lost, doubled or out of order", r.Key, got, want)
		}
	}
}

// TestFaultsOfEveryRequest breaks every request of a commit and of a restart,
// by an answer that is lost and by errors, several times in a row.
func TestFaultsOfEveryRequest(t *testing.T) {
	t.Parallel()
	type fault struct {
		name string
		keys []kmsg.Key
		err  *kerr.Error // nil: the answer is lost
	}
	faults := []fault{
		{"lost", []kmsg.Key{kmsg.InitProducerID}, nil},
		{"lost", []kmsg.Key{kmsg.TxnOffsetCommit}, nil},
		{"lost", []kmsg.Key{kmsg.Produce}, nil},
		{"lost", []kmsg.Key{kmsg.EndTxn}, nil},
		{"lost", []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID, kmsg.OffsetFetch}, nil},
		{"lost", []kmsg.Key{kmsg.FindCoordinator, kmsg.Heartbeat}, nil},
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
	}
	for _, f := range faults {
		for _, times := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s %v x%d", f.name, f.keys, times), func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				lossy := &lossyNet{lose: map[int16]int{}}
				c.run(handler{handle: count}, func(cfg *Config) {
					cfg.KafkaOpts = append(cfg.KafkaOpts, kgo.Dialer(lossy.dial))
					cfg.SessionTimeout, cfg.TransactionTimeout = 6*time.Second, 3*time.Second
				})
				const keys, rounds = 5, 10
				for i := range rounds {
					if i == 3 {
						if f.err == nil {
							lossy.mu.Lock()
							for _, k := range f.keys {
								lossy.lose[int16(k)] = times
							}
							lossy.mu.Unlock()
						} else {
							c.Fault(kfake.Fault{Keys: f.keys, Err: f.err, Count: times, When: ofStage})
						}
					}
					for k := range keys {
						c.publish(strconv.Itoa(k), "x")
					}
				}
				c.checkCounts(keys * rounds)
			})
		}
	}
}

// ofStage keeps faults away from the test's own producer.
func ofStage(r kmsg.Request) bool {
	p, ok := r.(*kmsg.ProduceRequest)
	return !ok || p.TransactionID != nil
}

// TestRebalances lets members of one stage come and go while records flow and
// handlers take their time.
func TestRebalances(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	slow := handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		if !sleep(ctx, rand.N(30*time.Millisecond)) {
			return Result{}, ctx.Err()
		}
		return count(ctx, tr, s)
	}}
	quick := func(cfg *Config) {
		cfg.SessionTimeout, cfg.TransactionTimeout, cfg.DrainTimeout = 6*time.Second, 3*time.Second, 2*time.Second
	}
	var wg sync.WaitGroup
	c.run(slow, quick)
	const keys, rounds = 10, 40
	wg.Go(func() {
		for range 5 {
			stop := c.run(slow, quick)
			time.Sleep(rand.N(400 * time.Millisecond)) // how long a member lives is the input of this test
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
	for range rounds {
		for k := range keys {
			c.publish(strconv.Itoa(k), "x")
		}
		time.Sleep(rand.N(40 * time.Millisecond))
	}
	wg.Wait()
	c.checkCounts(keys * rounds)
}

// TestRefusedRecord makes Kafka refuse one of many outputs: its trigger becomes
// a dead letter, the others are committed.
func TestRefusedRecord(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: kerr.MessageTooLarge, Count: -1, When: func(r kmsg.Request) bool {
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				if slices.Contains(valuesOf(p.Records), "poison") {
					return true
				}
			}
		}
		return false
	}})
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

func TestStartChecks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"missing topics": {func(cfg *Config) { cfg.TopicPrefix = "other." }, "topic other.in does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCluster(t)
			cfg := Config{KafkaOpts: []kgo.Opt{kgo.SeedBrokers(cl.ListenAddrs()...)}}
			c.change(&cfg)
			r, err := NewRunner(testStage(handler{handle: count}), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err = r.Run(t.Context()); err == nil || !isFatal(errors.Unwrap(err)) && !isFatal(err) {
				t.Fatalf("Run = %v, want %q", err, c.want)
			}
		})
	}
}
