//go:build !realkafka

package pipeline

import (
	"context"
	"crypto/rand"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestLeaderEpochOfWhatIsFinished: the map says that records are finished which
// this process has not read yet, and another leader has written the last of them.
// The offset behind them must not be committed with the epoch of one that was read:
// whoever is assigned the partition next would take the log for truncated.
func TestLeaderEpochOfWhatIsFinished(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		const each = 20
		large := make([]byte, 30_000) // a fetch brings about half of each
		rand.Read(large)
		publish := func(from int) {
			for i := range each {
				c.produceTo(&kgo.Record{Topic: "in", Partition: 0, Key: []byte(strconv.Itoa(from + i)), Value: large})
			}
		}
		quick := func(_ context.Context, tr Trigger, _ State) (Result, error) {
			return Result{Events: []Event{out(tr.Key, "x")}}, nil
		}
		slow := func(ctx context.Context, tr Trigger, s State) (Result, error) {
			if tr.Key == "0" {
				<-ctx.Done()
				return Result{}, ctx.Err()
			}
			return quick(ctx, tr, s)
		}
		stop := c.run(handler{handle: slow}, func(cfg *Config) { cfg.DrainTimeout = 1 })
		publish(0)
		c.read("out", each-1)
		if err := fake.MoveTopicPartition(c.prefix+"in", 0, 0); err != nil { // to where it was, as a new leader
			t.Fatal(err)
		}
		publish(each)
		c.read("out", 2*each-1)
		if err := stop(); err != nil {
			t.Fatal(err)
		}

		id := c.topicID()
		late := fake.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Fetch}, Topic: c.prefix + "in", Err: kerr.NotLeaderForPartition, Count: -1,
			When: func(r kmsg.Request) bool {
				for _, t := range r.(*kmsg.FetchRequest).Topics {
					for _, p := range t.Partitions {
						if t.TopicID == id && p.FetchOffset > 0 {
							return true
						}
					}
				}
				return false
			},
		})
		stop = c.run(handler{handle: quick})
		c.read("out", 2*each)
		if late.Hits() == 0 {
			t.Error("it has read all that is finished")
		}
		late.Remove()
		if err := stop(); err != nil {
			t.Fatal(err)
		}

		c.run(handler{handle: quick})
		c.publish("next", "x")
		c.read("out", 2*each+1)
	})
}
