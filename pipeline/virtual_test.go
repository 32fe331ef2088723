//go:build !realkafka

package pipeline

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// virtually runs a test in virtual time: hours take milliseconds, and what
// takes no time is done at once.
func virtually(t *testing.T, f func(t *testing.T, c *cluster, fake *kfake.Cluster)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wires kfake.VirtualNetwork
		fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(wires.Listen))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		c := newClusterAt(t, fake.ListenAddrs(), kgo.Dialer(wires.DialContext))
		c.dial = wires.DialContext
		f(t, c, fake)
	})
}

// calls counts how often something was handled.
type calls struct {
	mu sync.Mutex
	n  map[string]int // by key
}

func (c *calls) add(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[key]++
	return c.n[key]
}

func (c *calls) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.n {
		n += v
	}
	return n
}
