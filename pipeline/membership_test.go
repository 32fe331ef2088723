package pipeline

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func shortSessions(cfg *Config) {
	cfg.SessionTimeout, cfg.TransactionTimeout, cfg.DrainTimeout = 2*time.Second, time.Second, time.Second
}

// TestMembershipLostWithoutAWord throws a member out of the group while it asks
// to join again. When it gets through, its work has been done by another that
// has left since, so it is given all its partitions back, as if nothing had
// happened: only its id is another. What it has worked out meanwhile must not
// be committed.
func TestMembershipLostWithoutAWord(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	faulty := newFaultyNet()
	const keys = 9
	entered, hang := make(chan struct{}, keys), make(chan struct{})
	proceed := sync.OnceFunc(func() { close(hang) })
	defer proceed()
	stop := c.run(handler{handle: func(ctx context.Context, tr Trigger, s State) (Result, error) {
		if string(tr.Event.Value) == "first" {
			entered <- struct{}{}
			<-hang
		}
		return count(ctx, tr, s)
	}}, shortSessions, c.over(faulty))
	publish := func(value string) {
		for k := range keys {
			c.publish(strconv.Itoa(k), value)
		}
	}
	publish("first")
	for range keys {
		<-entered
	}
	faulty.freeze(func(k kmsg.Key) bool { return k == kmsg.JoinGroup })
	stopSuccessor := c.run(handler{handle: count}, shortSessions)
	c.checkCounts(keys) // by the successor, once the silent one is thrown out
	if err := stopSuccessor(); err != nil {
		t.Error(err)
	}
	faulty.freeze(nil)
	eventually(t, "the member is back", func() bool { return c.members() == 1 })
	proceed()
	publish("second")
	c.checkCounts(2 * keys)
	if err := stop(); err != nil {
		t.Error(err)
	}
	c.checkCounts(2 * keys)
}
