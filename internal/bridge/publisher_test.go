package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
)

// writerFunc is a writer that counts.
type writerFunc struct {
	calls atomic.Int64
	write func(ctx context.Context) error
}

func (w *writerFunc) WriteMessages(ctx context.Context, _ ...kafka.Message) error {
	w.calls.Add(1)
	return w.write(ctx)
}

// takes returns a writer that needs this long, and then has this outcome.
func takes(d time.Duration, outcome error) *writerFunc {
	return &writerFunc{write: func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return outcome
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

var errKafka = errors.New("no broker")

func hintOf(n int) hint { return hint{importID: importID, run: n, formID: formID} }

// inBubble runs a test in virtual time with a publisher that ends with it.
func inBubble(t *testing.T, w writer, c Config, test func(p *publisher)) {
	t.Helper()
	c.Writer = w
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(c.withDefaults())
		test(p)
		p.close(t.Context())
	})
}

func wantPublish(t *testing.T, what string, p *publisher, h hint, wantRepeated bool, wantErr error, wantTook time.Duration) {
	t.Helper()
	begin := time.Now()
	repeated, err := p.publish(h)
	if repeated != wantRepeated || !errors.Is(err, wantErr) || time.Since(begin) != wantTook {
		t.Errorf("%s: got repeated %t, error %v after %s; want %t, %v after %s", what, repeated, err, time.Since(begin), wantRepeated, wantErr, wantTook)
	}
}

func wantCalls(t *testing.T, w *writerFunc, want int64) {
	t.Helper()
	if got := w.calls.Load(); got != want {
		t.Errorf("got %d records, want %d", got, want)
	}
}

func wantRemembered(t *testing.T, p *publisher, want int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) != want || len(p.past) != want {
		t.Errorf("got %d and %d remembered, want %d", len(p.known), len(p.past), want)
	}
}

func TestPublisher_RemembersForAWhile(t *testing.T) {
	t.Parallel()
	w := takes(100*time.Millisecond, nil)
	inBubble(t, w, Config{}, func(p *publisher) {
		h := hintOf(1)
		wantPublish(t, "first", p, h, false, nil, 100*time.Millisecond)
		time.Sleep(9999 * time.Millisecond)
		wantPublish(t, "repeat", p, h, true, nil, 0)
		time.Sleep(time.Millisecond)
		wantPublish(t, "after 10 s", p, h, false, nil, 100*time.Millisecond)
		wantCalls(t, w, 2)

		for name, other := range map[string]hint{
			"other run":    {importID: importID, run: 2, formID: formID},
			"other form":   {importID: importID, run: 1, formID: importID},
			"no form":      {importID: importID, run: 1},
			"other status": {importID: importID, run: 1, formID: formID, status: "ABORTED"},
			"other import": {importID: formID, run: 1, formID: formID},
		} {
			wantPublish(t, name, p, other, false, nil, 100*time.Millisecond)
		}
	})
}

func TestPublisher_RepeatsShareTheOutcome(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]error{"success": nil, "failure": errKafka} {
		w := takes(time.Second, outcome)
		inBubble(t, w, Config{}, func(p *publisher) {
			first := make(chan error)
			go func() {
				_, err := p.publish(hintOf(1))
				first <- err
			}()
			time.Sleep(400 * time.Millisecond)
			wantPublish(t, name, p, hintOf(1), true, outcome, 600*time.Millisecond)
			if err := <-first; !errors.Is(err, outcome) {
				t.Errorf("%s: the first got %v, want %v", name, err, outcome)
			}
			wantCalls(t, w, 1)
		})
	}
}

func TestPublisher_FailureIsForgotten(t *testing.T) {
	t.Parallel()
	w := takes(0, errKafka)
	inBubble(t, w, Config{}, func(p *publisher) {
		wantPublish(t, "failing", p, hintOf(1), false, errKafka, 0)
		wantPublish(t, "again", p, hintOf(1), false, errKafka, 0)
		wantCalls(t, w, 2)
	})
}

// The request does not wait longer than its time, the record goes on; a repeat
// meets the same record, not a second one.
func TestPublisher_WaitsOnlySoLong(t *testing.T) {
	t.Parallel()
	w := takes(5*time.Second, nil)
	inBubble(t, w, Config{}, func(p *publisher) {
		wantPublish(t, "first", p, hintOf(1), false, errTooSlow, 2*time.Second)
		wantPublish(t, "repeat, too early", p, hintOf(1), true, errTooSlow, 2*time.Second)
		wantPublish(t, "repeat, in time", p, hintOf(1), true, nil, time.Second)
		wantCalls(t, w, 1)
	})
}

// While Kafka hangs, little piles up, and all of it is there in the end.
func TestPublisher_IsBounded(t *testing.T) {
	t.Parallel()
	w := takes(5*time.Second, nil)
	inBubble(t, w, Config{MaxPublishing: 2}, func(p *publisher) {
		outcomes := make(chan error)
		for i := range 50 {
			go func() {
				_, err := p.publish(hintOf(i))
				outcomes <- err
			}()
		}
		full := 0
		for range 50 {
			if errors.Is(<-outcomes, errOverloaded) {
				full++
			}
		}
		if full != 48 {
			t.Errorf("got %d refused, want 48", full)
		}
		wantCalls(t, w, 2)
		time.Sleep(3*time.Second + time.Millisecond)
		wantPublish(t, "afterwards there is a place again", p, hintOf(99), false, errTooSlow, 2*time.Second)
		wantCalls(t, w, 3)
	})
}

func TestPublisher_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	w := takes(0, nil)
	inBubble(t, w, Config{MaxRemembered: 100}, func(p *publisher) {
		for i := range 1000 {
			wantPublish(t, fmt.Sprint(i), p, hintOf(i), false, nil, 0)
		}
		wantRemembered(t, p, 100)
		wantPublish(t, "the oldest that is known", p, hintOf(900), true, nil, 0)
		wantPublish(t, "one before it", p, hintOf(899), false, nil, 0)
		time.Sleep(time.Minute)
		p.find(hintOf(1))
		wantRemembered(t, p, 0)
	})
}

func TestPublisher_ConcurrentRepeatsAreOneRecord(t *testing.T) {
	t.Parallel()
	w := takes(50*time.Millisecond, nil)
	inBubble(t, w, Config{MaxPublishing: 3}, func(p *publisher) {
		repeats := make(chan bool)
		for range 100 {
			go func() {
				repeated, err := p.publish(hintOf(1))
				if err != nil {
					t.Error(err)
				}
				repeats <- repeated
			}()
		}
		first := 0
		for range 100 {
			if !<-repeats {
				first++
			}
		}
		if first != 1 {
			t.Errorf("got %d that say they were the first, want 1", first)
		}
		wantCalls(t, w, 1)
	})
}

func TestPublisher_CloseWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		takes      time.Duration
		patience   time.Duration
		wantClosed time.Duration
		wantErr    error
	}{
		{"for what is on its way", time.Second, 5 * time.Second, time.Second, nil},
		{"not for ever", time.Minute, 1500 * time.Millisecond, 1500 * time.Millisecond, context.Canceled},
	} {
		w := takes(c.takes, nil)
		inBubble(t, w, Config{}, func(p *publisher) {
			outcome := make(chan error, 1)
			go func() {
				_, err := p.publish(hintOf(1))
				outcome <- err
			}()
			synctest.Wait()
			begin := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), c.patience)
			defer cancel()
			p.close(ctx)
			if took := time.Since(begin); took != c.wantClosed {
				t.Errorf("%s: closed after %s, want %s", c.name, took, c.wantClosed)
			}
			if err := <-outcome; !errors.Is(err, c.wantErr) {
				t.Errorf("%s: the request got %v, want %v", c.name, err, c.wantErr)
			}
			wantPublish(t, c.name+", afterwards", p, hintOf(2), false, errClosed, 0)
		})
	}
}
