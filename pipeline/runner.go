package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Runner runs one stage in one process.
type Runner struct {
	stage    Stage
	cfg      Config
	instance string // names this process in transactional id and metadata
	log      *slog.Logger

	current atomic.Pointer[session]
	topicID *[16]byte // of the input, once it was seen

	opened atomic.Bool // see session

	mu     sync.Mutex
	fenced time.Time // when another process last fenced this one
	oldest time.Time // the oldest record that was not committed, when that was last known
}

// NewRunner checks the stage and its configuration. It does not connect.
func NewRunner(stage Stage, cfg Config) (*Runner, error) {
	if err := errors.Join(stage.Validate(), cfg.Validate()); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	r := &Runner{stage: stage, cfg: cfg, instance: cfg.InstanceID, log: cfg.Logger.With("stage", stage.Name)}
	if r.instance == "" {
		r.instance = uuid.NewString()
	}
	cfg.Metrics.watch(stage.Name, r.stats)
	return r, nil
}

// Run handles records and timers until ctx is cancelled; then it stops taking
// new ones, waits for what runs and its commit (at most Config.DrainTimeout),
// and returns nil. It blocks until everything inside has ended, but for handlers
// that go on after their context has. It must be called once.
//
// Trouble with Kafka restarts the clients, for ever, from what the cluster says
// was committed. An error is returned only for what a person must mend: a
// missing topic, a cluster that is too old, lost data, a second process with
// the same instance id.
func (r *Runner) Run(ctx context.Context) error {
	const least, most = 100 * time.Millisecond, 10 * time.Second
	wait := least
	for {
		began := time.Now()
		err := r.runSession(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				r.log.Warn("stopped without a clean commit; the work in flight will be repeated", "err", err)
			}
			return nil
		}
		if isFatal(err) {
			return fmt.Errorf("stage %s: %w", r.stage.Name, err)
		}
		if time.Since(began) > time.Minute {
			wait = least
		}
		r.cfg.Metrics.restart(r.stage.Name)
		r.log.Warn("kafka clients are restarted", "err", err, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		}
		wait = min(2*wait, most)
	}
}

// Ready says that the stage is a member of its group and has restored the
// state of every partition it holds.
func (r *Runner) Ready() bool {
	s := r.current.Load()
	return s != nil && s.ready()
}

func (r *Runner) stats() stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.current.Load()
	var st stats
	if s != nil {
		st = s.tracker.stats()
		st.held = s.hold.on()
	}
	// While clients start again nobody knows what waits. It is not less.
	if s == nil || !s.ready() {
		if st.oldest.IsZero() {
			st.oldest = r.oldest
		}
	} else {
		r.oldest = st.oldest
	}
	return st
}

// sameTopic refuses an input topic that was deleted and created again while
// this process ran.
func (r *Runner) sameTopic(id [16]byte) error {
	if r.topicID == nil {
		r.topicID = &id
	}
	if *r.topicID != id {
		return fatalf("topic %s was deleted and created again while the stage ran: what it remembers belongs to the old one. Delete and create the topic %s too, and start again", r.cfg.TopicPrefix+r.stage.Input, StateTopic(r.cfg.TopicPrefix, r.cfg.Group, r.stage.Name))
	}
	return nil
}

// A fatalError ends Run: trying again cannot help.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

func fatalf(format string, args ...any) error {
	return &fatalError{fmt.Errorf(format, args...)}
}

func isFatal(err error) bool {
	_, ok := errors.AsType[*fatalError](err)
	return ok
}

// fencedBy turns an error that means "another process took this identity" into
// a fatal one if it comes twice within a minute. Once is normal: a predecessor
// came back from a long pause, say. What comes together is one event: both
// clients hear of it. With a random instance nobody else can have the identity.
func (r *Runner) fencedBy(err error) error {
	const together, again = 3 * time.Second, time.Minute
	if isFatal(err) || !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.FencedInstanceID) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ago := time.Since(r.fenced)
	if ago < together {
		return err
	}
	r.fenced = time.Now()
	if ago < again && r.cfg.InstanceID != "" {
		return fatalf("fenced twice within a minute: another process of this stage runs with the same instance id %q; give each its own: %w", r.cfg.InstanceID, err)
	}
	return err
}
