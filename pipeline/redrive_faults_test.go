package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// through opens the dead letters over a network that breaks.
func (c *cluster) through(n *faultyNet) *DeadLetters {
	c.t.Helper()
	d, err := OpenDeadLetters(c.t.Context(), DeadLettersConfig{
		KafkaOpts: []kgo.Opt{kgo.SeedBrokers(c.addrs...), c.dialer(n)}, TopicPrefix: c.prefix,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(d.Close)
	return d
}

// refuseAll fills the dead letters: n records that a stage, which is stopped
// then, gave up on.
func (c *cluster) refuseAll(n int) {
	c.t.Helper()
	stop := c.run(handler{handle: refusing})
	for k := range n {
		c.cl.Produce(c.t.Context(), &kgo.Record{Topic: c.prefix + "in", Key: []byte(strconv.Itoa(k)), Value: []byte("x")}, nil)
	}
	if err := c.cl.Flush(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.read("dead-letters", n)
	if err := stop(); err != nil {
		c.t.Fatal(err)
	}
}

// backOnce checks that each of n records is back once and its dead letter marked.
func (c *cluster) backOnce(n int) {
	c.t.Helper()
	seen := map[string]int{}
	for _, r := range c.read("in", 2*n) {
		seen[string(r.Key)]++
	}
	for k := range n {
		if times := seen[strconv.Itoa(k)]; times != 2 {
			c.t.Errorf("record %d is there %d times, want twice", k, times)
		}
	}
	for k, l := range c.list() {
		if l.RedrivenAt.IsZero() {
			c.t.Errorf("the dead letter of %s is not marked", k)
		}
	}
}

// TestRedriveLostAnswers breaks every request of a redrive: the broker has
// carried it out, its answer is lost or says that nobody knows, several times
// in a row. Everything is back once, and told once as redriven.
func TestRedriveLostAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		keys  []kmsg.Key
		times int
		spoil int
	}{
		{keys: []kmsg.Key{kmsg.InitProducerID}, times: 3},
		{keys: []kmsg.Key{kmsg.Produce}, times: 1},
		{keys: []kmsg.Key{kmsg.Produce}, times: 3},
		{keys: []kmsg.Key{kmsg.EndTxn}, times: 1},
		{keys: []kmsg.Key{kmsg.EndTxn}, times: 3},
		{keys: []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID}, times: 2},
		{keys: []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata}, times: 2},
		{spoil: 1},
		{spoil: 2},
	} {
		t.Run(fmt.Sprintf("%v x%d spoil %d", tc.keys, tc.times, tc.spoil), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			const n = 700 // two transactions
			c.refuseAll(n)
			faulty := newFaultyNet()
			d := c.through(faulty)
			faulty.arm(tc.keys, tc.times)
			faulty.mu.Lock()
			faulty.spoil = tc.spoil
			faulty.mu.Unlock()
			told := 0
			err := d.Redrive(t.Context(), all, func(l DeadLetter, err error) {
				if told++; err != nil {
					t.Errorf("%s: %v", l.Key, err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if told != n {
				t.Errorf("told of %d, want %d", told, n)
			}
			c.backOnce(n)
		})
	}
}

// TestRedriveZombie freezes a redrive at one of its requests until another one
// has done everything: when it wakes it must change nothing any more.
func TestRedriveZombie(t *testing.T) {
	t.Parallel()
	for _, at := range []kmsg.Key{kmsg.ListOffsets, kmsg.Fetch, kmsg.Produce, kmsg.EndTxn} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			const n = 20
			c.refuseAll(n)
			faulty := newFaultyNet()
			d := c.through(faulty)
			frozen := make(chan struct{}, 100)
			faulty.freeze(func(k kmsg.Key) bool {
				if k == at {
					signal(frozen)
				}
				return k == at
			})
			done := make(chan error, 1)
			told := 0
			go func() {
				done <- d.Redrive(t.Context(), all, func(_ DeadLetter, err error) {
					if err == nil {
						told++
					}
				})
			}()
			<-frozen
			for _, err := range c.redriveCounted(n) {
				if err != nil {
					t.Error(err)
				}
			}
			faulty.freeze(nil)
			select {
			case err := <-done:
				// One that has not decided anything yet finds all of it redriven.
				if err != nil && !errors.Is(err, ErrRedriveTakenOver) {
					t.Error(err)
				}
				if err == nil && (at == kmsg.Produce || at == kmsg.EndTxn) {
					t.Error("it did not notice that it was taken over")
				}
			case <-time.After(30 * time.Second):
				t.Fatal("the frozen redrive does not end")
			}
			if told != 0 {
				t.Errorf("the frozen redrive told of %d, want none", told)
			}
			c.backOnce(n)
		})
	}
}

// TestRedriveWaitsForOpenTransactions: a mark that is not committed yet when a
// redrive begins counts: another producer's transaction on the topic is waited for.
func TestRedriveWaitsForOpenTransactions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.refuseAll(1)
	l := c.list()["0"]
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.addrs...), kgo.TransactionalID(c.prefix+"other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), l.redriven(c.prefix+"dead-letters", time.Now())).FirstErr(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(500*time.Millisecond, func() {
		if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Error(err)
		}
	})
	if got := c.redrive(); !errors.Is(got["0"], ErrRedriven) {
		t.Errorf("got %v, want ErrRedriven", got)
	}
	c.read("in", 1)
}
