//go:build !realkafka

package pipeline

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRedriveStalls: what keeps a redrive from reading is named, and it does not
// wait for ever.
func TestRedriveStalls(t *testing.T) {
	t.Run("a transaction that hangs", func(t *testing.T) {
		virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
			c.openTransaction(&kgo.Record{Topic: "dead-letters", Partition: 1, Value: []byte("x")})
			checkStalled(t, c.through(newFaultyNet()), "partition 1: a transaction has been open since offset 0", "find-hanging")
		})
	})
	t.Run("brokers that are gone", func(t *testing.T) {
		virtually(t, func(t *testing.T, c *cluster, _ *kfake.Cluster) {
			c.produceTo(&kgo.Record{Topic: "dead-letters", Partition: 1, Value: []byte("x")})
			n := newFaultyNet()
			d := c.through(n)
			gone := false
			n.freeze(func(k kmsg.Key) bool {
				gone = gone || k == kmsg.Fetch
				return gone
			})
			checkStalled(t, d, "Kafka cannot be reached")
		})
	})
}

func checkStalled(t *testing.T, d *DeadLetters, parts ...string) {
	t.Helper()
	err := d.Redrive(t.Context(), all, func(l DeadLetter, err error) { t.Errorf("%+v: %v", l, err) })
	if err == nil {
		t.Fatal("a redrive of what cannot be read ended well")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
}
