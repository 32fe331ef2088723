//go:build !realkafka

package pipeline

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
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

// TestPermissions: a stage works with exactly the permissions that the README
// lists, and without any one of them it ends and names it.
func TestPermissions(t *testing.T) {
	t.Parallel()
	type grant struct {
		kind kmsg.ACLResourceType
		name string // without the prefix
		op   kmsg.ACLOperation
		says []string // how the stage ends without it
	}
	topic, group, transactions := kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeTransactionalId
	read, write := kmsg.ACLOperationRead, kmsg.ACLOperationWrite
	state := StateTopic("", "bankimport", "test")
	grants := []grant{
		{topic, "in", read, []string{"in: the Kafka user may not see it", "DESCRIBE and READ"}},
		{topic, state, read, []string{state + ": the Kafka user lacks a permission", "READ"}},
		{topic, state, write, []string{state + ": the Kafka user lacks a permission", "WRITE"}},
		{topic, "out", write, []string{"out: the Kafka user may not see it", "DESCRIBE and WRITE"}},
		{topic, "dead-letters", write, []string{"dead-letters: the Kafka user may not see it", "DESCRIBE and WRITE"}},
		{group, GroupName("", "bankimport", "test"), read, []string{"may not be a member", "READ on the group"}},
		{transactions, TransactionalID("", "bankimport", "test", "i"), write, []string{"may not use the transactional id", "WRITE and DESCRIBE"}},
	}
	as := func(user string) kgo.Opt {
		return kgo.SASL(plain.Auth{User: user, Pass: "secret"}.AsMechanism())
	}
	work := func(t *testing.T, granted []grant) (*cluster, *process) {
		fake := startFake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "secret"), kfake.User("PLAIN", "stage", "secret"))
		c := newClusterAt(t, fake.ListenAddrs(), as("admin"))
		req := kmsg.NewPtrCreateACLsRequest()
		for _, g := range granted {
			acl := kmsg.NewCreateACLsRequestCreation()
			acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = g.kind, c.prefix+g.name, kmsg.ACLResourcePatternTypeLiteral
			acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:stage", "*", g.op, kmsg.ACLPermissionTypeAllow
			req.Creations = append(req.Creations, acl)
		}
		resp, err := req.RequestWith(t.Context(), c.cl)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range resp.Results {
			if r.ErrorCode != 0 {
				t.Fatalf("grant: error %d", r.ErrorCode)
			}
		}
		return c, c.start(handler{handle: count}, func(cfg *Config) {
			cfg.KafkaOpts, cfg.InstanceID = []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...), as("stage")}, "i"
		})
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		c, _ := work(t, grants)
		c.publish("k", "x")
		c.publish("k", "y")
		c.checkCounts(2)
	})
	for i, g := range grants {
		t.Run("without "+g.op.String()+" on "+g.name, func(t *testing.T) {
			t.Parallel()
			_, p := work(t, slices.Delete(slices.Clone(grants), i, i+1))
			p.endsWith(g.says...)
		})
	}
}
