package contest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// runLoop lets a loop work on a task and returns what it says.
func runLoop(t *testing.T, task Task, loop Loop) ([]Message, error) {
	t.Helper()
	task.BrokerPID = os.Getpid()
	in, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Run(t.Context(), bytes.NewReader(in), &out, loop)
	var said []Message
	for lines := json.NewDecoder(&out); ; {
		var m Message
		if e := lines.Decode(&m); e == io.EOF {
			return said, err
		} else if e != nil {
			t.Fatal(e)
		}
		said = append(said, m)
	}
}

// steadily commits n records every second.
func steadily(n int) Loop {
	return func(ctx context.Context, _ Task, m *Meter) error {
		for ctx.Err() == nil {
			time.Sleep(time.Second)
			m.Add(n)
		}
		return nil
	}
}

func TestRun_MeasuresFromCommitToCommit(t *testing.T) {
	for _, tc := range []struct {
		name        string
		task        Task
		wantRecords int
		wantTook    time.Duration
	}{
		{"window", Task{Window: 10 * time.Second}, 100, 10 * time.Second},
		{"warm-up", Task{Warmup: 3 * time.Second, Window: 10 * time.Second}, 100, 10 * time.Second},
		{"between commits", Task{Window: 9500 * time.Millisecond}, 100, 10 * time.Second},
		{"limit", Task{Window: time.Hour, Limit: 50}, 40, 4 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, err := runLoop(t, tc.task, steadily(10))
				if err != nil {
					t.Fatal(err)
				}
				if len(said) != 2 || !said[0].First || said[1].Report == nil {
					t.Fatalf("got %+v, want the first commit and a report", said)
				}
				if got := said[1].Report; got.Records != tc.wantRecords || got.Took != tc.wantTook || got.PeakRSS <= 0 {
					t.Errorf("got %+v, want %d records in %v and some memory", got, tc.wantRecords, tc.wantTook)
				}
			})
		})
	}
}

func TestRun_RefusesToReportNothing(t *testing.T) {
	for name, loop := range map[string]Loop{
		"all at once": steadily(100),
		"no commit":   func(context.Context, Task, *Meter) error { return nil },
		"an error":    func(context.Context, Task, *Meter) error { return io.ErrUnexpectedEOF },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, err := runLoop(t, Task{Limit: 100, Window: time.Hour}, loop)
				if err == nil || slices.ContainsFunc(said, func(m Message) bool { return m.Report != nil }) {
					t.Errorf("got %+v and error %v, want an error and no report", said, err)
				}
			})
		})
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	l := Latency{Usual: 100 * time.Millisecond, Slow: time.Second, Every: 100}
	slow := 0
	for p := range int32(6) {
		for o := range int64(10_000) {
			if l.Of(p, o) == l.Slow {
				slow++
			}
		}
	}
	if slow < 500 || slow > 700 {
		t.Errorf("got %d slow records of 60,000, want about 600", slow)
	}
	if got, want := l.Mean(), 109*time.Millisecond; got != want {
		t.Errorf("mean: got %v, want %v", got, want)
	}
	if got, want := (Latency{Usual: time.Second}).Mean(), time.Second; got != want {
		t.Errorf("mean without slow ones: got %v, want %v", got, want)
	}
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		task := Task{InFlight: 2, Latency: Latency{Usual: time.Second}}
		var mu sync.Mutex
		order := map[string][]int{} // records by key
		keys := []string{"a", "a", "b", "a", "c"}
		began := time.Now()
		ok := task.Ordered(t.Context(), len(keys), func(i int) string { return keys[i] }, func(i int) bool {
			mu.Lock()
			order[keys[i]] = append(order[keys[i]], i)
			mu.Unlock()
			return task.Latency.Wait(t.Context(), 0, int64(i))
		})
		// a's three records take 3 s beside b and c, or 4 s or 5 s after one of them.
		if took := time.Since(began); !ok || took < 3*time.Second || took > 5*time.Second {
			t.Errorf("got %v after %v, want true after 3 s to 5 s", ok, took)
		}
		want := map[string][]int{"a": {0, 1, 3}, "b": {2}, "c": {4}}
		if !maps.EqualFunc(order, want, slices.Equal[[]int]) {
			t.Errorf("got the order %v, want %v", order, want)
		}
	})
}

func TestTask_Topics(t *testing.T) {
	t.Parallel()
	task := Task{Input: "in", Output: "out", Group: "g", Hops: 3}
	plain, compacted := task.Topics()
	got := strings.Join(append(plain, compacted...), " ")
	if want := "out-1 out-2 out g.hop-1.state g.hop-2.state g.hop-3.state"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := task.Hop(0); got != "in" {
		t.Errorf("the first stage reads %s, want in", got)
	}
}
