package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What can keep a single dead letter from being redriven.
var (
	ErrRedriven  = errors.New("it has been redriven already")
	ErrTruncated = errors.New("its value was too large for the topic of dead letters and is lost: let whoever wrote the record write it again")
	ErrNoOrigin  = errors.New("the topic or partition it came from does not exist any more")
	ErrForgotten = errors.New("it was given up so long ago that its stage may have forgotten the key, and would take it for a new one: let whoever wrote the record write a new one")
	ErrRefused   = errors.New("kafka refuses the record; look at max.message.bytes of its topic")
)

// ErrRedriveTakenOver says that somebody else has begun to redrive. What was
// redriven until then stays so.
var ErrRedriveTakenOver = errors.New("another redrive has begun and takes over: when it has ended, run this one again for what it left")

const (
	redriveTimeout = 10 * time.Second // of a transaction
	redriveTries   = 5                // in a row without any progress

	// A transaction holds so many dead letters and bytes at most, but at least
	// one: together they then fit into one batch of the origin's topic.
	redriveBatch = 500
	redriveBytes = 900_000
)

// Redrive puts the wanted dead letters back where they came from, each once
// whoever does it twice or at the same time, and calls told with how that went
// for each: nil, or one of the errors above. It calls told for a dead letter
// after its transaction has been committed. The want function is that of
// [DeadLetters.Each].
//
// One transaction writes the original record to its own topic and partition (in
// place of a timer an empty record that wakes its key) and marks the dead letter
// as redriven. All who redrive share one transactional id: whoever begins fences
// the others first, and only then reads, past every transaction that is still
// open, what is left to do. So nothing that it decides on can change any more
// without its own transaction failing.
//
// The dead letters of one key go back in the order in which they were given up
// only as far as they share a transaction.
func (d *DeadLetters) Redrive(ctx context.Context, want func(DeadLetter) bool, told func(DeadLetter, error)) error {
	r := &redrive{DeadLetters: d, want: want, told: told, settled: map[string]bool{}, unsure: map[string]bool{}, most: redriveBatch}
	for failures := 0; ; {
		before := len(r.settled)
		err := r.run(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, errAgain):
			return err
		}
		if len(r.settled) > before {
			failures = 0
		}
		if failures++; failures >= redriveTries {
			return err
		}
		if !sleep(ctx, retryBackoff(failures)) {
			return context.Cause(ctx)
		}
	}
}

// errAgain marks an error after which a new producer and a new look at the topic
// tell what is left to do.
var errAgain = errors.New("redrive")

// A redrive is one call of Redrive.
type redrive struct {
	*DeadLetters
	want    func(DeadLetter) bool
	told    func(DeadLetter, error)
	settled map[string]bool // by id: told
	unsure  map[string]bool // by id: was in a transaction whose outcome is unknown

	producer *kgo.Client
	id       int64 // of the producer, with its epoch; they change with every transaction
	epoch    int16

	batch []DeadLetter // of the next transaction
	size  int64
	most  int // so many of them
}

// run redrives what is left, with a producer of its own.
func (r *redrive) run(ctx context.Context) (err error) {
	r.batch, r.size = nil, 0
	r.producer, err = kgo.NewClient(r.options(
		kgo.TransactionalID(RedriveID(r.cfg.TopicPrefix, r.cfg.Group)),
		kgo.TransactionTimeout(redriveTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(2<<20), // a single record may be as large as its topic allows
		kgo.ProducerLinger(0),
		kgo.ManualFlushing(),
	)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer r.producer.Close()
	// From here on nobody else can redrive without this one failing.
	if r.id, r.epoch, err = r.producer.ProducerID(ctx); errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
		return fmt.Errorf("transactional id %s: the Kafka user may not use it: grant it WRITE and DESCRIBE on it: %w", RedriveID(r.cfg.TopicPrefix, r.cfg.Group), err)
	} else if err != nil {
		return fmt.Errorf("%w: transactional id %s: %w", errAgain, RedriveID(r.cfg.TopicPrefix, r.cfg.Group), err)
	}
	ends, err := r.admin.ListEndOffsets(ctx, r.topic) // with what is not committed yet
	if err != nil {
		return fmt.Errorf("topic %s: ask for its ends: %w", r.topic, err)
	}
	err = r.each(ctx, ends, r.want, func(l DeadLetter) error { return r.take(ctx, l) })
	if err != nil {
		return err
	}
	return r.commit(ctx)
}

// take decides what becomes of a dead letter.
func (r *redrive) take(ctx context.Context, l DeadLetter) error {
	if r.settled[l.ID] {
		return nil
	}
	why, err := r.Obstacle(ctx, l)
	switch {
	case err != nil:
		return err
	case errors.Is(why, ErrRedriven) && r.unsure[l.ID]:
		r.settle(l, nil)
		return nil
	case why != nil:
		r.settle(l, why)
		return nil
	}
	size := l.size()
	if len(r.batch) > 0 && r.size+size > redriveBytes {
		if err := r.commit(ctx); err != nil {
			return err
		}
	}
	r.batch, r.size = append(r.batch, l), r.size+size
	if len(r.batch) >= r.most {
		return r.commit(ctx)
	}
	return nil
}

// size is what the two records take on the wire, roughly.
func (l DeadLetter) size() int64 {
	return Event{Key: l.Key, Value: l.Value, Headers: l.Headers}.size() + Event{Headers: l.raw}.size()
}

func (r *redrive) settle(l DeadLetter, err error) {
	r.settled[l.ID] = true
	r.told(l, err)
}

// Obstacle returns what keeps a dead letter from being redriven, as far as that
// can be seen beforehand: nil or one of the errors above. The second error says
// that the cluster could not be asked.
func (d *DeadLetters) Obstacle(ctx context.Context, l DeadLetter) (why, err error) {
	switch {
	case !l.RedrivenAt.IsZero():
		return ErrRedriven, nil
	case l.Truncated && !l.Timer:
		return ErrTruncated, nil
	case time.Since(l.LastAt) >= d.cfg.StateRetention:
		return ErrForgotten, nil
	case l.Topic == d.topic: // it would only come back
		return ErrNoOrigin, nil
	}
	n, known := d.origins[l.Topic]
	if !known {
		if n, err = d.partitions(ctx, l.Topic); err != nil {
			return nil, err
		}
		d.origins[l.Topic] = n
	}
	if l.Partition >= n {
		return ErrNoOrigin, nil
	}
	return nil, nil
}

// commit redrives the batch. After an error nothing of it is settled: a new
// producer and a new look at the topic tell what is left.
func (r *redrive) commit(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	slices.SortStableFunc(r.batch, func(a, b DeadLetter) int { return a.LastAt.Compare(b.LastAt) })
	began := time.Now()
	err := r.transact(ctx)
	switch {
	case fenced(err) && time.Since(began) < redriveTimeout: // else the broker has ended it, in the same words
		return fmt.Errorf("%w: %w", ErrRedriveTakenOver, err)
	case err != nil:
		r.abort(ctx)
		if errors.Is(err, kerr.TopicAuthorizationFailed) { // that does not pass
			return fmt.Errorf("the Kafka user may not write what it redrives: grant it WRITE: %w", err)
		}
		if poison(err) && len(r.batch) == 1 {
			r.settle(r.batch[0], ErrRefused)
		} else if poison(err) {
			r.most = 1 // to find the one that is to blame
		}
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	for _, l := range r.batch {
		r.settle(l, nil)
	}
	r.batch, r.size, r.most = nil, 0, min(2*r.most, redriveBatch)
	return nil
}

// fenced says that somebody else has begun under the same transactional id.
func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// transact redrives the batch in one transaction.
func (r *redrive) transact(ctx context.Context) (err error) {
	if err := r.unchanged(ctx); err != nil {
		return err
	}
	if err := r.producer.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	now := time.Now()
	var failed error // the first one, but one that blames the record goes before others
	// Promises run one at a time.
	promise := func(rec *kgo.Record, err error) {
		if err != nil && (failed == nil || poison(err) && !poison(failed)) {
			failed = fmt.Errorf("topic %s: %w", rec.Topic, err)
		}
	}
	for _, l := range r.batch {
		r.producer.Produce(ctx, l.origin(), promise)
		r.producer.Produce(ctx, l.redriven(r.topic, now), promise)
	}
	if err := flush(ctx, r.producer, redriveTimeout); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("produce: %w", failed)
	}
	// After some errors a client begins another transaction by itself.
	if err := r.unchanged(ctx); err != nil {
		return err
	}
	for _, l := range r.batch { // until the answer is there
		r.unsure[l.ID] = true
	}
	if err := r.producer.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	r.id, r.epoch, err = r.producer.ProducerID(ctx)
	return err
}

// unchanged makes sure that the producer is the one that has fenced the others
// before the topic was read.
func (r *redrive) unchanged(ctx context.Context) error {
	id, epoch, err := r.producer.ProducerID(ctx)
	switch {
	case err != nil:
		return err
	case id != r.id || epoch != r.epoch:
		return errors.New("the client has begun anew by itself")
	default:
		return nil
	}
}

// abort ends the transaction, so that nobody waits for its timeout. The next
// producer would end it too.
func (r *redrive) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if r.producer.AbortBufferedRecords(ctx) == nil {
		_ = r.producer.EndTransaction(ctx, kgo.TryAbort) // then the timeout ends it, or the next producer
	}
}

// origin is the record that a dead letter was, or what wakes its key.
func (l DeadLetter) origin() *kgo.Record {
	hs := append(slices.Clone(l.Headers), Header{headerRedrives, []byte(strconv.Itoa(l.Redrives + 1))})
	value := l.Value
	if l.Timer {
		hs = append(hs, Header{headerWake, []byte(l.Due.UTC().Format(time.RFC3339Nano))})
		value = []byte{} // not null: on a compacted topic that would delete the key
	}
	return &kgo.Record{Topic: l.Topic, Partition: l.Partition, Key: l.Key, Value: value, Headers: recordHeaders(hs)}
}

// redriven replaces a dead letter once it is redriven.
func (l DeadLetter) redriven(topic string, now time.Time) *kgo.Record {
	hs := append(slices.Clone(l.raw), Header{HeaderDeadLetterRedrivenAt, []byte(now.UTC().Format(time.RFC3339Nano))})
	return &kgo.Record{Topic: topic, Partition: l.at.partition, Key: []byte(l.ID), Value: []byte{}, Headers: recordHeaders(hs)}
}
