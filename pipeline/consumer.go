package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	maxPoll = 500 // records of one poll
	// pollDistance is how long after a poll that found little the next one begins,
	// at least. The client sends the next fetch when it has given away the last
	// one; without a distance every single record is a fetch of its own, which
	// costs the broker more than the record does.
	pollDistance = 2500 * time.Microsecond
)

func (s *session) consumerOptions(ctx context.Context) []kgo.Opt {
	opts := s.options(
		s.hooks("consumer"),
		kgo.ConsumerGroup(s.group),
		kgo.ConsumeTopics(s.topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		// A new group begins at the start. An offset that is out of range is
		// an error and never a reset: under a completion map a reset is loss
		// or duplication.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.SessionTimeout(s.cfg.SessionTimeout),
		kgo.RebalanceTimeout(s.cfg.SessionTimeout+s.cfg.DrainTimeout),
		kgo.HeartbeatInterval(s.cfg.SessionTimeout/6),
		kgo.FetchMaxBytes(8<<20),
		kgo.FetchMaxPartitionBytes(256<<10), // compressed; what is fetched ahead takes memory, and a pause throws it away
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.WithPools(new(buffers)),
		kgo.KeepControlRecords(), // they count as finished: else the committed offset never reaches the end
		kgo.WithContext(ctx),
		kgo.OnOffsetsFetched(s.assigned),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { s.owns(parts[s.topic], true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { s.revoked(parts[s.topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { s.lost(parts[s.topic]) }),
	)
	if s.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(s.cfg.InstanceID))
	}
	return opts
}

// pollLoop takes records in as long as there is room. Polling and admitting
// are atomic against rebalances and never wait for a handler.
func (s *session) pollLoop(ctx context.Context) {
	var last time.Time // when a poll brought something
	for ctx.Err() == nil {
		room := s.tracker.room()
		if room == 0 || s.hold.on() { // a pause of the client would throw away what it has fetched
			select {
			case <-s.room:
			case <-ctx.Done():
			}
			continue
		}
		most := min(room, maxPoll)
		fs := s.consumer.PollRecords(ctx, most)
		found := time.Now()
		err := s.take(fs)
		s.consumer.AllowRebalance()
		if err != nil {
			s.fail(err)
			return
		}
		if rest := pollDistance - found.Sub(last); rest > 0 && fs.NumRecords() < most {
			sleep(ctx, rest)
		}
		last = found
	}
}

// take admits what a poll brought. Records that came beside an error are kept,
// unless the error says that records are lost.
func (s *session) take(fs kgo.Fetches) error {
	var first error
	fs.EachError(func(topic string, partition int32, err error) {
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		case errors.As(err, &loss), errors.Is(err, kerr.OffsetOutOfRange):
			first = fatalf("topic %s, partition %d: records that were not handled yet are gone from the topic (%w). Retention passed the stage, or the log was truncated. "+
				"Find out what is lost, then set the offset of group %s by hand (kafka-consumer-groups.sh --reset-offsets)", topic, partition, err, s.group)
		case first == nil:
			first = fmt.Errorf("topic %s, partition %d: %w", topic, partition, err)
		}
	})
	if isFatal(first) {
		return first
	}
	ins := make([]*input, 0, fs.NumRecords())
	fs.EachRecord(func(r *kgo.Record) {
		ins = append(ins, inputOf(r, s.stage.Input))
		r.Recycle()
	})
	if len(ins) > 0 {
		s.flow(func() (start []*job, pause, resume []int32) {
			start, pause = s.tracker.admit(ins)
			return start, pause, nil
		})
	}
	return first
}

// flow changes the tracker together with which partitions are fetched: a pause
// and a resume that overtake each other would stop a partition for ever.
func (s *session) flow(change func() (start []*job, pause, resume []int32)) {
	s.fetching.Lock()
	start, pause, resume := change()
	s.pause(pause)
	s.resume(resume)
	s.fetching.Unlock()
	s.start(start)
}

func (s *session) pause(ids []int32) {
	if len(ids) > 0 {
		s.consumer.PauseFetchPartitions(map[string][]int32{s.topic: ids})
	}
}

func (s *session) resume(ids []int32) {
	if len(ids) > 0 {
		s.consumer.ResumeFetchPartitions(map[string][]int32{s.topic: ids})
	}
}

// timerLoop fires timers.
func (s *session) timerLoop(ctx context.Context) {
	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	for ctx.Err() == nil {
		next.Stop()
		if !s.hold.on() {
			now := time.Now()
			start, again := s.tracker.due(now)
			s.start(start)
			if !again.IsZero() {
				next.Reset(min(again.Sub(now), time.Minute)) // the clock may be set, or the machine have slept
			}
		}
		select {
		case <-next.C:
		case <-s.timers:
		case <-sweep.C:
			s.tracker.forgetIdle(time.Now().Add(-s.cfg.StateRetention))
			s.warnOfState(s.tracker.stats().stateBytes)
		case <-ctx.Done():
		}
	}
}

// errLostMembership: the group has thrown this member out and taken it back as
// another one. The client does not say so by itself, and its new generation
// would let results of partitions through that others have worked on since.
var errLostMembership = errors.New("the membership of the group was lost")

// stillMember reports whether the group knows this session by the id that it
// had from the beginning.
func (s *session) stillMember(id string) bool {
	first := s.member.Load()
	return first == nil || *first == id
}

// owns notes which partitions the group has given to this member.
func (s *session) owns(ids []int32, yes bool) {
	s.owned.mu.Lock()
	defer s.owned.mu.Unlock()
	s.owned.known = true
	for _, id := range ids {
		if yes {
			s.owned.ids[id] = true
		} else {
			delete(s.owned.ids, id)
		}
	}
}

// assigned is called with the committed offsets of partitions that are new
// here, before their first fetch. It must not block: it would hold up the group.
func (s *session) assigned(ctx context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	<-s.built
	step("assign")
	id, _ := s.consumer.GroupMetadata()
	if !s.member.CompareAndSwap(nil, &id) && !s.stillMember(id) {
		s.fail(errLostMembership)
		return errLostMembership
	}
	for _, g := range resp.Groups {
		if g.Group != s.group {
			continue
		}
		for _, t := range g.Topics {
			if t.Topic != s.topic && t.TopicID != s.topicID {
				continue
			}
			parts, err := s.assign(ctx, t.Partitions)
			if ctx.Err() != nil {
				return ctx.Err() // the group has moved on, and will call again
			}
			if err != nil {
				s.fail(err)
				return err
			}
			if len(parts) > 0 {
				s.work.Go(func() { s.restore(parts) })
			}
		}
	}
	return nil
}

func (s *session) assign(ctx context.Context, fetched []kmsg.OffsetFetchResponseGroupTopicPartition) ([]*partition, error) {
	done := map[int32]completion{}
	var starts map[int32]int64
	for _, p := range fetched {
		if p.ErrorCode != 0 {
			continue // the client asks again or reports it in a poll
		}
		c, err := s.completionOf(p)
		if err != nil {
			return nil, err
		}
		if p.Offset < 0 {
			if starts == nil {
				if starts, err = s.logStarts(ctx); err != nil {
					return nil, err
				}
			}
			at, ok := starts[p.Partition]
			if !ok {
				return nil, fmt.Errorf("topic %s, partition %d: no answer about where its log starts", s.topic, p.Partition)
			}
			c = completion{base: at, end: at}
		}
		done[p.Partition] = c
	}
	var parts []*partition
	s.flow(func() (start []*job, pause, resume []int32) {
		for id, c := range done {
			parts = append(parts, s.tracker.assign(s.ctx, id, c))
			pause = append(pause, id) // until its state is there
		}
		return nil, pause, nil
	})
	return parts, nil
}

// completionOf reads what is finished from a committed offset and its metadata.
func (s *session) completionOf(p kmsg.OffsetFetchResponseGroupTopicPartition) (completion, error) {
	none := completion{base: p.Offset, end: p.Offset}
	if p.Offset < 0 || p.Metadata == nil || *p.Metadata == "" {
		return none, nil
	}
	m, err := decodeMetadata(*p.Metadata)
	switch {
	case weakened("map"):
		return none, nil
	case errors.Is(err, errForeignMetadata): // an offset that a person or a tool set: no map
		return none, nil
	case err != nil:
		return none, fatalf("topic %s, partition %d: the committed offset cannot be used: %w; run the release that wrote it, or set the offset by hand", s.topic, p.Partition, err)
	case m.topicID != s.topicID:
		return none, fatalf("topic %s was deleted and created again: the committed offsets of group %s belong to the old one. Delete the group and the topic %s if the new topic is to be read from its start", s.topic, s.group, s.state)
	case m.done.base != p.Offset:
		return none, fatalf("topic %s, partition %d: the completion map belongs to offset %d, but %d is committed: set the offset by hand once more with a tool that clears its metadata", s.topic, p.Partition, m.done.base, p.Offset)
	default:
		return m.done, nil
	}
}

func (s *session) logStarts(ctx context.Context) (map[int32]int64, error) {
	l, err := kadm.NewClient(s.admin).ListStartOffsets(ctx, s.topic)
	if err != nil {
		return nil, fmt.Errorf("topic %s: ask where its logs start: %w", s.topic, err)
	}
	starts := map[int32]int64{}
	for id, o := range l[s.topic] {
		if o.Err != nil {
			return nil, fmt.Errorf("topic %s, partition %d: ask where its log starts: %w", s.topic, id, o.Err)
		}
		starts[id] = o.Offset
	}
	return starts, nil
}

// revoked is called while this member still may commit: it waits for what runs.
func (s *session) revoked(ids []int32) {
	if len(ids) == 0 {
		return
	}
	step("revoke")
	s.drain(ids)
	step("drained")
	s.gone(ids)
}

// lost is called when others may own the partitions already.
func (s *session) lost(ids []int32) {
	if len(ids) == 0 {
		return
	}
	s.gone(ids)
}

func (s *session) gone(ids []int32) {
	s.owns(ids, false)
	s.flow(func() (start []*job, pause, resume []int32) {
		start, resume = s.tracker.forget(ids)
		return start, nil, resume
	})
	s.unblock()
}

// unblock lets the loops look again after the tracker has changed.
func (s *session) unblock() {
	signal(s.room)
	signal(s.timers)
}
