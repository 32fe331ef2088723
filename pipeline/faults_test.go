package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// faultyNet breaks connections in ways that a broker cannot be asked to: it
// loses the answer to a request that was carried out, it turns such an answer
// into an error, and it freezes like a stopped process.
type faultyNet struct {
	dialer func(context.Context, string, string) (net.Conn, error)

	mu     sync.Mutex
	thaw   *sync.Cond
	frozen func(kmsg.Key) bool // requests that must wait; nil: none
	conns  []net.Conn          // that were made
	lose   map[kmsg.Key]int    // how many answers are still to be lost
	spoil  int                 // how many answers to EndTxn are still to say UNKNOWN_SERVER_ERROR
	sent   chan struct{}       // told when a TxnOffsetCommit goes out
}

func newFaultyNet() *faultyNet {
	n := &faultyNet{dialer: new(net.Dialer).DialContext, lose: map[kmsg.Key]int{}, sent: make(chan struct{}, 1)}
	n.thaw = sync.NewCond(&n.mu)
	return n
}

func (n *faultyNet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := n.dialer(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return &faultyConn{Conn: c, net: n, faults: map[uint32]fault{}}, nil
}

// cut ends all connections.
func (n *faultyNet) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close() // the client may have closed it
	}
	n.conns = nil
}

func (n *faultyNet) freeze(which func(kmsg.Key) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = which
	n.thaw.Broadcast()
}

func (n *faultyNet) arm(keys []kmsg.Key, times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range keys {
		n.lose[k] = times
	}
}

// left is how many answers are still to be lost.
func (n *faultyNet) left(k kmsg.Key) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lose[k]
}

// spoilEndTxn turns answers to EndTxn into ones after which the outcome is unknown.
func (n *faultyNet) spoilEndTxn(times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spoil = times
}

// waitThawed waits while requests of this kind are frozen. It reports false where
// the write ended meanwhile: then nothing of it may reach the broker.
func (c *faultyConn) waitThawed(k kmsg.Key) bool {
	n := c.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.frozen != nil && n.frozen(k) {
		if c.ended {
			return false
		}
		n.thaw.Wait()
	}
	if k == kmsg.TxnOffsetCommit {
		signal(n.sent)
	}
	return true
}

type faultyConn struct {
	net.Conn
	net      *faultyNet
	ended    bool        // nothing waits on it any more; guarded by the net's mutex
	deadline *time.Timer // of writes; nil: there never was one; likewise

	mu     sync.Mutex
	faults map[uint32]fault // of answers to come, by correlation id

	rest []byte // of the answer that was read last
}

// fault is what happens to an answer.
type fault int

const (
	lost  fault = iota + 1 // the connection ends instead of it
	spoil                  // it says UNKNOWN_SERVER_ERROR
)

func (c *faultyConn) Write(b []byte) (int, error) {
	if len(b) >= 12 { // length 4, key 2, version 2, correlation id 4
		key, id := kmsg.Key(binary.BigEndian.Uint16(b[4:])), binary.BigEndian.Uint32(b[8:])
		if !c.waitThawed(key) {
			return 0, os.ErrDeadlineExceeded
		}
		c.net.mu.Lock()
		c.mu.Lock()
		if c.net.lose[key] > 0 {
			c.net.lose[key]--
			c.faults[id] = lost
		} else if key == kmsg.EndTxn && c.net.spoil > 0 {
			c.net.spoil--
			c.faults[id] = spoil
		}
		c.mu.Unlock()
		c.net.mu.Unlock()
	}
	return c.Conn.Write(b)
}

// end lets a write that is frozen fail.
func (c *faultyConn) end() {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.ended = true
	c.net.thaw.Broadcast()
}

func (c *faultyConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// Deadlines are how clients break off, also by one that has passed.
func (c *faultyConn) SetDeadline(t time.Time) error {
	c.endAt(t)
	return c.Conn.SetDeadline(t)
}

func (c *faultyConn) SetWriteDeadline(t time.Time) error {
	c.endAt(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *faultyConn) endAt(t time.Time) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.deadline != nil {
		c.deadline.Stop()
	}
	if !t.IsZero() {
		c.deadline = time.AfterFunc(time.Until(t), c.end)
	}
}

func (c *faultyConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		if err := c.readAnswer(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// readAnswer reads one answer, whole, and breaks it if it is to be broken: length 4,
// correlation id 4; that to EndTxn goes on with tags 1, throttle 4, error code.
func (c *faultyConn) readAnswer() error {
	answer := make([]byte, 4)
	if _, err := io.ReadFull(c.Conn, answer); err != nil {
		return err
	}
	answer = append(answer, make([]byte, binary.BigEndian.Uint32(answer))...)
	if _, err := io.ReadFull(c.Conn, answer[4:]); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := binary.BigEndian.Uint32(answer[4:])
	switch c.faults[id] { // the broker has acted
	case lost:
		c.Conn.Close()
		return io.ErrUnexpectedEOF
	case spoil:
		binary.BigEndian.PutUint16(answer[13:], 0xffff)
	}
	delete(c.faults, id)
	c.rest = answer
	return nil
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

// TestLostAnswers breaks every request of a commit and of a restart: the broker
// has carried it out, its answer is lost, several times in a row.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]kmsg.Key{
		{kmsg.InitProducerID}, {kmsg.OffsetFetch}, {kmsg.TxnOffsetCommit}, {kmsg.Produce}, {kmsg.EndTxn}, {kmsg.OffsetCommit},
		{kmsg.EndTxn, kmsg.InitProducerID, kmsg.OffsetFetch}, {kmsg.Heartbeat, kmsg.FindCoordinator},
	} {
		for _, times := range []int{1, 3} {
			t.Run(fmt.Sprintf("%v x%d", keys, times), func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				faulty := newFaultyNet()
				c.run(handler{handle: countSome}, c.over(faulty), func(cfg *Config) {
					cfg.SessionTimeout, cfg.TransactionTimeout = 6*time.Second, 3*time.Second
				})
				c.publishRounds(5, 10, func() {
					faulty.arm(keys, times)
					if keys[0] == kmsg.InitProducerID || keys[0] == kmsg.OffsetFetch { // part of finding out an outcome
						faulty.spoilEndTxn(1)
					}
				})
				if keys[0] == kmsg.OffsetCommit {
					c.commitOffsetsAlone()
				}
				eventually(t, "an answer has been lost", func() bool { return faulty.left(keys[0]) < times })
				c.checkCounts(5 * 10)
			})
		}
	}
}

// TestConnectionsCut ends all connections again and again.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	faulty := newFaultyNet()
	c.run(handler{handle: countSome}, c.over(faulty))
	const times = 5
	for range times {
		c.publishRounds(5, 2, func() {})
		faulty.cut()
	}
	c.checkCounts(times * 2 * 5)
}

// countSome counts, and leaves some records without any result, so that there
// are also commits of offsets alone.
func countSome(ctx context.Context, t Trigger, s State) (Result, error) {
	if string(t.Event.Value) == "skip" {
		return Result{}, nil
	}
	return count(ctx, t, s)
}

// publishRounds publishes a record per key and round, and one to be skipped;
// after three rounds it breaks something.
func (c *cluster) publishRounds(keys, rounds int, breakIt func()) {
	c.t.Helper()
	for i := range rounds {
		if i == 3 {
			breakIt()
		}
		for k := range keys {
			c.publish(strconv.Itoa(k), "x")
		}
		c.publish("0", "skip")
	}
}

// commitOffsetsAlone has offsets committed without any result, for sure.
func (c *cluster) commitOffsetsAlone() {
	c.t.Helper()
	for range 3 {
		eventually(c.t, "all is committed", c.caughtUp)
		c.publish("0", "skip")
	}
}

// TestCommittedButToldOtherwise answers a commit that took place with an error
// after which nobody can know: it must be found out, not published again.
func TestCommittedButToldOtherwise(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	faulty := newFaultyNet()
	c.run(handler{handle: count}, c.over(faulty))
	for i := range 8 {
		faulty.spoilEndTxn(i % 3)
		faulty.arm([]kmsg.Key{kmsg.InitProducerID, kmsg.OffsetFetch}, i%2)
		for k := range 5 {
			c.publish(strconv.Itoa(k), "x")
		}
		c.checkCounts(5 * (i + 1))
	}
}

// TestZombie freezes a member until another has taken its partitions and done
// its work; what it wanted to commit must be refused when it wakes.
func TestZombie(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	short := func(cfg *Config) {
		cfg.SessionTimeout, cfg.TransactionTimeout, cfg.DrainTimeout = 2*time.Second, time.Second, time.Second
	}
	faulty := newFaultyNet()
	entered, proceed := make(chan struct{}, 10), make(chan struct{})
	stopZombie := c.run(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		if string(tr.Event.Value) == "first" {
			entered <- struct{}{}
			<-proceed
		}
		return count(ctx, tr, s)
	}}, short, c.over(faulty))
	for k := range 3 {
		c.publish(strconv.Itoa(k), "first")
	}
	for range 3 {
		<-entered
	}
	faulty.freeze(func(kmsg.Key) bool { return true })
	close(proceed) // its results are ready and wait for the network
	c.run(handler{handle: count}, short)
	c.checkCounts(3) // by the successor
	// Its commit wakes before its membership does: it does not know yet.
	faulty.freeze(func(k kmsg.Key) bool {
		return !slices.Contains([]kmsg.Key{kmsg.ApiVersions, kmsg.Metadata, kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.TxnOffsetCommit, kmsg.Produce, kmsg.EndTxn}, k)
	})
	select {
	case <-faulty.sent: // its offsets
	case <-time.After(time.Minute):
		t.Fatal("it has not tried to commit")
	}
	c.checkCounts(3)
	faulty.freeze(nil)
	for k := range 3 {
		c.publish(strconv.Itoa(k), "second")
	}
	c.checkCounts(6)
	if err := stopZombie(); err != nil {
		t.Error(err)
	}
	c.checkCounts(6)
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

func TestStartChecks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start(handler{handle: count}, func(cfg *Config) { cfg.TopicPrefix = "other." }).
		endsWith("topic other.in does not exist", "bankimport topics apply", "topic other.bankimport.test.state does not exist")
}
