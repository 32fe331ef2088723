//go:build !realkafka

package pipeline

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// TestTransactionVersion: before version 2 a late request of a fenced producer
// can get into the transaction of its successor.
func TestTransactionVersion(t *testing.T) {
	t.Parallel()
	t.Run("old cluster", func(t *testing.T) {
		t.Parallel()
		fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.MaxVersions(kversion.V3_9_0()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		newClusterAt(t, fake.ListenAddrs()).start(handler{handle: count}).endsWith("transaction.version", "at least 2", "kafka-features.sh upgrade")
	})
	t.Run("new cluster, old feature level", func(t *testing.T) {
		t.Parallel()
		fake := startFake(t)
		c := newClusterAt(t, fake.ListenAddrs(), kgo.MaxVersions(kversion.Stable()))
		req := kmsg.NewPtrUpdateFeaturesRequest()
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType = "transaction.version", 1, 3 // unsafe downgrade
		req.FeatureUpdates = append(req.FeatureUpdates, f)
		if _, err := req.RequestWith(t.Context(), c.cl); err != nil {
			t.Fatal(err)
		}
		c.start(handler{handle: count}).endsWith("transaction.version 1, at least 2")
	})
}
