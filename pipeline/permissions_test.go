package pipeline

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// A guardedKafka has an authorizer. Whoever is admin may do everything.
type guardedKafka struct {
	addrs   []string
	admin   []kgo.Opt
	guarded []string // where users log in that may do what they are granted
}

func plainLogin(user, password string) kgo.Opt {
	return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
}

// TestPermissions: a stage works with exactly the permissions that the README
// lists, and without any one of them it ends and names it.
func TestPermissions(t *testing.T) {
	t.Parallel()
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
	kafka := startGuarded(t, "stage", "secret")
	work := func(t *testing.T, granted []grant) (*cluster, *process) {
		c := newClusterAt(t, kafka.addrs, kafka.admin...)
		c.grant("stage", granted)
		return c, c.start(handler{handle: count}, func(cfg *Config) {
			cfg.KafkaOpts, cfg.InstanceID = []kgo.Opt{kgo.SeedBrokers(kafka.guarded...), plainLogin("stage", "secret")}, "i"
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

// A grant is a permission.
type grant struct {
	kind kmsg.ACLResourceType
	name string // without the prefix
	op   kmsg.ACLOperation
	says []string // how it ends without it
}

// grant gives a user these permissions and nothing else.
func (c *cluster) grant(user string, granted []grant) {
	c.t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, g := range granted {
		acl := kmsg.NewCreateACLsRequestCreation()
		acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = g.kind, c.prefix+g.name, kmsg.ACLResourcePatternTypeLiteral
		acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:"+user, "*", g.op, kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, acl)
	}
	resp, err := req.RequestWith(c.t.Context(), c.cl)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range resp.Results {
		if r.ErrorCode != 0 {
			c.t.Fatalf("grant: error %d", r.ErrorCode)
		}
	}
	eventually(c.t, "the broker knows what it has granted", func() bool { return c.granted() == len(granted) })
}

// TestRedrivePermissions: without one that it needs a redrive ends at once and names it.
func TestRedrivePermissions(t *testing.T) {
	t.Parallel()
	topic, transactions := kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeTransactionalId
	grants := []grant{
		{topic, "dead-letters", kmsg.ACLOperationRead, []string{"dead-letters", "grant it READ"}},
		{topic, "dead-letters", kmsg.ACLOperationWrite, []string{"grant it WRITE", "dead-letters"}},
		{topic, "in", kmsg.ACLOperationWrite, []string{"grant it WRITE", "in: the Kafka user may not see"}},
		{transactions, RedriveID("", "bankimport"), kmsg.ACLOperationWrite, []string{"transactional id", "grant it WRITE and DESCRIBE"}},
	}
	kafka := startGuarded(t, "redriver", "secret")
	redrive := func(t *testing.T, granted []grant) error {
		c := newClusterAt(t, kafka.addrs, kafka.admin...)
		stop := c.run(handler{handle: refusing}, func(cfg *Config) { cfg.KafkaOpts = append(cfg.KafkaOpts, kafka.admin...) })
		c.publish("k", "x")
		c.read("dead-letters", 1)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		c.grant("redriver", granted)
		d, err := OpenDeadLetters(t.Context(), DeadLettersConfig{
			KafkaOpts: []kgo.Opt{kgo.SeedBrokers(kafka.guarded...), plainLogin("redriver", "secret")}, TopicPrefix: c.prefix,
		})
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Redrive(t.Context(), func(DeadLetter) bool { return true }, func(l DeadLetter, err error) {
			if err != nil {
				t.Errorf("told: %v", err)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		if err := redrive(t, grants); err != nil {
			t.Error(err)
		}
	})
	for i, g := range grants {
		t.Run("without "+g.op.String()+" on "+g.name, func(t *testing.T) {
			t.Parallel()
			err := redrive(t, slices.Delete(slices.Clone(grants), i, i+1))
			for _, want := range g.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q in it", err, want)
				}
			}
		})
	}
}

// granted is how many permissions the broker knows that are about this cluster's
// prefix.
func (c *cluster) granted() (n int) {
	c.t.Helper()
	all := kadm.NewACLs().AnyResource().Allow().AllowHosts().Operations().ResourcePatternType(kadm.ACLPatternAny)
	results, err := kadm.NewClient(c.cl).DescribeACLs(c.t.Context(), all)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range results {
		for _, acl := range r.Described {
			if strings.HasPrefix(acl.Name, c.prefix) {
				n++
			}
		}
	}
	return n
}
