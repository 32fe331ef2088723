package bridge

import (
	"context"
	"errors"
	"sync"
	"time"
)

var (
	errOverloaded = errors.New("too many callbacks are on their way to Kafka")
	errTooSlow    = errors.New("no acknowledgement from Kafka in time")
	errClosed     = errors.New("the bridge is stopping")
)

// publisher publishes each hint once, however often it is told within a while.
//
// A record on its way cannot be called back: kafka-go goes on writing after its
// caller has left. So who publishes is a goroutine of its own, which stays until
// the outcome is known and keeps its place among the few that may publish until
// then; the request waits for it only so long. That bounds what piles up inside
// kafka-go while Kafka is away, and lets a repeat share an outcome that its
// first request did not wait for.
type publisher struct {
	writer writer
	now    func() time.Time
	wait   time.Duration
	places chan struct{} // one for each record on its way

	remember time.Duration
	most     int

	ctx    context.Context // ends with the last resort of close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex        // guards what follows
	known  map[hint]*attempt // on their way, or published a short while ago
	past   []*attempt        // those of known that are published, oldest first
	closed bool
}

// attempt is a hint on its way to Kafka, and its outcome.
type attempt struct {
	hint  hint
	done  chan struct{} // closed when err is known
	err   error
	until time.Time // repeats count until then; set when it is published
}

func newPublisher(c Config) *publisher {
	p := &publisher{
		writer: c.Writer, now: c.Now, wait: c.PublishTimeout,
		places:   make(chan struct{}, c.MaxPublishing),
		remember: c.Remember, most: c.MaxRemembered,
		known: make(map[hint]*attempt),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// publish returns nil when Kafka has the hint: because it was written now, or
// because it was told before (repeated).
func (p *publisher) publish(h hint) (repeated bool, err error) {
	timer := time.NewTimer(p.wait)
	defer timer.Stop()

	a := p.find(h)
	if a == nil {
		select {
		case p.places <- struct{}{}:
		case <-timer.C:
			return false, errOverloaded
		}
		if a, repeated, err = p.begin(h); err != nil {
			return false, err
		}
	} else {
		repeated = true
	}
	select {
	case <-a.done:
		return repeated, a.err
	case <-timer.C:
		return repeated, errTooSlow
	}
}

// find returns the attempt that h repeats, or nil.
func (p *publisher) find(h hint) *attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	return p.known[h]
}

// begin starts to publish h. It takes over the place; where another request
// was faster, its attempt is the answer.
func (p *publisher) begin(h hint) (a *attempt, repeated bool, err error) {
	m, err := h.message(p.now())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		err = errClosed
	}
	if err != nil {
		<-p.places
		return nil, false, err
	}
	if a := p.known[h]; a != nil {
		<-p.places
		return a, true, nil
	}
	a = &attempt{hint: h, done: make(chan struct{})}
	p.known[h] = a
	p.wg.Go(func() {
		defer func() { <-p.places }()
		p.end(a, p.writer.WriteMessages(p.ctx, m))
	})
	return a, false, nil
}

// end tells everybody who waits for a how it went.
func (p *publisher) end(a *attempt, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.err = err
	if err == nil {
		a.until = p.now().Add(p.remember)
		p.past = append(p.past, a)
		p.forget()
	} else {
		delete(p.known, a.hint) // the next one tries again
	}
	close(a.done)
}

// forget drops what is too old, and the oldest where there are too many. The
// caller holds the mutex.
func (p *publisher) forget() {
	n, now := 0, p.now()
	for n < len(p.past) && (len(p.past)-n > p.most || !now.Before(p.past[n].until)) {
		delete(p.known, p.past[n].hint)
		p.past[n] = nil
		n++
	}
	p.past = p.past[n:]
}

// close refuses what comes and waits for what is on its way; where ctx ends
// first, it stops waiting for Kafka. No goroutine is left behind.
func (p *publisher) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, p.cancel)
	defer stop()
	p.wg.Wait()
	p.cancel()
}
