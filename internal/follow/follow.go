// Package follow reads the pipeline's topics for somebody who watches: the
// commands import and watch, and the page of bankimport dev. It joins no group
// and commits nothing, so it disturbs nobody.
//
// [Open] fixes where reading begins, [Follower.Next] returns events as they
// come, [Import] puts the events of one import together to where it stands.
package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// Record is one event as it went over a topic.
type Record struct {
	Topic     string // without prefix
	Partition int32
	Offset    int64
	Time      time.Time
	ID        string        // ce_id
	Type      string        // like "import-status"; "" where the record is not an event we know
	Event     schemas.Event // nil where the value cannot be read
	Redriven  bool          // marks a dead letter that was there before as redriven
}

// Config of a Follower.
type Config struct {
	// Kafka says how to reach the cluster. Required.
	Kafka []kgo.Opt
	// Prefix of the topics.
	Prefix string
	// Topics to read, without prefix. Required.
	Topics []string
	// FromStart reads what is there already; else only what comes after Open.
	FromStart bool
}

// A Follower reads topics. It is not for concurrent use.
type Follower struct {
	client *kgo.Client
	prefix string
	behind map[place]int64 // offset to reach until what was there at Open is read
}

type place struct {
	topic     string
	partition int32
}

// Open connects and fixes where reading begins: whatever is published after it
// has returned is seen. The caller closes the Follower.
func Open(ctx context.Context, cfg Config) (*Follower, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.FetchMaxBytes(8 << 20),
		kgo.KeepControlRecords(), // they show how far reading is
	}, cfg.Kafka...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	f := &Follower{client: client, prefix: cfg.Prefix, behind: map[place]int64{}}
	from, err := f.positions(ctx, cfg)
	if err != nil {
		client.Close()
		return nil, err
	}
	client.AddConsumePartitions(from)
	return f, nil
}

func (f *Follower) positions(ctx context.Context, cfg Config) (map[string]map[int32]kgo.Offset, error) {
	names := make([]string, len(cfg.Topics))
	for i, t := range cfg.Topics {
		names[i] = cfg.Prefix + t
	}
	adm := kadm.NewClient(f.client)
	starts, err := adm.ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("reach kafka: %w", err)
	}
	// The end for those who read what is committed: what stands behind it, in a
	// transaction that is open, becomes readable after Open, so it is new, and
	// being caught up does not wait for it.
	ends, err := adm.ListCommittedOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("reach kafka: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	var missing []string
	var failed error
	ends.Each(func(end kadm.ListedOffset) {
		switch {
		case errors.Is(end.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, end.Topic)
			return
		case end.Err != nil:
			failed = fmt.Errorf("topic %s: %w", end.Topic, end.Err)
			return
		}
		at := end.Offset
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && cfg.FromStart && start.Offset < end.Offset {
			at = start.Offset
			f.behind[place{end.Topic, end.Partition}] = end.Offset
		}
		if from[end.Topic] == nil {
			from[end.Topic] = map[int32]kgo.Offset{}
		}
		from[end.Topic][end.Partition] = kgo.NewOffset().At(at)
	})
	if len(missing) > 0 {
		slices.Sort(missing)
		failed = fmt.Errorf("these topics do not exist: %s; create them with bankimport topics apply", strings.Join(slices.Compact(missing), ", "))
	}
	return from, failed
}

// CaughtUp reports whether everything that was there at Open has been read.
func (f *Follower) CaughtUp() bool { return len(f.behind) == 0 }

// Next returns the next events, in order of their offsets within a partition;
// between topics there is no order. It blocks until there are some, reading is
// caught up for the first time (then perhaps none), or ctx ends.
func (f *Follower) Next(ctx context.Context) ([]Record, error) {
	for {
		behind := !f.CaughtUp()
		fs := f.client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := fs.Err(); err != nil {
			return nil, fmt.Errorf("read from kafka: %w", err)
		}
		var out []Record
		fs.EachRecord(func(r *kgo.Record) {
			at := place{r.Topic, r.Partition}
			if end, ok := f.behind[at]; ok && r.Offset+1 >= end {
				delete(f.behind, at)
			}
			if !r.Attrs.IsControl() {
				out = append(out, f.record(r))
			}
		})
		if len(out) > 0 || behind && f.CaughtUp() {
			return out, nil
		}
	}
}

// Close ends the Follower.
func (f *Follower) Close() { f.client.Close() }

func (f *Follower) record(r *kgo.Record) Record {
	out := Record{Topic: r.Topic[len(f.prefix):], Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp}
	var ceType string
	for _, h := range r.Headers {
		switch h.Key {
		case schemas.HeaderID:
			out.ID = string(h.Value)
		case schemas.HeaderType:
			ceType = string(h.Value)
		case pipeline.HeaderDeadLetterRedrivenAt:
			out.Redriven = true
		}
	}
	out.Type, _ = schemas.TypeOf(ceType, out.Topic)
	out.Event = decode(out.Type, r.Value)
	return out
}

// decode returns the events a watcher wants to look into, nil for others and
// for what cannot be read.
func decode(eventType string, value []byte) schemas.Event {
	switch eventType {
	case schemas.TypeImportRequested:
		return decoded(schemas.DecodeImportRequested(value))
	case schemas.TypeImportCancelRequested:
		return decoded(schemas.Decode[schemas.ImportCancelRequested](value))
	case schemas.TypeWebformCreated:
		return decoded(schemas.Decode[schemas.WebformCreated](value))
	case schemas.TypeWebformAwaited:
		return decoded(schemas.Decode[schemas.WebformAwaited](value))
	case schemas.TypeWebformCompleted:
		return decoded(schemas.Decode[schemas.WebformCompleted](value))
	case schemas.TypeConnectionReady:
		return decoded(schemas.Decode[schemas.ConnectionReady](value))
	case schemas.TypeAccountsFetched:
		return decoded(schemas.Decode[schemas.AccountsFetched](value))
	case schemas.TypeImportCompleted:
		return decoded(schemas.Decode[schemas.ImportCompleted](value))
	case schemas.TypeImportFailed:
		return decoded(schemas.Decode[schemas.ImportFailed](value))
	case schemas.TypeImportStatus:
		return decoded(schemas.Decode[schemas.ImportStatus](value))
	case schemas.TypeAccount:
		return decoded(schemas.Decode[schemas.Account](value))
	case schemas.TypeTransaction:
		return decoded(schemas.Decode[schemas.Transaction](value))
	default:
		return nil
	}
}

func decoded[T schemas.Event](e T, err error) schemas.Event {
	if err != nil {
		return nil
	}
	return e
}
