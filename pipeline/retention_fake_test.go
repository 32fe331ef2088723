//go:build !realkafka

package pipeline

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRetention: a stage that runs forgets what it would not restore either.
func TestRetention(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
		p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			if tr.Event == nil {
				return Result{}, nil // the state stays, and was changed now
			}
			r, err := count(ctx, tr, s)
			if tr.Key == "woken" {
				r.Wake = WakeAt(tr.Now.Add(110 * time.Minute))
			}
			return r, err
		}}, func(cfg *Config) { cfg.StateRetention = 2 * time.Hour })
		for _, k := range []string{"idle", "busy", "woken"} {
			c.publish(k, "x")
		}
		c.checkCounts(3)
		time.Sleep(90 * time.Minute)
		c.publish("busy", "x")
		c.checkCounts(4)
		if n := p.stats().keys; n != 3 {
			t.Errorf("%d keys after 90 minutes, want 3", n)
		}
		time.Sleep(100 * time.Minute) // sweeps come every hour
		if s := p.stats(); s.keys != 2 || s.stateBytes > 2*400 {
			t.Errorf("%d keys of %d bytes after more than three hours, want 2", s.keys, s.stateBytes)
		}
		for _, k := range []string{"idle", "busy", "woken"} {
			c.publish(k, "x")
		}
		got := map[string]string{}
		for _, r := range c.read("out", 7) {
			got[string(r.Key)] = string(r.Value)
		}
		if got["idle"] != "1" || got["busy"] != "3" || got["woken"] != "2" {
			t.Errorf("counts %v, want idle to begin anew", got)
		}
	})
}

// TestOldestRecordOverRestarts: while the clients start again nobody knows what
// waits. The age must not drop to nothing: an alarm would go out.
func TestOldestRecordOverRestarts(t *testing.T) {
	virtually(t, func(t *testing.T, c *cluster, fake *kfake.Cluster) {
		release := make(chan struct{})
		p := c.start(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
			select {
			case <-release:
				return count(ctx, tr, s)
			case <-ctx.Done():
				return Result{}, ctx.Err()
			}
		}})
		c.publish("k", "x")
		within(t, time.Minute, "the record is admitted", func() bool { return p.Ready() && p.stats().records == 1 })
		oldest := p.stats().oldest
		if d := time.Since(oldest); d < 0 || d > time.Minute {
			t.Fatalf("the oldest record is from %v", oldest)
		}
		restarts := fake.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: c.prefix + "in", Err: kerr.UnknownServerError, Count: -1},
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnknownServerError, Count: -1},
		)
		without := 0
		for range 60_000 {
			time.Sleep(time.Millisecond)
			s := p.stats()
			if s.partitions == 0 {
				without++
				if p.Ready() {
					t.Fatal("ready without partitions")
				}
			}
			if !s.oldest.Equal(oldest) {
				t.Fatalf("the oldest record is from %v, want %v", s.oldest, oldest)
			}
		}
		if without == 0 {
			t.Error("the clients were not started again")
		}
		restarts.Remove()
		close(release)
		within(t, 5*time.Minute, "the stage is back", p.Ready) // what was left of its members must time out
		c.checkCounts(1)
		within(t, time.Minute, "nothing is old", func() bool { return p.stats().oldest.IsZero() })
	})
}
