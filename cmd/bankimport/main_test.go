package main

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what takes a moment.
const patience = 20 * time.Second

// ended is how a command ended.
type ended struct {
	code           int
	stdout, stderr string
}

// call runs a command to its end.
func call(t *testing.T, environ []string, args ...string) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr strings.Builder
	code := run(ctx, args, environ, &stdout, &stderr)
	return ended{code, stdout.String(), stderr.String()}
}

// check compares with an exit code and texts that stderr must have.
func (e ended) check(t *testing.T, code int, stderr ...string) {
	t.Helper()
	if e.code != code {
		t.Errorf("got exit code %d, want %d", e.code, code)
	}
	for _, want := range stderr {
		if !strings.Contains(e.stderr, want) {
			t.Errorf("stderr does not have %q", want)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", e.stdout, e.stderr)
	}
}

// started is a command that runs beside the test.
type started struct {
	stdout, stderr *screen
	cancel         context.CancelFunc
	code           <-chan int
}

// start starts a command. It is interrupted when the test ends.
func start(t *testing.T, environ []string, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	s := &started{stdout: newScreen(), stderr: newScreen(), cancel: cancel, code: code}
	done := make(chan struct{})
	go func() {
		defer close(done)
		code <- run(ctx, args, environ, s.stdout, s.stderr)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if t.Failed() {
			t.Logf("%s\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), s.stdout, s.stderr)
		}
	})
	return s
}

// end waits until the command has ended.
func (s *started) end(t *testing.T) ended {
	t.Helper()
	select {
	case code := <-s.code:
		return ended{code, s.stdout.String(), s.stderr.String()}
	case <-time.After(patience):
		t.Fatal("the command does not end")
		return ended{}
	}
}

// interrupt ends the command as Ctrl-C does, which must not take long.
func (s *started) interrupt(t *testing.T) ended {
	t.Helper()
	began := time.Now()
	s.cancel()
	e := s.end(t)
	if took := time.Since(began); took > 4*time.Second { // two, and as much for a slow machine
		t.Errorf("it took %s to end", took)
	}
	return e
}

// screen is what a command has written so far.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder // guarded by mu
	written chan struct{}   // guarded by mu; closed with the next write
}

func newScreen() *screen { return &screen{written: make(chan struct{})} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.written)
	s.written = make(chan struct{})
	return s.text.Write(b)
}

func (s *screen) String() string {
	text, _ := s.now()
	return text
}

func (s *screen) now() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.written
}

// await waits until the screen matches, and returns the first group.
func (s *screen) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	late := time.After(patience)
	for {
		text, more := s.now()
		if m := re.FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("nothing matches %s in:\n%s", pattern, text)
		}
	}
}
