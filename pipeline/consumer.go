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

// maxPoll bounds one poll, and so what a partition that can take no more may
// park.
const maxPoll = 500

func (s *session) consumerOptions() []kgo.Opt {
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
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.OnOffsetsFetched(s.assigned),
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
	for ctx.Err() == nil {
		room := s.tracker.room()
		if room == 0 || s.hold.on() { // a pause of the client would throw away what it has fetched
			select {
			case <-s.room:
			case <-ctx.Done():
			}
			continue
		}
		fs := s.consumer.PollRecords(ctx, min(room, maxPoll))
		err := s.take(fs)
		s.consumer.AllowRebalance()
		if err != nil {
			s.fail(err)
			return
		}
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
	var ins []*input
	fs.EachRecord(func(r *kgo.Record) { ins = append(ins, inputOf(r, s.stage.Input)) })
	if len(ins) > 0 {
		start, pause := s.tracker.admit(ins, time.Now())
		s.pause(pause)
		s.start(start)
	}
	return first
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
				next.Reset(again.Sub(now))
			}
		}
		select {
		case <-next.C:
		case <-s.timers:
		case <-sweep.C:
			s.tracker.forgetIdle(time.Now().Add(-s.cfg.StateRetention))
		case <-ctx.Done():
		}
	}
}

// assigned is called with the committed offsets of partitions that are new
// here, before their first fetch. It must not block: it would hold up the group.
func (s *session) assigned(ctx context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	<-s.built
	for _, g := range resp.Groups {
		if g.Group != s.group {
			continue
		}
		for _, t := range g.Topics {
			if t.Topic != s.topic && t.TopicID != s.topicID {
				continue
			}
			parts := make([]*partition, 0, len(t.Partitions))
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					continue // the client asks again or reports it in a poll
				}
				part, err := s.assign(ctx, p)
				if err != nil {
					s.fail(err)
					return err
				}
				parts = append(parts, part)
			}
			if len(parts) > 0 {
				s.work.Go(func() { s.restore(parts) })
			}
		}
	}
	return nil
}

func (s *session) assign(ctx context.Context, p kmsg.OffsetFetchResponseGroupTopicPartition) (*partition, error) {
	done := completion{base: p.Offset, end: p.Offset}
	if p.Offset < 0 {
		start, err := s.logStart(ctx, p.Partition)
		if err != nil {
			return nil, err
		}
		done = completion{base: start, end: start}
	} else if p.Metadata != nil && *p.Metadata != "" {
		m, err := decodeMetadata(*p.Metadata)
		switch {
		case errors.Is(err, errForeignMetadata): // an offset that a person or a tool set: no map
		case err != nil:
			return nil, fatalf("topic %s, partition %d: the committed offset cannot be used: %w; run the release that wrote it, or set the offset by hand", s.topic, p.Partition, err)
		case m.topicID != s.topicID:
			return nil, fatalf("topic %s was deleted and created again: the committed offsets of group %s belong to the old one. Delete the group and the topic %s if the new topic is to be read from its start", s.topic, s.group, s.state)
		case m.done.base != p.Offset:
			return nil, fatalf("topic %s, partition %d: the completion map belongs to offset %d, but %d is committed: set the offset by hand once more with a tool that clears its metadata", s.topic, p.Partition, m.done.base, p.Offset)
		default:
			done = m.done
		}
	}
	s.pause([]int32{p.Partition}) // until its state is there
	return s.tracker.assign(s.ctx, p.Partition, done), nil
}

func (s *session) logStart(ctx context.Context, id int32) (int64, error) {
	l, err := kadm.NewClient(s.admin).ListStartOffsets(ctx, s.topic)
	if err != nil {
		return 0, fmt.Errorf("topic %s, partition %d: ask for the log start: %w", s.topic, id, err)
	}
	o, ok := l.Lookup(s.topic, id)
	if !ok || o.Err != nil {
		return 0, fmt.Errorf("topic %s, partition %d: ask for the log start: %w", s.topic, id, o.Err)
	}
	return o.Offset, nil
}

// revoked is called while this member still may commit: it waits for what runs.
func (s *session) revoked(ids []int32) {
	if len(ids) == 0 {
		return
	}
	s.drain(ids)
	s.tracker.forget(ids)
	s.unblock()
}

// lost is called when others may own the partitions already.
func (s *session) lost(ids []int32) {
	if len(ids) == 0 {
		return
	}
	s.tracker.forget(ids)
	s.unblock()
}

// unblock lets the loops look again after the tracker has changed.
func (s *session) unblock() {
	signal(s.room)
	signal(s.timers)
}
