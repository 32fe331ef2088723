package judge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// Log is what a reader has seen so far, per topic in the order in which it
// arrived, which within a partition is the order of the offsets. Its methods
// may be called from several goroutines.
type Log struct {
	prefix  string
	brokers []string
	places  []place // every partition that is followed
	stop    func()  // ends the reading and waits for it

	mu      sync.Mutex
	records map[string][]Record // by topic; only ever appended to
	last    map[place]int64     // newest offset of this reading
	known   map[place]int64     // newest offset of the readings before
	markers map[string]int      // markers seen, by settlement
	err     error               // why the reading ended
	changed chan struct{}       // closed and replaced when any of the above changes
}

// Config says what to follow.
type Config struct {
	Brokers []string
	// Prefix stands before every topic name on the cluster.
	Prefix string
	// Topics to follow, without prefix. They must exist.
	Topics []string
}

func newLog(cfg Config, places []place) *Log {
	return &Log{
		prefix:  cfg.Prefix,
		brokers: cfg.Brokers,
		places:  places,
		records: make(map[string][]Record),
		last:    make(map[place]int64),
		known:   make(map[place]int64),
		markers: make(map[string]int),
		changed: make(chan struct{}),
	}
}

// Topic returns what was read of a topic so far. Do not change it.
func (l *Log) Topic(name string) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.records[name])
}

// Until returns nil as soon as cond holds, which is asked again whenever
// something was read. It returns an error when the reading failed or when ctx
// is done first; the error says what was waited for.
func (l *Log) Until(ctx context.Context, what string, cond func() bool) error {
	for {
		l.mu.Lock()
		changed, err := l.changed, l.err
		l.mu.Unlock()
		if cond() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for %s: the judge's reader ended: %w", what, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (read so far: %s)", what, context.Cause(ctx), l.counts())
		}
	}
}

// Settle writes a marker to the end of every partition and returns when it has
// read them all: what was committed before is then in the log, and no
// transaction is left open. Whoever else reads those topics sees the markers
// too, so what is judged must have stopped.
func (l *Log) Settle(ctx context.Context) error {
	id := uuid.NewString()
	if err := writeMarkers(l.brokers, l.prefix, l.places, id); err != nil {
		return err
	}
	return l.Until(ctx, "the markers at the ends of all partitions", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.markers[id] == len(l.places)
	})
}

// Close ends the reading. What was read stays.
func (l *Log) Close() { l.stop() }

// add takes a record as read from the cluster.
func (l *Log) add(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.notify()
	r.Topic = strings.TrimPrefix(r.Topic, l.prefix)
	p := place{r.Topic, r.Partition}
	if last, seen := l.last[p]; seen && r.Offset <= last {
		// Not a fault of what is judged: a reader that goes back cannot judge.
		l.setErr(fmt.Errorf("topic %s partition %d: offset %d was read after offset %d", r.Topic, r.Partition, r.Offset, last))
		return
	}
	l.last[p] = r.Offset
	if known, ok := l.known[p]; ok && r.Offset <= known {
		return
	}
	if id := r.Header(markerHeader); id != "" {
		l.markers[id]++
		return
	}
	l.records[r.Topic] = append(l.records[r.Topic], r)
}

// readAgain says that a topic (with its prefix) is read from the beginning again:
// what is known of it is passed over.
func (l *Log) readAgain(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, offset := range l.last {
		if l.prefix+p.topic != topic {
			continue
		}
		if known, ok := l.known[p]; !ok || offset > known {
			l.known[p] = offset
		}
		delete(l.last, p)
	}
}

// fail notes why the reading ended; the first reason stays.
func (l *Log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setErr(err)
	l.notify()
}

func (l *Log) setErr(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *Log) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Log) counts() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var parts []string
	for topic, records := range l.records {
		parts = append(parts, fmt.Sprintf("%s %d", topic, len(records)))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
