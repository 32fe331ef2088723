package pipeline

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client returns a client of the test's own.
func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	cl, err := kgo.NewClient(append(opts, c.opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

func (c *cluster) admin() *kadm.Client { return kadm.NewClient(c.cl) }

// awaitTopic waits until the broker tells of a topic with so many partitions: it
// learns of what it has created itself a little later.
func (c *cluster) awaitTopic(topic string, partitions int) {
	c.t.Helper()
	eventually(c.t, "the broker knows topic "+topic, func() bool {
		topics, err := c.admin().ListTopics(c.t.Context(), c.prefix+topic)
		return err == nil && topics[c.prefix+topic].Err == nil && len(topics[c.prefix+topic].Partitions) == partitions
	})
}

// produce writes records as they are; topics are logical.
func (c *cluster) produce(recs ...*kgo.Record) {
	c.t.Helper()
	for _, r := range recs {
		r.Topic = c.prefix + r.Topic
	}
	if err := c.cl.ProduceSync(c.t.Context(), recs...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) stateTopic() string { return StateTopic("", "bankimport", "test") }

func (c *cluster) group() string { return GroupName(c.prefix, "bankimport", "test") }

// topicID is the id of the input topic.
func (c *cluster) topicID() [16]byte {
	c.t.Helper()
	topics, err := c.admin().ListTopics(c.t.Context(), c.prefix+"in")
	if err != nil {
		c.t.Fatal(err)
	}
	return topics[c.prefix+"in"].ID
}

// caughtUp says that the group has committed every offset of the input there is.
func (c *cluster) caughtUp() bool {
	c.t.Helper()
	ends, err := c.admin().ListEndOffsets(c.t.Context(), c.prefix+"in")
	if err != nil {
		c.t.Fatal(err)
	}
	offsets, err := c.admin().FetchOffsets(c.t.Context(), c.group())
	if err != nil {
		return false // a transaction is open
	}
	all := true
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := offsets.Lookup(end.Topic, end.Partition)
		all = all && (end.Offset == 0 || ok && at.At == end.Offset)
	})
	return all
}

// members is how many members the group has in peace; -1 while it has none.
func (c *cluster) members() int {
	c.t.Helper()
	groups, err := c.admin().DescribeGroups(c.t.Context(), c.group())
	if err != nil {
		c.t.Fatal(err)
	}
	g := groups[c.group()]
	if g.State != "Stable" && g.State != "Empty" {
		return -1
	}
	return len(g.Members)
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, 30*time.Second, what, holds)
}

func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	end := time.NewTimer(limit)
	defer end.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-end.C:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// A process is a stage that runs.
type process struct {
	*Runner
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // what Run has returned
}

func (c *cluster) start(h handler, change ...func(*Config)) *process {
	c.t.Helper()
	cfg := Config{KafkaOpts: slices.Clone(c.opts), TopicPrefix: c.prefix, Logger: slog.New(slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))}
	for _, f := range change {
		f(&cfg)
	}
	r, err := NewRunner(testStage(h), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{Runner: r, t: c.t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if p.err = r.Run(ctx); p.err != nil {
			c.t.Log("the stage has ended:", p.err)
		}
	}()
	c.t.Cleanup(func() { p.stop() })
	return p
}

// stop ends the stage as a signal does, and waits.
func (p *process) stop() error {
	p.cancel()
	<-p.done
	return p.err
}

// over sends what a stage says to Kafka through a net that can break.
func (c *cluster) over(n *faultyNet) func(*Config) {
	dialer := c.dialer(n)
	return func(cfg *Config) { cfg.KafkaOpts = append(cfg.KafkaOpts, dialer) }
}

// dialer sends what a client says to the cluster through a net that can break.
func (c *cluster) dialer(n *faultyNet) kgo.Opt {
	if c.dial != nil {
		n.dialer = c.dial
	}
	return kgo.Dialer(n.dial)
}

// ready waits until the stage is ready.
func (p *process) ready() {
	p.t.Helper()
	eventually(p.t, "the stage is ready", p.Ready)
}

// endsWith waits until the stage ends by itself, with an error that says so.
func (p *process) endsWith(parts ...string) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("the stage goes on, want it to end with %q", parts)
	}
	for _, part := range parts {
		if p.err == nil || !strings.Contains(p.err.Error(), part) {
			p.t.Fatalf("Run = %v, want %q in it", p.err, part)
		}
	}
}

// headers are those of a record, the last one of each key.
func headers(r *kgo.Record) map[string]string {
	h := map[string]string{}
	for _, e := range r.Headers {
		h[e.Key] = string(e.Value)
	}
	return h
}

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// incompressible is n bytes that a seed determines and that no codec makes fewer.
func incompressible(seed string, n int) string {
	b := make([]byte, n)
	rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(b)
	return string(b)
}
