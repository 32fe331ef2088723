package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// restore reads the state of newly assigned partitions and opens them. It runs
// to the end that the state topic has now, counting what is not committed yet:
// the previous owner's last transaction may have been accepted while its
// markers are still on their way, and stopping at the last stable offset would
// miss it.
func (s *session) restore(parts []*partition) {
	todo := map[int32]*partition{}
	for _, p := range parts {
		todo[p.id] = p
	}
	step("restore")
	ends, err := s.stateBounds(parts)
	if err != nil {
		return // the session ends
	}
	found := map[int32]*restored{}
	consume := map[int32]kgo.Offset{}
	for id, p := range todo {
		b := ends[id]
		if b.start >= b.end {
			s.open(p, newRestored())
			delete(todo, id)
			continue
		}
		found[id] = newRestored()
		consume[id] = kgo.NewOffset().At(b.start)
	}
	if len(todo) == 0 {
		return
	}
	cl, err := kgo.NewClient(s.options(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.state: consume}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the log usually ends in a marker
		kgo.FetchMaxWait(100*time.Millisecond),
	)...)
	if err != nil {
		s.fail(fatalf("kafka client: %w", err))
		return
	}
	defer cl.Close()
	oldest := time.Now().Add(-s.cfg.StateRetention)
	for len(todo) > 0 {
		ctx, cancel := context.WithTimeout(s.ctx, time.Second) // to see which partitions were taken away
		fs := cl.PollFetches(ctx)
		cancel()
		if s.ctx.Err() != nil {
			return
		}
		if err := fs.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.fail(fmt.Errorf("restore state from %s: %w", s.state, err))
			return
		}
		step("restoring")
		for _, r := range fs.Records() {
			p := todo[r.Partition]
			if p == nil {
				continue
			}
			if !r.Attrs.IsControl() {
				if err := s.restoreKey(found[p.id], r, oldest); err != nil {
					s.fail(fatalf("topic %s, partition %d, offset %d: %w", s.state, r.Partition, r.Offset, err))
					return
				}
			}
			if r.Offset+1 >= ends[p.id].end {
				s.open(p, found[p.id])
				delete(todo, p.id)
			}
		}
		var size int64
		for id, p := range todo { // one that was taken away may never be read to its end
			if p.ctx.Err() != nil {
				delete(todo, id)
				continue
			}
			size += found[id].size
		}
		if err := s.stateFits(size); err != nil { // before it takes more memory than there is
			s.fail(err)
			return
		}
	}
}

// restored is what has been read of a partition's state.
type restored struct {
	keys map[string]*keyState
	size int64
}

func newRestored() *restored { return &restored{keys: map[string]*keyState{}} }

// set replaces the state of a key; nil forgets it.
func (r *restored) set(key string, st *keyState) {
	if old := r.keys[key]; old != nil {
		r.size -= old.size(key)
	}
	if st == nil {
		delete(r.keys, key)
		return
	}
	r.keys[key] = st
	r.size += st.size(key)
}

func (s *session) restoreKey(found *restored, r *kgo.Record, oldest time.Time) error {
	if r.Value == nil {
		found.set(string(r.Key), nil)
		return nil
	}
	st, err := decodeState(r.Value, s.topicID)
	if errors.Is(err, errOtherTopic) {
		return fmt.Errorf("topic %s was deleted and created again, and this state belongs to the old one. Delete and create %s too if what the old topic led to is to be forgotten: %w", s.topic, s.state, err)
	}
	if err != nil {
		return err
	}
	if st.wake.IsZero() && st.changed.Before(oldest) {
		found.set(string(r.Key), nil)
		return nil
	}
	found.set(string(r.Key), &st)
	return nil
}

// open lets a partition's records in.
func (s *session) open(p *partition, found *restored) {
	if err := s.stateFits(found.size); err != nil {
		s.fail(err)
		return
	}
	s.flow(func() (start []*job, pause, resume []int32) {
		start, resume = s.tracker.restored(p, found.keys)
		return start, nil, resume
	})
	step("restored")
	signal(s.timers)
	if st := s.tracker.stats(); st.partitions > 0 && st.restoring == 0 {
		s.opened.Store(true)
		s.warnOfState(st.stateBytes)
	}
}

// warnOfState tells about state that takes more than is allowed.
func (s *session) warnOfState(n int64) {
	if n > s.cfg.MaxStateBytes {
		s.log.Warn("the state takes more than is allowed, so this process would not start again: allow more (BANKIMPORT_MAX_STATE_BYTES; in Go, Config.MaxStateBytes), or run more processes of the stage", "bytes", n, "allowed", s.cfg.MaxStateBytes)
	}
}

// stateFits refuses state that does not fit with so many bytes more, but only at the
// start of the process. Later it may be what another one held that has ended: if each
// that takes it over ended too, none would be left.
func (s *session) stateFits(more int64) error {
	n := s.tracker.stats().stateBytes + more
	if n <= s.cfg.MaxStateBytes || s.opened.Load() {
		return nil
	}
	return fatalf("the state of the partitions held here takes about %d bytes or more, and %d are allowed: allow more (BANKIMPORT_MAX_STATE_BYTES; in Go, Config.MaxStateBytes), or run more processes of the stage", n, s.cfg.MaxStateBytes)
}

type bounds struct{ start, end int64 }

// errNoStatePartition: the input has got more partitions than the state topic.
var errNoStatePartition = errors.New("there is no partition")

// stateBounds asks where the state partitions begin and end, until there is an
// answer.
func (s *session) stateBounds(parts []*partition) (map[int32]bounds, error) {
	adm := kadm.NewClient(s.admin)
	for try := 0; ; try++ {
		out, err := func() (map[int32]bounds, error) {
			starts, err := adm.ListStartOffsets(s.ctx, s.state)
			if err != nil {
				return nil, err
			}
			ends, err := adm.ListEndOffsets(s.ctx, s.state)
			if weakened("restore") {
				ends, err = adm.ListCommittedOffsets(s.ctx, s.state)
			}
			if err != nil {
				return nil, err
			}
			out := map[int32]bounds{}
			for _, p := range parts {
				a, ok1 := starts.Lookup(s.state, p.id)
				b, ok2 := ends.Lookup(s.state, p.id)
				if !ok1 || !ok2 {
					return nil, fmt.Errorf("%w %d", errNoStatePartition, p.id)
				}
				if a.Err != nil {
					return nil, a.Err
				}
				if b.Err != nil {
					return nil, b.Err
				}
				out[p.id] = bounds{a.Offset, b.Offset}
			}
			return out, nil
		}()
		if err == nil {
			return out, nil
		}
		if errors.Is(err, errNoStatePartition) {
			s.fail(fmt.Errorf("topic %s: %w", s.state, err)) // the checks at the start say what is wrong
			return nil, err
		}
		s.log.Warn("state topic does not answer, asking again", "topic", s.state, "err", err)
		if !sleep(s.ctx, retryBackoff(try)) {
			return nil, context.Cause(s.ctx)
		}
	}
}

// sleep waits and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
