package pipeline

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A DeadLetter is a trigger that the engine gave up on, as it stands on the
// topic of dead letters.
type DeadLetter struct {
	ID       string // key of the dead letter, a UUID
	Stage    string
	Class    string // why, out of a closed set
	Error    string // why, in words
	Attempts int
	FirstAt  time.Time // of the first attempt
	LastAt   time.Time // of the last one: the time of the dead letter

	// Where it came from. Offset is -1 for a timer that was never redriven.
	Topic     string
	Partition int32
	Offset    int64
	// Timer says that the key's timer was given up, Due when it was to fire.
	Timer bool
	Due   time.Time

	// The original record. Value is nil for a timer, for a record that had none,
	// and where it is not there: Truncated or redriven.
	Key     []byte // nil: it had none
	Value   []byte
	Headers []Header
	// Truncated: Kafka did not take the value, so it is lost.
	Truncated bool

	// Redrives is how often the trigger had been redriven when it was given up.
	Redrives int
	// RedrivenAt is when this dead letter was redriven; zero: it was not.
	RedrivenAt time.Time

	raw []Header // of the dead letter itself
	at  spot
}

// spot is a place on the topic of dead letters.
type spot struct {
	partition int32
	offset    int64
}

// readDeadLetter is the reverse of deadLetter. It is not ok for a record of
// somebody else.
func readDeadLetter(r *kgo.Record) (d DeadLetter, ok bool) {
	id, err := uuid.ParseBytes(r.Key)
	if err != nil || id.String() != string(r.Key) {
		return DeadLetter{}, false
	}
	d = DeadLetter{ID: id.String(), Offset: -1, LastAt: r.Timestamp, at: spot{r.Partition, r.Offset}}
	rec := Record{Headers: make([]Header, len(r.Headers))}
	for i, h := range r.Headers {
		rec.Headers[i] = Header(h)
	}
	number := func(name string, bits int) int64 {
		n, err := strconv.ParseInt(rec.Header(name), 10, bits)
		if err != nil {
			return -1
		}
		return n
	}
	at := func(name string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, rec.Header(name))
		if err != nil {
			return time.Time{}
		}
		return t
	}
	d.Stage, d.Class, d.Error = rec.Header(HeaderDeadLetterStage), rec.Header(HeaderDeadLetterClass), rec.Header(HeaderDeadLetterError)
	d.Attempts, d.Redrives = max(int(number(HeaderDeadLetterAttempts, 32)), 0), max(int(number(HeaderDeadLetterRedrives, 32)), 0)
	d.FirstAt, d.Due, d.RedrivenAt = at(HeaderDeadLetterFirstAt), at(HeaderDeadLetterDue), at(HeaderDeadLetterRedrivenAt)
	if last := at(HeaderDeadLetterLastAt); !last.IsZero() {
		d.LastAt = last
	}
	d.Topic, d.Partition, d.Offset = rec.Header(HeaderDeadLetterTopic), int32(number(HeaderDeadLetterPartition, 32)), number(HeaderDeadLetterOffset, 64)
	d.Timer = rec.Header(HeaderDeadLetterTrigger) == triggerTimer
	d.Truncated = rec.Header(HeaderDeadLetterTruncated) != ""
	if key, there := rec.lookup(HeaderDeadLetterKey); there {
		if d.Key, err = base64.StdEncoding.DecodeString(key); err != nil {
			return DeadLetter{}, false
		}
	}
	if !d.Timer && !d.Truncated && d.RedrivenAt.IsZero() && rec.Header(HeaderDeadLetterNoValue) == "" {
		d.Value = r.Value
	}
	d.raw, d.Headers = rec.Headers, foreign(rec.Headers)
	return d, d.Stage != "" && d.Topic != "" && d.Partition >= 0
}

// lookup is Header, and tells an empty one from none.
func (r *Record) lookup(key string) (string, bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value), true
		}
	}
	return "", false
}

// DeadLettersConfig says where dead letters are. Zero values mean the defaults
// of [Config], whose fields have the same meaning.
type DeadLettersConfig struct {
	KafkaOpts       []kgo.Opt // required
	TopicPrefix     string
	Group           string
	DeadLetterTopic string
	StateRetention  time.Duration // the longest of the stages: what was given up before is not redriven
}

// DeadLetters reads and redrives the dead letters of all stages. It joins no
// group. It is not for concurrent use.
type DeadLetters struct {
	cfg     DeadLettersConfig
	topic   string // with prefix
	client  *kgo.Client
	admin   *kadm.Client
	stall   time.Duration    // how long reading may stand still
	origins map[string]int32 // partitions (0: it is not there), by topic that dead letters came from
}

// maxDeadLetters bounds how many dead letters are told apart at once, which
// takes about 60 bytes each.
const maxDeadLetters = 1_000_000

// OpenDeadLetters connects and looks whether the topic is there. The caller
// closes what it returns.
func OpenDeadLetters(ctx context.Context, cfg DeadLettersConfig) (*DeadLetters, error) {
	defaults := Config{}.withDefaults()
	cfg.Group = cmp.Or(cfg.Group, defaults.Group)
	cfg.DeadLetterTopic = cmp.Or(cfg.DeadLetterTopic, defaults.DeadLetterTopic)
	cfg.StateRetention = cmp.Or(cfg.StateRetention, defaults.StateRetention)
	d := &DeadLetters{cfg: cfg, topic: cfg.TopicPrefix + cfg.DeadLetterTopic, stall: 30 * time.Second, origins: map[string]int32{}}
	var err error
	if d.client, err = kgo.NewClient(d.options()...); err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	d.admin = kadm.NewClient(d.client)
	n, err := d.partitions(ctx, d.topic)
	if err == nil && n == 0 {
		err = fmt.Errorf("topic %s does not exist: is the topic prefix right? Else create the topics (bankimport topics apply)", d.topic)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close ends the connections.
func (d *DeadLetters) Close() { d.client.Close() }

func (d *DeadLetters) options(opts ...kgo.Opt) []kgo.Opt {
	own := []kgo.Opt{
		kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.ConcurrentTransactionsBackoff(2 * time.Millisecond),
		kgo.RetryBackoffFn(retryBackoff),
	}
	return append(append(own, d.cfg.KafkaOpts...), opts...)
}

// partitions returns how many partitions a topic has, 0 if it is not there.
func (d *DeadLetters) partitions(ctx context.Context, topic string) (int32, error) {
	topics, err := d.admin.ListTopics(ctx, topic)
	var refused *kadm.AuthError
	switch {
	case errors.As(err, &refused) && topic == d.topic:
		return 0, fmt.Errorf("topic %s: the Kafka user may not see it: grant it READ: %w", topic, err)
	case errors.As(err, &refused):
		return 0, fmt.Errorf("topic %s: the Kafka user may not see where dead letters came from: grant it WRITE: %w", topic, err)
	case err != nil:
		return 0, fmt.Errorf("ask for topic %s: %w", topic, err)
	}
	switch t := topics[topic]; {
	case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
		return 0, nil
	case t.Err != nil:
		return 0, fmt.Errorf("topic %s: %w", topic, t.Err)
	default:
		return int32(len(t.Partitions)), nil
	}
}

// Each calls f once for each dead letter that is wanted, as it stands now, in no
// particular order, until f returns an error. The want function must give the
// same answer before and after a redrive.
func (d *DeadLetters) Each(ctx context.Context, want func(DeadLetter) bool, f func(DeadLetter) error) error {
	ends, err := d.admin.ListCommittedOffsets(ctx, d.topic)
	if err != nil {
		return fmt.Errorf("topic %s: ask for its ends: %w", d.topic, err)
	}
	return d.each(ctx, ends, want, f)
}

// each goes through the topic up to the given ends: once to find the newest
// record of each id, and once more to hand those out. So memory does not depend
// on what is in them.
func (d *DeadLetters) each(ctx context.Context, ends kadm.ListedOffsets, want func(DeadLetter) bool, f func(DeadLetter) error) error {
	starts, err := d.admin.ListStartOffsets(ctx, d.topic)
	if err == nil {
		err = errors.Join(starts.Error(), ends.Error())
	}
	if err != nil {
		return fmt.Errorf("topic %s: ask where its logs begin and end: %w", d.topic, err)
	}
	newest := map[uuid.UUID]spot{}
	err = d.scan(ctx, starts, ends, func(r *kgo.Record) error {
		l, ok := readDeadLetter(r)
		switch id, err := uuid.ParseBytes(r.Key); {
		case err != nil || !ok && r.Value != nil: // not ours
		case !ok || !want(l): // deleted by somebody, or replaced
			delete(newest, id)
		default:
			if newest[id] = l.at; len(newest) > maxDeadLetters {
				return fmt.Errorf("topic %s has more than %d such dead letters: ask for fewer, by stage, class or time", d.topic, maxDeadLetters)
			}
		}
		return nil
	})
	if err != nil || len(newest) == 0 {
		return err
	}
	return d.scan(ctx, starts, ends, func(r *kgo.Record) error {
		l, ok := readDeadLetter(r)
		if !ok {
			return nil
		}
		id, err := uuid.Parse(l.ID)
		if err != nil {
			return err
		}
		if at, wanted := newest[id]; !wanted || at != l.at {
			return nil
		}
		return f(l)
	})
}

// scan reads what is committed of the topic between start and end of each
// partition. Where a transaction is open before an end, it waits for it.
func (d *DeadLetters) scan(ctx context.Context, starts, ends kadm.ListedOffsets, f func(*kgo.Record) error) error {
	todo := map[int32]int64{} // end to reach, by partition
	from := map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(d.topic, end.Partition); ok && start.Offset < end.Offset {
			todo[end.Partition], from[end.Partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	if len(todo) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(d.options(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{d.topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the log usually ends in a marker
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxBytes(8<<20),
		kgo.MaxConcurrentFetches(1),
	)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	for len(todo) > 0 {
		poll, cancel := context.WithTimeout(ctx, d.stall)
		fs := cl.PollFetches(poll)
		stalled := poll.Err() != nil
		cancel()
		switch err := fs.Err(); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case stalled:
			return d.stalled(ctx, todo)
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			return fmt.Errorf("topic %s: the Kafka user may not read it: grant it READ: %w", d.topic, err)
		case err != nil:
			return fmt.Errorf("read topic %s: %w", d.topic, err)
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			end, ok := todo[r.Partition]
			if !ok || r.Offset >= end {
				delete(todo, r.Partition)
				continue
			}
			if r.Offset+1 >= end {
				delete(todo, r.Partition)
			}
			if !r.Attrs.IsControl() {
				if err := f(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// stalled says why nothing more can be read.
func (d *DeadLetters) stalled(ctx context.Context, todo map[int32]int64) error {
	ctx, cancel := context.WithTimeout(ctx, d.stall)
	defer cancel()
	stable, err := d.admin.ListCommittedOffsets(ctx, d.topic)
	if err != nil {
		return fmt.Errorf("read topic %s: nothing came for %s, and Kafka cannot be reached: %w", d.topic, d.stall, err)
	}
	for _, p := range slices.Sorted(maps.Keys(todo)) {
		switch at, _ := stable.Lookup(d.topic, p); {
		case at.Err != nil:
			return fmt.Errorf("topic %s, partition %d: nothing came for %s: %w", d.topic, p, d.stall, at.Err)
		case at.Offset < todo[p]:
			return fmt.Errorf("topic %s, partition %d: a transaction has been open since offset %d, and nothing behind it can be read for %s: see kafka-transactions.sh find-hanging",
				d.topic, p, at.Offset, d.stall)
		}
	}
	return fmt.Errorf("read topic %s: nothing came for %s: try again, and look at the brokers' logs", d.topic, d.stall)
}
