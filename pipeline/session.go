package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A session is one life of a stage's Kafka clients: from joining the group to
// leaving it, or to an error that only a fresh start can mend.
type session struct {
	stage    Stage
	cfg      Config
	instance string
	log      *slog.Logger
	fencedBy func(error) error
	opened   *atomic.Bool // by this process: the state of all partitions that it held at once

	topic   string // input, as the cluster knows it
	topicID [16]byte
	group   string
	state   string            // state topic
	outputs map[string]string // logical topic → topic

	tracker  *tracker
	hold     hold
	fetching sync.Mutex             // guards the tracker's view of what is fetched; see flow
	member   atomic.Pointer[string] // id in the group, once partitions were assigned
	owned    struct {
		mu    sync.Mutex
		known bool           // the group has assigned something, if only nothing
		ids   map[int32]bool // partitions that are ours by the group's word
	}
	admin    *kgo.Client   // no group: requests and restores
	consumer *kgo.Client   // member of the group
	built    chan struct{} // closed when consumer is set: its callbacks may come before

	ctx    context.Context // ends with the session; handlers and requests hang on it
	cancel context.CancelCauseFunc

	finished chan struct{} // signals, capacity 1: something to commit
	urgent   chan struct{} // signals, capacity 1: much waits for the commit
	timers   chan struct{} // the earliest timer may have changed
	room     chan struct{} // records may be polled again

	pool pool
	work sync.WaitGroup // workers and restores
}

func (r *Runner) runSession(ctx context.Context) error {
	// Cancelled by hand, after the drain: stopping must not cut off commits.
	sctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	s := &session{
		stage: r.stage, cfg: r.cfg, instance: r.instance, log: r.log, fencedBy: r.fencedBy, opened: &r.opened,
		topic: r.cfg.TopicPrefix + r.stage.Input,
		group: GroupName(r.cfg.TopicPrefix, r.cfg.Group, r.stage.Name),
		state: StateTopic(r.cfg.TopicPrefix, r.cfg.Group, r.stage.Name),
		outputs: map[string]string{
			r.cfg.DeadLetterTopic: r.cfg.TopicPrefix + r.cfg.DeadLetterTopic,
		},
		tracker: newTracker(limits{
			records: r.cfg.MaxInFlight, timers: r.cfg.MaxInFlight, bytes: r.cfg.MaxInFlightBytes, kept: r.cfg.MaxResultBytes, ahead: maxAhead,
			parked:  max(maxPoll, r.cfg.MaxInFlight/4),
			waiting: 2 * maxBatchJobs, // one batch is on its way while the next one gathers
		}),
		ctx:      sctx,
		cancel:   cancel,
		built:    make(chan struct{}),
		finished: make(chan struct{}, 1), urgent: make(chan struct{}, 1), timers: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	s.hold.changed = s.held
	s.pool.run, s.pool.work, s.pool.ctx, s.pool.wake = s.run, &s.work, sctx, make(chan struct{}, maxIdle)
	s.owned.ids = map[int32]bool{}
	for _, o := range r.stage.Outputs {
		s.outputs[o] = r.cfg.TopicPrefix + o
	}
	stopStart := context.AfterFunc(ctx, func() { cancel(ctx.Err()) }) // nothing to drain until the consumer exists
	defer stopStart()

	admin, err := kgo.NewClient(s.options(kgo.WithContext(sctx), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return fatalf("kafka client: %w", err)
	}
	defer admin.Close()
	s.admin = admin
	if err := s.check(sctx); err != nil {
		return err
	}
	if err := r.sameTopic(s.topicID); err != nil {
		return err
	}
	c := &committer{session: s}
	defer c.close() // also a producer that could not be initialised
	// Before the consumer exists: this ends what a killed predecessor left
	// open, and without it the first offset fetch would wait for that.
	if err := c.freshProducer(sctx); err != nil {
		return s.fencedBy(s.explained(fmt.Errorf("transactional id %s: %w", s.transactionalID(), err)))
	}
	if !stopStart() {
		return ctx.Err()
	}
	cctx, cutConsumer := context.WithCancel(context.Background())
	defer cutConsumer()
	s.consumer, err = kgo.NewClient(s.consumerOptions(cctx)...)
	if err != nil {
		return fatalf("kafka client: %w", err)
	}
	close(s.built)
	r.current.Store(s)
	defer r.current.CompareAndSwap(s, nil)

	var loops sync.WaitGroup
	pollCtx, stopPoll := context.WithCancel(sctx)
	defer stopPoll()
	loops.Go(func() { s.pollLoop(pollCtx) })
	loops.Go(func() { s.timerLoop(pollCtx) })
	loops.Go(func() { c.loop(sctx) })

	select {
	case <-ctx.Done():
		stopPoll()
		s.drain(nil)
		cancel(context.Canceled)
	case <-sctx.Done():
	}
	s.tracker.forget(nil)
	loops.Wait()
	// Leaving the group waits for a rebalance, and for brokers that may be
	// gone: the session times out without it just as well.
	cut := time.AfterFunc(leaveTimeout, cutConsumer)
	s.consumer.CloseAllowingRebalance()
	cut.Stop()
	s.tracker.forget(nil) // what was assigned meanwhile
	s.awaitWork()
	if err := context.Cause(sctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// awaitWork waits for handlers, whose context has ended, and for restores. What a
// handler returns that comes later is of no use to anybody.
func (s *session) awaitWork() {
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(lateWork):
		s.log.Error("handlers go on although their context has ended, and are left behind: they must return then", "after", lateWork)
	}
}

// fail ends the session with an error.
func (s *session) fail(err error) { s.cancel(s.fencedBy(s.explained(err))) }

// maxAhead is how many results of one key may wait for their commit while the
// next trigger runs on what they want. A key that is hot with quick handlers does
// so many in a commit; what they may take in memory is bounded beside it.
const maxAhead = 250

// lateWork is how long handlers may still take when everything else has ended.
const lateWork = time.Second

// leaveTimeout bounds how long leaving the group may take.
const leaveTimeout = 3 * time.Second

// ready says that the group has assigned partitions, if only none, and that the
// state of all of them is there. A session that has ended is not: while it leaves
// the group it still has an id there, and no partitions.
func (s *session) ready() bool {
	if s.ctx.Err() != nil {
		return false
	}
	member, _ := s.consumer.GroupMetadata()
	s.owned.mu.Lock()
	known, owned := s.owned.known, len(s.owned.ids)
	s.owned.mu.Unlock()
	st := s.tracker.stats()
	return member != "" && known && st.partitions == owned && st.restoring == 0
}

// held is told when the stage is held and when it goes on.
func (s *session) held(held bool) {
	s.flow(func() (start []*job, pause, resume []int32) {
		start, resume = s.tracker.hold(s.hold.on)
		return start, nil, resume
	})
	if held {
		s.log.Warn("the world outside is unavailable: nothing new is admitted until a probe gets through")
		return
	}
	s.log.Info("a probe got through: going on")
	s.unblock()
}

// signal wakes the owner of a channel of capacity 1.
func signal(ch chan struct{}) {
	if len(ch) > 0 {
		return // as good as always: much cheaper than trying
	}
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (s *session) transactionalID() string {
	return TransactionalID(s.cfg.TopicPrefix, s.cfg.Group, s.stage.Name, s.instance)
}

// options are those of every client: the user's, and those which keep retries
// short. With the default metadata age a retriable produce error parks its
// partition for seconds.
func (s *session) options(opts ...kgo.Opt) []kgo.Opt {
	own := []kgo.Opt{
		kgo.ClientID("bankimport-" + s.stage.Name),
		kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.ConcurrentTransactionsBackoff(concurrentBackoff),
		kgo.RetryBackoffFn(retryBackoff),
		kgo.AlwaysRetryEOF(),
	}
	return append(append(own, s.cfg.KafkaOpts...), opts...)
}

// hooks are those of the consumer or the producer.
func (s *session) hooks(client string) kgo.Opt {
	if s.cfg.Hooks == nil {
		return kgo.WithHooks()
	}
	return kgo.WithHooks(s.cfg.Hooks(s.stage.Name, client)...)
}

func retryBackoff(try int) time.Duration {
	return min(5*time.Millisecond<<min(try, 10), 500*time.Millisecond)
}

// drain lets the partitions (nil: all) come to rest: nothing new starts, what
// runs may finish and be committed. It gives up after the drain timeout; at two
// thirds of it, handlers are told to stop.
func (s *session) drain(ids []int32) {
	if s.tracker.drain(ids) == 0 {
		return
	}
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	cut := time.NewTimer(s.cfg.DrainTimeout * 2 / 3)
	defer cut.Stop()
	end := time.NewTimer(s.cfg.DrainTimeout)
	defer end.Stop()
	for {
		select {
		case <-poll.C:
			if s.tracker.drain(ids) == 0 {
				return
			}
		case <-cut.C:
			s.tracker.interrupt(ids)
		case <-end.C:
			s.log.Warn("work in flight did not end in time and will be repeated", "timeout", s.cfg.DrainTimeout)
			return
		case <-s.ctx.Done():
			return
		}
	}
}
