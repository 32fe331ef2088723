//go:build !realkafka

package pipeline

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const fencedForGood = `another process of this stage runs with the same instance id "i1"`

func static(id string) func(*Config) { return func(cfg *Config) { cfg.InstanceID = id } }

// TestKilledStaticMemberIsBackAtOnce freezes a process for good and starts it
// again: with an instance id nobody waits for the session to end.
func TestKilledStaticMemberIsBackAtOnce(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		faulty := newFaultyNet()
		killed := c.start(handler{handle: count}, static("i1"), c.over(faulty))
		for k := range 9 {
			c.publish(strconv.Itoa(k), "x")
		}
		c.checkCounts(9)
		faulty.freeze(func(kmsg.Key) bool { return true })
		began := time.Now()
		c.start(handler{handle: count}, static("i1"))
		for k := range 9 {
			c.publish(strconv.Itoa(k), "x")
		}
		c.checkCounts(18)
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("it took %s to be back", d)
		}
		killed.cancel()
		faulty.freeze(nil)
		killed.stop()
		c.checkCounts(18)
	})
}

// TestStoppedStaticMemberDoesNotLeave stops a process and starts it again: its
// partitions wait for it, the other one keeps its own.
func TestStoppedStaticMemberDoesNotLeave(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		first := c.start(handler{handle: count}, static("i1"))
		second := c.start(handler{handle: count}, static("i2"))
		within(t, time.Minute, "both hold partitions", func() bool {
			a, b := first.stats().partitions, second.stats().partitions
			return first.Ready() && second.Ready() && a > 0 && b > 0 && a+b == testPartitions
		})
		held := second.stats().partitions
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second) // less than a session
		if n := c.members(); n != 2 || second.stats().partitions != held {
			t.Errorf("%d members, the other one holds %d partitions, before %d", n, second.stats().partitions, held)
		}
		again := c.start(handler{handle: count}, static("i1"))
		within(t, 5*time.Second, "it is back", func() bool { return again.Ready() && again.stats().partitions == testPartitions-held })
		for k := range 20 {
			c.publish(strconv.Itoa(k), "x")
		}
		c.checkCounts(20)
	})
}

// TestTwoProcessesWithOneInstanceID: one of them ends and says why, the other
// one does the work.
func TestTwoProcessesWithOneInstanceID(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		a := c.start(handler{handle: count}, static("i1"))
		c.publish("k", "x")
		c.checkCounts(1)
		b := c.start(handler{handle: count}, static("i1"))
		var ended, other *process
		select {
		case <-a.done:
			ended, other = a, b
		case <-b.done:
			ended, other = b, a
		case <-time.After(5 * time.Minute):
			t.Fatal("both go on")
		}
		ended.endsWith(fencedForGood)
		for range 10 {
			c.publish("k", "x")
		}
		c.checkCounts(11)
		if err := other.stop(); err != nil {
			t.Errorf("the other one ended with %v", err)
		}
	})
}

// TestSecondFencing has another process take the producer's identity: the first
// time the stage goes on, a second time within a minute it ends.
func TestSecondFencing(t *testing.T) {
	for name, c := range map[string]struct {
		again  time.Duration
		change func(*Config)
		ends   bool
	}{
		"within a minute":            {20 * time.Second, static("i1"), true},
		"later":                      {2 * time.Minute, static("i1"), false},
		"without a name of its own":  {20 * time.Second, func(*Config) {}, false},
		"both clients heard of once": {time.Second, static("i1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, cl *cluster, fake *kfake.Cluster) {
				p := cl.start(handler{handle: count}, c.change)
				fence := func() {
					fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, When: ofStage})
				}
				fence()
				cl.publish("k", "x")
				cl.checkCounts(1)
				time.Sleep(c.again)
				fence()
				cl.publish("k", "x")
				if c.ends {
					p.endsWith(fencedForGood)
					return
				}
				cl.checkCounts(2)
			})
		})
	}
}

// TestSlowTransactionIsNoFencing: a broker that cannot write for longer than the
// transaction timeout ends the transaction in the same words as a second
// process would. Two such outages within a minute must not end the stage.
func TestSlowTransactionIsNoFencing(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		c.start(handler{handle: count}, static("i1"), func(cfg *Config) {
			cfg.TransactionTimeout, cfg.SessionTimeout = time.Second, 6*time.Second
		})
		for i := range 3 {
			c.publish("a", "x")
			c.checkCounts(2*i + 1)
			outage := fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Topic: c.prefix + "out", Err: kerr.NotEnoughReplicas, Count: -1, When: ofStage,
			})
			c.publish("a", "x")
			time.Sleep(5 * time.Second)
			outage.Remove()
			c.checkCounts(2*i + 2)
		}
	})
}

// TestStopIsBounded: however Kafka fails to answer, a stop ends.
func TestStopIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		frozen func(kmsg.Key) bool
		busy   bool // a result waits for its commit
		deaf   bool // no, its handler does not even return
		most   time.Duration
	}{
		"leaving":             {func(k kmsg.Key) bool { return k == kmsg.LeaveGroup }, false, false, leaveTimeout + time.Second},
		"everything, idle":    {func(kmsg.Key) bool { return true }, false, false, leaveTimeout + time.Second},
		"everything, at work": {func(kmsg.Key) bool { return true }, true, false, 10*time.Second + leaveTimeout + time.Second},
		"nothing, at work":    {nil, true, true, 10*time.Second + lateWork + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, cl *cluster, _ *kfake.Cluster) {
				faulty := newFaultyNet()
				entered, hang := make(chan struct{}), make(chan struct{})
				release := sync.OnceFunc(func() { close(hang) })
				p := cl.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
					if tr.Key == "slow" {
						close(entered)
						<-hang
					}
					return count(ctx, tr, s)
				}}, cl.over(faulty))
				cl.publish("k", "x")
				cl.checkCounts(1)
				if c.busy {
					cl.publish("slow", "x")
					<-entered
				}
				faulty.freeze(c.frozen)
				time.AfterFunc(10*time.Minute, func() { // else a failure of this test would hang
					faulty.freeze(nil)
					release()
				})
				if !c.deaf {
					release()
				}
				began := time.Now()
				p.stop()
				if d := time.Since(began); d > c.most {
					t.Errorf("the stop took %s, want at most %s", d, c.most)
				}
				release()
				faulty.freeze(nil)
			})
		})
	}
}

// TestRestartIsBounded: a handler that does not return does not keep the clients from
// starting again, and what it returns when it does is of no use to anybody.
func TestRestartIsBounded(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		var n calls
		entered, hang := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(hang) })
		p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			if tr.Key == "slow" && n.add(tr.Key) == 1 {
				close(entered)
				<-hang
			}
			return count(ctx, tr, s)
		}})
		c.publish("slow", "x")
		<-entered
		time.AfterFunc(10*time.Minute, release) // else a failure of this test would hang
		began := time.Now()
		p.current.Load().fail(errors.New("a fetch failed"))
		c.publish("k", "x")
		c.checkCounts(2)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("the restart took %s", d)
		}
		release()
		c.publish("slow", "x")
		c.checkCounts(3)
	})
}

// TestDrainIsBounded lets a member come while handlers hang that do not listen:
// it gets its share all the same, and the other one stays a member.
func TestDrainIsBounded(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		const keys = 9
		var deaf atomic.Int64
		hang := make(chan struct{})
		release := sync.OnceFunc(func() { close(hang) })
		defer release()
		first := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			deaf.Add(1)
			<-hang
			return count(ctx, tr, s)
		}})
		for k := range keys {
			c.publish(strconv.Itoa(k), "x")
		}
		within(t, time.Minute, "handlers hang", func() bool { return deaf.Load() == keys })
		began := time.Now()
		second := c.start(handler{handle: count})
		within(t, time.Hour, "the new member handles what hung", func() bool {
			s := second.stats()
			return s.partitions > 0 && s.restoring == 0 && s.keys > 0
		})
		// A heartbeat tells of the new member, another one of the partition.
		if d := time.Since(began); d > 10*time.Second+5*time.Second {
			t.Errorf("it took %s, want the drain timeout of 10s and little more", d)
		}
		if n := c.members(); n != 2 || first.stats().partitions == 0 {
			t.Errorf("%d members, the first one holds %d partitions", n, first.stats().partitions)
		}
		release()
		c.checkCounts(keys)
	})
}

// TestDrainInterruptsHandlers: handlers that do listen are told to stop, with
// time left to commit.
func TestDrainInterruptsHandlers(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		entered := make(chan struct{}, 2)
		h := handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			entered <- struct{}{}
			<-ctx.Done()
			if tr.Key == "quick" {
				return count(context.WithoutCancel(ctx), tr, s) // too late: it has been given up
			}
			return Result{}, ctx.Err()
		}}
		p := c.start(h)
		c.publish("k", "x")
		c.publish("quick", "x")
		<-entered
		<-entered
		began := time.Now()
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d < 6*time.Second || d > 8*time.Second {
			t.Errorf("the stop took %s, want two thirds of 10s", d)
		}
		c.start(handler{handle: count})
		c.checkCounts(2)
	})
}

// TestStoppedWhileStarting: a stop is heard also before there is a member.
func TestStoppedWhileStarting(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		faulty := newFaultyNet()
		faulty.freeze(func(kmsg.Key) bool { return true })
		p := c.start(handler{handle: count}, c.over(faulty))
		time.Sleep(time.Minute)
		began := time.Now()
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("the stop took %s", d)
		}
		faulty.freeze(nil)
	})
}
