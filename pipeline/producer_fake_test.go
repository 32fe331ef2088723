//go:build !realkafka

package pipeline

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// openClients counts the clients that are open and were made with it as a hook.
type openClients struct {
	open, most, made atomic.Int64
}

func (o *openClients) OnNewClient(*kgo.Client) {
	o.made.Add(1)
	o.most.Store(max(o.most.Load(), o.open.Add(1)))
}

func (o *openClients) OnClientClosed(*kgo.Client) { o.open.Add(-1) }

// TestProducerThatCannotStartIsClosed: a broker that goes away just when the
// producer is initialised leaves no client behind. Metrics hang on clients, and
// registering those of a second one panics.
func TestProducerThatCannotStartIsClosed(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		c.publish("k", "x") // before: that needs a producer too
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.UnknownServerError, Count: 3})
		var producers openClients
		c.start(handler{handle: count}, func(cfg *Config) {
			cfg.Hooks = func(_, client string) []kgo.Hook {
				if client == "producer" {
					return []kgo.Hook{&producers}
				}
				return nil
			}
		})
		c.checkCounts(1)
		if made, most := producers.made.Load(), producers.most.Load(); made < 2 || most != 1 {
			t.Errorf("%d producers were made, at most %d at the same time; want several, one after the other", made, most)
		}
	})
}

// TestMarkersOnTheirWay: while the broker still writes the markers of the last
// transaction it takes no offsets for the next one. That is no reason to abort.
func TestMarkersOnTheirWay(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		p := c.start(handler{handle: count})
		c.publish("k", "x")
		c.checkCounts(1)
		initialised := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Observe: true, Count: -1})
		busy := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.ConcurrentTransactions, Count: 7})
		c.publish("k", "x")
		c.checkCounts(2)
		if n := busy.Hits(); n != 7 {
			t.Errorf("offsets were refused %d times, want 7", n)
		}
		if n := initialised.Hits(); n != 0 {
			t.Errorf("%d producers were initialised, want none anew", n)
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestRecordsNotAcknowledged: the engine waits for records no longer than the broker
// keeps their transaction, and begins another one.
func TestRecordsNotAcknowledged(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		const limit = 3 * time.Second
		c.start(handler{handle: count}, func(cfg *Config) { cfg.TransactionTimeout = limit })
		c.publish("k", "x")
		c.checkCounts(1)
		initialised := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Observe: true, Count: -1})
		var silent atomic.Bool
		silent.Store(true)
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1, When: func(r kmsg.Request) bool {
			return ofStage(r) && silent.Load()
		}})
		c.publish("k", "x")
		time.Sleep(2*limit + time.Second)
		if n := initialised.Hits(); n != 2 {
			t.Errorf("%d producers were initialised in the time of two transactions, want 2", n)
		}
		silent.Store(false)
		c.checkCounts(2)
	})
}
