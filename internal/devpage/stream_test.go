package devpage

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

const (
	hello   = "retry: 2000\n\n"
	change  = "event: change\ndata: {}\n\n"
	isAlive = ": alive\n\n"
)

// stream is a live connection to a page, inside a bubble.
type stream struct {
	t     *testing.T
	w     *ear
	leave context.CancelFunc
	ended chan struct{}
}

// ear takes what a stream says. A stream that speaks because it is time to is
// not ordered with the test, so there is a lock.
type ear struct {
	mu sync.Mutex // guards what is recorded
	*httptest.ResponseRecorder
}

func (e *ear) WriteString(s string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ResponseRecorder.WriteString(s)
}

// heard returns what came since it was last asked.
func (e *ear) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.Body.Reset()
	return e.Body.String()
}

func open(t *testing.T, p *Page, path string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := &stream{t: t, w: &ear{ResponseRecorder: httptest.NewRecorder()}, leave: cancel, ended: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	go func() {
		defer close(s.ended)
		p.ServeHTTP(s.w, r)
	}()
	return s
}

// says checks all that came since the last time, once nothing more comes.
func (s *stream) says(want string) {
	s.t.Helper()
	synctest.Wait()
	if got := s.w.heard(); got != want {
		s.t.Errorf("the stream says %q, want %q", got, want)
	}
}

func (s *stream) hasEnded() bool {
	synctest.Wait()
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// seen makes a page see what happens to an import.
func seen(p *Page, id string, tell func(*story)) {
	tp := newTape()
	for _, topic := range shownTopics() { // after all that was seen before
		tp.next[topic] = p.store.next[place{topic: topic}]
	}
	tell(tp.tell(id, "u1", noon))
	p.hub.tell(p.store.take(tp.recs))
}

func TestStream_TellsChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		list, mine, other := open(t, p, "/events"), open(t, p, "/imports/"+sampleRunning+"/events"), open(t, p, "/imports/"+sampleFailed+"/events")
		for _, s := range []*stream{list, mine, other} {
			s.says(hello + change) // it may have changed since it was rendered
			if got := s.w.Header().Get("Content-Type"); got != "text/event-stream" || !s.w.Flushed {
				t.Errorf("content type %q, flushed %t", got, s.w.Flushed)
			}
		}
		time.Sleep(tellEvery)

		seen(p, sampleRunning, func(s *story) { s.requested() })
		list.says(change)
		mine.says(change)
		other.says("")

		time.Sleep(tellEvery)
		seen(p, sampleRunning, func(s *story) { s.rows("k", 3) }) // the list shows no rows
		list.says("")
		mine.says(change)
		other.says("")
	})
}

// TestStream_Gathers: however much changes, a page is told a few times a second
// and never misses the last change.
func TestStream_Gathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		s := open(t, p, "/events")
		s.says(hello + change)
		time.Sleep(tellEvery)
		for i := range 100 {
			seen(p, sampleRunning, func(s *story) { s.readSoFar(i, 100) })
		}
		s.says(change)
		seen(p, sampleRunning, func(s *story) { s.readSoFar(100, 100) })
		s.says("")
		time.Sleep(tellEvery)
		s.says(change)
		time.Sleep(2 * tellEvery)
		s.says("")
		time.Sleep(aliveEvery)
		s.says(isAlive)
	})
}

func TestStream_TellsOfTheStartForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		s := open(t, p, "/events")
		s.says(hello + change)
		time.Sleep(tellEvery)
		post(t, p, "user=u1&bank=280001")
		s.says(change)
	})
}

func TestStream_Ends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		left, pausing, idle := open(t, p, "/events"), open(t, p, "/events"), open(t, p, "/events")
		time.Sleep(tellEvery)
		left.leave()
		if !left.hasEnded() || len(p.hub.watchers) != 2 {
			t.Errorf("after its page was closed: ended %t, %d watchers left; want true, 2", left.hasEnded(), len(p.hub.watchers))
		}
		if pausing.hasEnded() || idle.hasEnded() {
			t.Error("others ended with it")
		}
		time.Sleep(tellEvery)
		p.hub.tellAll() // both pause now
		synctest.Wait()
		p.hub.close()
		p.hub.close()
		if !pausing.hasEnded() || !idle.hasEnded() || len(p.hub.watchers) != 0 {
			t.Errorf("after the end: ended %t and %t, %d watchers left", pausing.hasEnded(), idle.hasEnded(), len(p.hub.watchers))
		}
		late := open(t, p, "/events")
		if !late.hasEnded() || late.w.Code != http.StatusServiceUnavailable {
			t.Errorf("a new one after the end: ended %t, status %d; want 503", late.hasEnded(), late.w.Code)
		}
		if w := get(t, p, "/"); w.Code != http.StatusOK {
			t.Errorf("the page after the end: got %d, want 200", w.Code)
		}
	})
}

func TestStream_Idle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		s := open(t, p, "/events")
		synctest.Wait()
		time.Sleep(aliveEvery + tellEvery)
		p.hub.close()
		if !s.hasEnded() {
			t.Error("an idle stream did not end")
		}
	})
}

func TestStream_TooMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		first := open(t, p, "/events")
		for range maxWatchers - 1 {
			open(t, p, "/imports/"+sampleRunning+"/events")
		}
		synctest.Wait()
		s := open(t, p, "/events")
		if !s.hasEnded() || s.w.Code != http.StatusServiceUnavailable || s.w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: ended %t, status %d; want 503 and when to try again", s.hasEnded(), s.w.Code)
		}
		first.leave()
		synctest.Wait()
		if s := open(t, p, "/events"); s.hasEnded() {
			t.Errorf("after one had left: got status %d, want a stream", s.w.Code)
		}
	})
}

func TestStream_NoSuchImport(t *testing.T) {
	t.Parallel()
	if w := get(t, newPage(), "/imports/7/events"); w.Code != http.StatusNotFound {
		t.Errorf("got status %d, want 404", w.Code)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPage()
		s := open(t, p, "/imports/"+numbered(1)+"/events") // may still come
		s.says(hello + change)
		time.Sleep(tellEvery)
		seen(p, numbered(1), func(s *story) { s.at(noon, schemas.ImportRequested{ImportID: s.id, UserID: "u1"}) })
		s.says(change)
	})
}

// deaf is a client that takes nothing.
type deaf struct{ http.ResponseWriter }

func (deaf) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

func TestStream_ClientTakesNothing(t *testing.T) {
	t.Parallel()
	p := newPage()
	p.ServeHTTP(deaf{httptest.NewRecorder()}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/events", nil))
	if n := len(p.hub.watchers); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
}
