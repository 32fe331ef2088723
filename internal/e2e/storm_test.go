//go:build realkafka

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/e2e/cluster"
	"github.com/bankimport/bankimport/internal/e2e/markers"
	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/simulator"
)

// Three members of every stage that come, go, are killed and are stopped beyond
// their session, while many calls of the provider take longer than a partition
// that is taken away waits for them.
func TestRebalanceStorm(t *testing.T) {
	b := realkafka.ForTest(t)
	w, s := newStorm(t, cluster.Real(b.Addr()), 3)
	began := time.Now()
	s.run(setting(t, "BANKIMPORT_TEST_STORM_EVENTS", 8), func() {
		m := s.members[s.rng.IntN(len(s.members))]
		switch s.rng.IntN(4) {
		case 0:
			s.note("SIGTERM")
			m.stop()
			pause(w.ctx, s.upTo(2*time.Second))
			m.start()
		case 1:
			s.pauseBeyondSession(m)
		default:
			s.note("SIGKILL")
			m.kill()
			pause(w.ctx, s.upTo(2*time.Second))
			m.start()
		}
		// Whoever goes or comes takes partitions from all the others of its stage.
		s.crashes[m.name] += 3
	})
	s.verdict(began)
}

// The broker is killed, and stopped and started again, while imports run.
func TestBrokerKilled(t *testing.T) {
	b := realkafka.ForTest(t)
	_, s := newStorm(t, cluster.Real(b.Addr()), 1)
	began := time.Now()
	mender, err := markers.Start(s.ctx, s.Logf, b.Addr())
	s.must(err)
	defer mender.Stop()
	s.run(setting(t, "BANKIMPORT_TEST_BROKER_EVENTS", 2), func() {
		if s.rng.IntN(2) == 0 {
			s.note("broker stopped")
			s.must(b.Stop())
		} else {
			s.note("broker killed")
			s.must(b.Kill())
		}
		pause(s.ctx, s.upTo(3*time.Second))
		s.must(b.Restart(s.ctx))
		s.crashed(1)
	})
	s.verdict(began)
	s.Logf("%d markers that the broker had lost were written by the harness", mender.Mended())
}

// Nodes of a cluster of three are killed and started again, one at a time.
func TestClusterNodesKilled(t *testing.T) {
	c := realkafka.ClusterForTest(t)
	_, s := newStorm(t, cluster.Real(c.Brokers()...), 1)
	began := time.Now()
	s.run(setting(t, "BANKIMPORT_TEST_NODE_EVENTS", 2), func() {
		i := s.rng.IntN(3)
		s.note(fmt.Sprintf("node %d killed", i+1))
		s.must(c.Node(i).Kill())
		pause(s.ctx, s.upTo(8*time.Second)) // beyond the node's session, or not
		s.must(c.Node(i).Restart(s.ctx))
		s.crashed(1)
	})
	s.verdict(began)
}

// storm is imports that run while something happens to what they run on.
type storm struct {
	*world
	rng     *rand.Rand
	plan    plan
	members []*member
	bridge  *member
	users   func()

	events  map[string]int // by what happened
	crashes map[string]int // by stage
}

const (
	stormSession     = 4 * time.Second
	stormTransaction = 3 * time.Second
	stormDrain       = 500 * time.Millisecond
)

// newStorm starts so many members of every stage, and one bridge. Of those of a
// stage the last one has no instance id.
func newStorm(t *testing.T, c *cluster.Cluster, members int) (*world, *storm) {
	t.Helper()
	rng := seeded(t)
	p := newPlan(rng, setting(t, "BANKIMPORT_TEST_STORM_IMPORTS", 60))
	slow := upTo(rand.New(rand.NewPCG(rng.Uint64(), 0)), 20*stormDrain)
	w := newWorldOn(t, c, 6*time.Minute+time.Duration(len(p.imports))*time.Second, pace{
		formLife: 5 * time.Minute, callbacks: simulator.DeliverCallbacks,
		delay: func() time.Duration {
			if d := slow(); d < 2*stormDrain { // one in ten
				return d
			}
			return 0
		},
	}, p.banks)
	w.expireUnopened(p.imports, 30*time.Second)
	s := &storm{world: w, rng: rng, plan: p, events: make(map[string]int), crashes: make(map[string]int)}
	binary := build(t, "")
	for i := range members {
		instance := string('a' + rune(i))
		if i > 0 && i == members-1 {
			instance = ""
		}
		for _, name := range stageNames() {
			m := newMember(t, binary, name, w.settings(map[string]string{
				"INSTANCE_ID": instance, "SESSION_TIMEOUT": stormSession.String(),
				"TRANSACTION_TIMEOUT": stormTransaction.String(), "DRAIN_TIMEOUT": stormDrain.String(),
			}))
			m.start()
			s.members = append(s.members, m)
		}
	}
	s.bridge = newMember(t, binary, "bridge", w.settings(nil))
	s.bridge.start()
	s.users = w.startUsers(p.imports, upTo(rand.New(rand.NewPCG(rng.Uint64(), 0)), 5*time.Second))
	return w, s
}

// run asks for the imports, a share between any two events, and returns when all
// have ended.
func (s *storm) run(events int, event func()) {
	s.Helper()
	for _, m := range append(s.members, s.bridge) {
		m.awaitReady(s.ctx)
	}
	requests := s.requests(s.plan.imports)
	for i := range events {
		s.publishAnyhow(requests[len(requests)*i/events : len(requests)*(i+1)/events])
		if !pause(s.ctx, s.upTo(2*time.Second)) {
			s.Fatal("no time is left")
		}
		event()
	}
	calm := s.watch()
	s.awaitEnds(s.plan.ids()...)
	s.users()
	s.awaitConsumed()
	calm()
}

// watch fails the test as soon as a process ends by itself, until the function
// that it returns is called.
func (s *storm) watch() (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var watching sync.WaitGroup
	for _, m := range append(s.members, s.bridge) {
		watching.Go(func() {
			select {
			case <-m.process.Done():
				s.broken(fmt.Errorf("%s ended by itself: %w\n%s", m.name, m.process.Wait(), m.logTail()))
			case <-ctx.Done():
			}
		})
	}
	return func() {
		cancel()
		watching.Wait()
	}
}

// publishAnyhow publishes also while brokers are away. What it writes may be there
// twice, as with any upstream.
func (s *storm) publishAnyhow(messages []kafka.Message) {
	s.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(s.cluster.Brokers...), Topic: prefix + "import-requested",
		Balancer: kafka.Murmur2Balancer{Consistent: true}, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
	}
	defer w.Close()
	for {
		ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
		err := w.WriteMessages(ctx, messages...)
		cancel()
		if err == nil {
			return
		}
		if !pause(s.ctx, 500*time.Millisecond) {
			s.Fatalf("publish %d requests: %v", len(messages), err)
		}
	}
}

// pauseBeyondSession stops a member until the others have its partitions.
func (s *storm) pauseBeyondSession(m *member) {
	s.Helper()
	s.note("SIGSTOP")
	s.must(m.process.Signal(syscall.SIGSTOP))
	pause(s.ctx, stormSession+stormTransaction)
	s.must(m.process.Signal(syscall.SIGCONT))
}

func (s *storm) note(event string) { s.events[event]++ }

// crashed counts a loss of what is in flight in all members.
func (s *storm) crashed(n int) {
	for _, m := range s.members {
		s.crashes[m.name] += n
	}
}

func (s *storm) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *storm) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }

// verdict stops everything and judges.
func (s *storm) verdict(began time.Time) {
	s.Helper()
	took := time.Since(began)
	for _, m := range append(s.members, s.bridge) {
		m.awaitReady(s.ctx)
		m.stop()
	}
	s.crashed(3) // the members joined one after the other
	figures := s.verdictOfChaos(s.plan, s.crashes)
	if figures.Completed < len(s.plan.imports)/2 {
		s.Errorf("only %d imports completed: too little is proved", figures.Completed)
	}
	s.Logf("%d processes, %s: %v; %v", len(s.members)+1, strings.TrimSpace(counted(s.events)), figures, took.Round(10*time.Millisecond))
}
