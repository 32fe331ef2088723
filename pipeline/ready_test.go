package pipeline

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestReady: a process is ready when the group has had its say and the state of
// what it got is there; also one that got nothing.
func TestReady(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r, err := NewRunner(testStage(handler{handle: count}), Config{KafkaOpts: c.opts, TopicPrefix: c.prefix})
	if err != nil {
		t.Fatal(err)
	}
	if r.Ready() {
		t.Error("ready before it runs")
	}
	var all []*process
	for range testPartitions + 1 {
		p := c.start(handler{handle: count}, shortSessions)
		p.ready()
		all = append(all, p)
	}
	eventually(t, "all are ready, each with one partition at most", func() bool {
		parts, most := 0, 0
		for _, p := range all {
			n := p.stats().partitions
			parts, most = parts+n, max(most, n)
			if !p.Ready() {
				return false
			}
		}
		return parts == testPartitions && most == 1
	})
	if err := all[0].stop(); err != nil {
		t.Error(err)
	}
	if all[0].Ready() {
		t.Error("ready after it has ended")
	}
}

// TestNotReadyBeforeTheGroupHasSpoken: a member that has not been told its
// partitions holds nothing and restores nothing, but that does not make it ready.
func TestNotReadyBeforeTheGroupHasSpoken(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	faulty := newFaultyNet()
	faulty.freeze(func(k kmsg.Key) bool { return k == kmsg.SyncGroup })
	p := c.start(handler{handle: count}, c.over(faulty))
	eventually(t, "it is a member", func() bool {
		s := p.current.Load()
		if s == nil {
			return false
		}
		member, generation := s.consumer.GroupMetadata()
		return member != "" && generation >= 0
	})
	if p.Ready() {
		t.Error("ready without a word about partitions")
	}
	faulty.freeze(nil)
	p.ready()
	if n := p.stats().partitions; n != testPartitions {
		t.Errorf("ready with %d partitions", n)
	}
}
