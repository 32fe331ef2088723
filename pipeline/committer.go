package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	maxBatchJobs  = 20_000
	maxBatchBytes = 16 << 20
	maxApply      = 500 // results of one partition that become the truth at once
	maxCommitGap  = 100 * time.Millisecond
	idleCommit    = time.Second // how often offsets alone are committed, where nothing else is
	// concurrentBackoff is how long to wait while the markers of the last
	// transaction are still being written: some milliseconds.
	concurrentBackoff = 2 * time.Millisecond
	maxRefusals       = 5 // in a row, with an error that does not pass by itself
)

// A committer is the only owner of the producer. It commits finished jobs,
// batch by batch: outputs, state, offsets and completion map in one
// transaction.
type committer struct {
	*session
	producer    *kgo.Client
	nonce       string // of this committer; with count it makes every commit unique
	count       uint64
	few         int             // at most so many jobs at once, to find one that Kafka refuses; 0: no such search
	left        int             // jobs that the search still has to go through
	since       uint64          // the pick that took them
	coordinator *kgo.Broker     // of the group; nil: not known
	began       time.Time       // of the newest transaction
	known       map[string]bool // topics that this producer has written to
	spare       []output        // memory for the records of the next batch
	applying    sync.WaitGroup  // takes what goes on beside the next commit
}

func (c *committer) close() {
	if c.producer != nil {
		c.producer.Close()
	}
}

// loop commits until the session ends. The first result after idle starts a
// commit at once; then starts keep a distance, see commitGap.
func (c *committer) loop(ctx context.Context) {
	var last, took time.Duration
	began := time.Now() // the newest commit
	idle := time.NewTicker(idleCommit)
	defer idle.Stop()
	defer c.applying.Wait()
	for refusals := 0; ; {
		quiet := false
		select {
		case <-c.finished:
		case <-idle.C:
			quiet = true
		case <-ctx.Done():
			return
		}
		if c.few == 0 && !c.keepDistance(ctx, began, commitGap(last, took)) { // in a search everybody waits for its end
			return
		}
		start := time.Now()
		more, err := c.commit(ctx, quiet)
		if more || err != nil {
			began, last, took = start, took, time.Since(start)
		}
		switch {
		case ctx.Err() != nil:
			return
		case isFatal(err):
			c.fail(err)
			return
		case errors.Is(err, errNoMember), errors.Is(err, kerr.RebalanceInProgress): // it passes, at the latest with the session
			c.log.Debug("commit waits for the group", "err", err)
			if !sleep(ctx, retryBackoff(refusals+5)) {
				return
			}
			if !quiet {
				signal(c.finished)
			}
		case searching(err): // each try finds out more, so there is an end to it
			refusals = 0
			c.log.Warn("kafka refuses a record: finding out which", "err", err)
			signal(c.finished)
		case err != nil:
			refusals++
			if e, ok := errors.AsType[*kerr.Error](err); ok && !e.Retriable && refusals >= maxRefusals {
				c.fail(err) // the checks at the start may know why
				return
			}
			c.log.Warn("commit did not go through, its results are committed again", "err", err)
			if !sleep(ctx, retryBackoff(refusals)) {
				return
			}
			signal(c.finished)
		default:
			refusals = 0
			if more {
				signal(c.finished)
			}
		}
	}
}

// commitGap is the distance between the starts of two commits: twice what a commit
// takes, so that commits fill about half of the time. The shorter one of the last
// two counts (0: there was none): one that was slow by chance does not make the next
// one late too.
func commitGap(last, took time.Duration) time.Duration {
	return min(2*min(took, cmp.Or(last, took)), maxCommitGap)
}

// keepDistance waits until the next commit may start: after the least distance
// that is configured, and after the given one unless much waits for the commit.
// It reports false if ctx ended first.
func (c *committer) keepDistance(ctx context.Context, began time.Time, gap time.Duration) bool {
	if least := c.cfg.CommitInterval - time.Since(began); least > 0 && !sleep(ctx, least) {
		return false
	}
	rest := gap - time.Since(began)
	if rest <= 0 {
		return true
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-c.urgent:
		return true
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// commit commits one batch and starts what waited for it. It reports whether
// there may be more to commit. After an error the batch's results are still
// there, to be picked again.
func (c *committer) commit(ctx context.Context, idle bool) (more bool, err error) {
	// The generation first: what is picked afterwards can only be stale
	// together with it, and then the broker refuses it.
	step("commit")
	member, generation := c.consumer.GroupMetadata()
	if member == "" {
		return false, errNoMember
	}
	if !c.stillMember(member) {
		c.fail(errLostMembership)
		return false, errLostMembership
	}
	began := time.Now()
	b := c.pick(idle)
	if len(b.parts) == 0 {
		return false, nil
	}
	step("picked")
	c.count++
	seq := c.nonce + "-" + strconv.FormatUint(c.count, 36)
	offsets, err := c.offsets(b, seq)
	if err != nil {
		return false, fatalf("%w", err) // admission keeps this from happening
	}
	how := commitDone
	if !b.writes() {
		how = commitOffsetsOnly
		err = c.commitOffsets(ctx, offsets, member, generation)
	} else if err = c.transact(ctx, b, offsets, member, generation); err != nil {
		var committed bool
		if !errors.Is(err, errUnconfirmed) {
			how = commitConfirmed
		}
		if committed, err = c.recover(ctx, b, seq, err); committed {
			err = nil
		}
	}
	if err != nil {
		c.cfg.Metrics.committed(c.stage.Name, commitAborted, time.Since(began))
		return true, err
	}
	c.searched(b)
	step("ended")
	c.cfg.Metrics.committed(c.stage.Name, how, time.Since(began))
	c.tracker.confirm(b)
	c.applying.Wait() // the results of the last batch are older
	c.applying.Go(func() { c.apply(b) })
	return b.jobs > 0, nil
}

// pick takes the next batch. In a search it is a part of the batch that was refused
// last: what has finished since has to wait, or there might be no end to it.
func (c *committer) pick(idle bool) batch {
	if c.few > 0 {
		if b := c.tracker.pick(c.few, maxBatchBytes, false, c.since); b.jobs > 0 {
			return b
		}
		c.endSearch() // the rest was taken away
	}
	return c.tracker.pick(maxBatchJobs, maxBatchBytes, idle, 0)
}

// searched notes that a batch went through.
func (c *committer) searched(b batch) {
	if c.left -= b.jobs; c.left <= 0 {
		c.endSearch()
	}
}

func (c *committer) endSearch() { c.few, c.left, c.since = 0, 0, 0 }

// apply does what is left to do for a batch that is confirmed, beside the next commit.
func (c *committer) apply(b batch) {
	c.tell(b)
	for _, pb := range b.parts {
		for jobs := range pb.chunks(maxApply) {
			c.flow(func() (start []*job, pause, resume []int32) {
				start, resume = c.tracker.apply(pb.part, jobs)
				return start, nil, resume
			})
		}
	}
	step("committed")
	c.unblock()
}

// tell reports a committed batch to metrics and observer.
func (c *committer) tell(b batch) {
	for _, pb := range b.parts {
		for _, j := range pb.jobs {
			if j.out.dead != nil {
				c.cfg.Metrics.deadLetter(c.stage.Name, j.out.class)
			}
		}
	}
	if c.cfg.Committed != nil {
		c.cfg.Committed(c.stage.Name, b.events)
	}
}

// offsets are the request's partitions for a batch.
func (c *committer) offsets(b batch, seq string) ([]kmsg.TxnOffsetCommitRequestTopicPartition, error) {
	var out []kmsg.TxnOffsetCommitRequestTopicPartition
	for _, pb := range b.parts {
		text, err := metadata{instance: c.instance, seq: seq, topicID: c.topicID, done: pb.done}.encode()
		if err != nil {
			return nil, fmt.Errorf("topic %s, partition %d: %w", c.topic, pb.part.id, err)
		}
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = pb.part.id, pb.done.base, pb.epoch, &text
		out = append(out, p)
	}
	return out, nil
}

// An output is a record to produce and the job it comes from.
type output struct {
	rec kgo.Record
	job *job
}

// records are what a batch writes: outputs, dead letters, and the newest state
// of each key. They are made anew for every try.
func (c *committer) records(b batch) []output {
	n := 0
	for _, pb := range b.parts {
		for _, j := range pb.jobs {
			n += len(j.out.result.Events)
			if j.write || j.out.dead != nil {
				n += 2 // at most
			}
		}
	}
	out := slices.Grow(c.spare[:0], n)
	c.spare = nil
	for _, pb := range b.parts {
		last := map[string]*job{} // by event key: the last one that changes its state
		for _, j := range pb.jobs {
			if j.write {
				last[j.key] = j
			}
		}
		for _, j := range pb.jobs {
			for _, e := range j.out.result.Events {
				out = append(out, output{c.event(e), j})
			}
			if j.out.dead != nil {
				out = append(out, output{c.event(*j.out.dead), j})
			}
			if j.write && last[j.key] == j {
				rec := kgo.Record{Topic: c.state, Partition: pb.part.id, Key: []byte(j.key)}
				if !j.next.empty() {
					rec.Value = j.next.encode(c.topicID)
				}
				out = append(out, output{rec, j})
			}
		}
	}
	return out
}

func (c *committer) event(e Event) kgo.Record {
	return kgo.Record{Topic: c.outputs[e.Topic], Key: e.Key, Value: e.Value, Headers: recordHeaders(e.Headers)}
}

// errNoMember: the group is being joined. A commit without a member id would not
// be fenced.
var errNoMember = errors.New("not a member of the group at the moment")

// errUnknown marks an error after which the transaction may have been
// committed all the same.
var errUnknown = errors.New("outcome unknown")

// transact is one transaction. Offsets go before records: the other way round
// the produce path runs into the markers of the last transaction. While the broker
// is still writing those, and has the offsets wait, the records are made ready.
func (c *committer) transact(ctx context.Context, b batch, offsets []kmsg.TxnOffsetCommitRequestTopicPartition, member string, generation int32) error {
	c.began = time.Now()
	if err := c.producer.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	id, epoch, err := c.producer.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	step("begun")
	adding := make(chan error, 1)
	go func() { adding <- c.txnOffsets(ctx, id, epoch, offsets, member, generation) }()
	added := sync.OnceValue(func() error { return <-adding })
	recs := c.records(b)
	blind, anyNew := c.remember(recs)
	if anyNew { // then the flush must not be late, see there
		_ = added()
	}
	refused := map[*kgo.Record]error{}
	promise := func(r *kgo.Record, err error) { // they run one at a time
		if err != nil {
			refused[r] = err
		}
	}
	for i := range recs {
		c.producer.Produce(ctx, &recs[i].rec, promise) // sends nothing before the flush
	}
	step("produced")
	if err := added(); err != nil {
		return fmt.Errorf("add offsets to the transaction: %w", err)
	}
	step("offsets-added")
	if err := flush(ctx, c.producer, c.cfg.TransactionTimeout); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	var failed refusedError
	for i := range recs {
		if err, ok := refused[&recs[i].rec]; ok {
			topic := recs[i].rec.Topic
			failed.add(recs[i].job, topic == c.outputs[c.cfg.DeadLetterTopic], topic == c.state, err)
		}
	}
	if failed.err != nil {
		return fmt.Errorf("produce: %w", &failed)
	}
	step("flushed")
	// After some errors a client begins another transaction by itself, and
	// goes on in that one: without the offsets and what was written before.
	if now, nowEpoch, err := c.producer.ProducerID(ctx); err != nil || now != id || nowEpoch != epoch {
		return errors.New("produce: the client has begun another transaction in the middle of this one")
	}
	step("ending")
	switch err := c.producer.EndTransaction(ctx, kgo.TryCommit); {
	case err == nil && blind:
		return errUnconfirmed
	case err == nil:
		// After an error the client may still hold records that it was given.
		clear(recs)
		c.spare = recs
		return nil
	case errors.Is(err, kerr.OperationNotAttempted):
		return fmt.Errorf("end transaction: %w", err)
	default:
		return fmt.Errorf("end transaction: %w: %w", errUnknown, err)
	}
}

// flush sends what was made, and waits for it no longer than the broker would:
// then the transaction has been aborted. The client itself (franz-go 1.22.2) could wait
// for minutes for records of a topic that is new to it: if the flush begins when
// those are ready, and the topic's partitions not yet among those it goes through.
func flush(ctx context.Context, producer *kgo.Client, transactionTimeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, transactionTimeout, errFlush)
	defer cancel()
	if err := producer.Flush(ctx); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	return nil
}

var errFlush = errors.New("the records are not acknowledged within the transaction timeout")

// errUnconfirmed marks a transaction that the client says it has committed, but
// that it may have aborted without saying so. franz-go (1.22.2) begins to send the
// records of a topic that is new to it just before it remembers the topic's
// partitions. Who ends the transaction in between is told that it is committed:
// the client, which knows of no partition in it, has sent an abort.
var errUnconfirmed = fmt.Errorf("%w: it is the first of this producer with these topics", errUnknown)

// remember remembers the topics of records. It reports whether all of them are new
// to this producer, and whether any is. With one that it knows the client does not
// take the transaction for an empty one.
func (c *committer) remember(recs []output) (allNew, anyNew bool) {
	allNew = true
	for i := range recs {
		if c.known[recs[i].rec.Topic] {
			allNew = false
		} else {
			anyNew = true
		}
	}
	if anyNew {
		for i := range recs {
			c.known[recs[i].rec.Topic] = true
		}
	}
	return allNew, anyNew
}

// A refusedError is records that were not acknowledged.
type refusedError struct {
	err   error  // of the first, but one that blames the record goes before others
	jobs  []*job // whose records are to blame
	dead  bool   // a dead letter is among them
	rest  bool   // another record is
	state bool   // the state of a key is
}

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func (e *refusedError) add(j *job, dead, state bool, err error) {
	switch {
	case poison(err):
		e.dead, e.rest, e.state = e.dead || dead, e.rest || !dead, e.state || state
		if len(e.jobs) == 0 {
			e.err = err
		}
		if !slices.Contains(e.jobs, j) {
			e.jobs = append(e.jobs, j)
		}
	case e.err == nil:
		e.err = err
	}
}

// searching says that err is a step on the way to the record that is refused.
func searching(err error) bool {
	r, ok := errors.AsType[*refusedError](err)
	return ok && len(r.jobs) > 0
}

// poison says that the record itself is to blame, not the moment.
func poison(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) ||
		errors.Is(err, kerr.InvalidTimestamp) || errors.Is(err, kerr.RecordListTooLarge)
}

// txnOffsets sends the offsets by hand, because the group's member is another client.
func (c *committer) txnOffsets(ctx context.Context, id int64, epoch int16, offsets []kmsg.TxnOffsetCommitRequestTopicPartition, member string, generation int32) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = c.transactionalID(), c.group, id, epoch
	req.MemberID, req.Generation = member, generation
	if c.cfg.InstanceID != "" {
		req.InstanceID = &c.cfg.InstanceID
	}
	if weakened("generation") {
		req.MemberID, req.Generation, req.InstanceID = "", -1, nil
	}
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic, t.TopicID, t.Partitions = c.topic, c.topicID, offsets
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{t}
	return retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
		resp, err := req.RequestWith(ctx, c.producer)
		if err != nil {
			return err
		}
		var codes []int16
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
		return allAccepted(codes, len(offsets))
	})
}

// commitOffsets commits a batch that writes nothing, without a transaction: one
// with offsets alone would never be ended.
func (c *committer) commitOffsets(ctx context.Context, offsets []kmsg.TxnOffsetCommitRequestTopicPartition, member string, generation int32) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = c.group, member, generation
	if c.cfg.InstanceID != "" {
		req.InstanceID = &c.cfg.InstanceID
	}
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = c.topic, c.topicID
	for _, o := range offsets {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = o.Partition, o.Offset, o.LeaderEpoch, o.Metadata
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = []kmsg.OffsetCommitRequestTopic{t}
	step("offsets-only")
	return retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
		at, err := c.groupCoordinator(ctx)
		if err != nil {
			return err
		}
		// Straight to the broker: by itself the client would send it again on
		// another connection, with the first one perhaps still to be carried out.
		resp, err := req.RequestWith(ctx, at)
		if neverSent(err) {
			c.coordinator = nil
			return fmt.Errorf("%w: %w", kerr.CoordinatorNotAvailable, err)
		}
		if err != nil {
			// Nobody knows whether and when this request is carried out. If
			// it were after a later commit, that one's map would be lost, so
			// the membership that it is valid for must end.
			c.fail(fmt.Errorf("commit offsets: %w", err))
			return err
		}
		var codes []int16
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
		if err = allAccepted(codes, len(offsets)); err != nil {
			c.coordinator = nil // it may be another one now
		}
		return err
	})
}

// groupCoordinator is the broker that has the group's offsets.
func (c *committer) groupCoordinator(ctx context.Context) (*kgo.Broker, error) {
	if c.coordinator == nil {
		r := kadm.NewClient(c.admin).FindGroupCoordinators(ctx, c.group)[c.group]
		if r.Err != nil {
			return nil, fmt.Errorf("find the coordinator of group %s: %w", c.group, r.Err)
		}
		c.coordinator = c.consumer.Broker(int(r.NodeID))
	}
	return c.coordinator, nil
}

// neverSent says that there was no connection to send anything over.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func allAccepted(codes []int16, want int) error {
	for _, code := range codes {
		if err := kerr.ErrorForCode(code); err != nil {
			return err
		}
	}
	if len(codes) != want {
		return fmt.Errorf("the broker answered for %d of %d partitions", len(codes), want)
	}
	return nil
}

// retryKafka repeats a request while the broker says that it may work later.
func retryKafka(ctx context.Context, limit time.Duration, f func() error) error {
	end := time.Now().Add(limit)
	for try := 0; ; try++ {
		err := f()
		e, ok := errors.AsType[*kerr.Error](err)
		if !ok || time.Now().After(end) {
			return err
		}
		// The markers of the last transaction may still be on their way. That
		// passes by itself, although the client's table of errors says otherwise.
		wait := retryBackoff(try)
		switch {
		case errors.Is(e, kerr.ConcurrentTransactions):
			wait = concurrentBackoff
		case !e.Retriable:
			return err
		}
		if !sleep(ctx, wait) {
			return err
		}
	}
}

// recover brings the producer back after a transaction that went wrong and
// finds out whether it was committed all the same. It does not give up before
// the session ends: producing again without knowing would publish twice.
func (c *committer) recover(ctx context.Context, b batch, seq string, cause error) (committed bool, err error) {
	// The broker also ends a transaction that took too long, in the same words
	// as one that somebody else has ended.
	if time.Since(c.began) < c.cfg.TransactionTimeout {
		if err := c.fencedBy(cause); isFatal(err) {
			return false, err
		}
	}
	for try := 0; ; try++ {
		step("recovering")
		var err error
		if !errors.Is(cause, errUnconfirmed) { // then the producer is as good as it was, and knows more
			err = c.freshProducer(ctx)
		}
		if err == nil && errors.Is(cause, errUnknown) && !weakened("unknown") {
			err = retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
				committed, err = c.wasCommitted(ctx, b, seq)
				return err
			})
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false, err
		}
		if err := c.fencedBy(err); isFatal(err) {
			return false, err
		}
		c.log.Warn("finding out whether a transaction was committed", "err", err, "cause", cause)
		if !sleep(ctx, retryBackoff(try)) {
			return false, ctx.Err()
		}
	}
	step("recovered")
	if r, ok := errors.AsType[*refusedError](cause); ok && searching(cause) {
		return committed, c.search(b, r)
	}
	return committed, cause
}

// search finds whose record Kafka refuses: it refuses all that travelled with
// it, so smaller and smaller batches go until a job is alone. That one becomes a
// dead letter. The state of a key is written by the last job of the batch that
// has it, which may have left it as an earlier one made it.
func (c *committer) search(b batch, r *refusedError) error {
	if len(r.jobs) > 1 || r.state && b.jobs > 1 {
		c.few, c.left, c.since = max(b.jobs/2, 1), b.jobs, b.parts[0].pick
		return r
	}
	out, err := c.refused(r.jobs[0], r)
	if err != nil {
		return err
	}
	c.start(c.tracker.replace(r.jobs[0], out, time.Now()))
	return r
}

// freshProducer replaces the producer. Initialising it ends what the old one
// left open, so that afterwards the group's offsets tell the truth.
func (c *committer) freshProducer(ctx context.Context) error {
	c.close()
	c.producer = nil
	p, err := kgo.NewClient(c.options(
		c.hooks("producer"),
		kgo.WithContext(ctx), // requests ignore their own while they dial
		kgo.TransactionalID(c.transactionalID()),
		kgo.TransactionTimeout(c.cfg.TransactionTimeout),
		kgo.ProducerLinger(0),
		kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(1<<20),
		kgo.BrokerMaxWriteBytes(4<<20), // of one request: it is made in memory, and a large transaction has several
		kgo.RecordPartitioner(statePartitioner{state: c.state, other: kgo.StickyKeyPartitioner(nil)}),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if topic == c.outputs[c.cfg.DeadLetterTopic] {
				return 2 << 20
			}
			return 1_000_012
		}),
	)...)
	if err != nil {
		return fatalf("kafka client: %w", err)
	}
	c.producer = p
	c.known = map[string]bool{}
	c.nonce = uuid.NewString()
	_, _, err = p.ProducerID(ctx)
	return err
}

// wasCommitted asks the group whether it has this batch's offsets: over the producer,
// who has looked up the coordinator last. One that is not it any more, and does not
// know yet, would tell of older offsets.
func (c *committer) wasCommitted(ctx context.Context, b batch, seq string) (bool, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = c.group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID = c.topic, c.topicID
	for _, pb := range b.parts {
		t.Partitions = append(t.Partitions, pb.part.id)
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{t}
	req.Groups = []kmsg.OffsetFetchRequestGroup{g}
	resp, err := req.RequestWith(ctx, c.producer)
	if err != nil {
		return false, err
	}
	found := false
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return false, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return false, err
				}
				// A partition that was taken away may have been committed by
				// its new owner since; one of ours that answers is enough.
				if p.Metadata != nil {
					if m, err := decodeMetadata(*p.Metadata); err == nil && m.seq == seq {
						found = true
					}
				}
			}
		}
	}
	return found, nil
}

// statePartitioner sends state records to the partition of their input and
// everything else where Kafka's own clients would.
type statePartitioner struct {
	state string
	other kgo.Partitioner
}

func (p statePartitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if topic == p.state {
		return kgo.ManualPartitioner().ForTopic(topic)
	}
	return p.other.ForTopic(topic)
}
