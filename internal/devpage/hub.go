package devpage

import "sync"

// maxWatchers bounds the live connections of all pages together.
const maxWatchers = 64

// everyImport is the name under which the list of imports is watched.
const everyImport = ""

// hub tells the live connections that something changed. It says only that, not
// what, so nothing queues up behind a slow one and telling never blocks.
type hub struct {
	mu       sync.Mutex
	closed   bool
	watchers map[*watcher]struct{}
}

// watcher is one live connection.
type watcher struct {
	of      string        // an import id, or everyImport
	changed chan struct{} // holds one: something changed since the last receive
	ended   chan struct{} // closed when the page ends
}

func newHub() *hub { return &hub{watchers: map[*watcher]struct{}{}} }

// watch registers a connection, unless there are too many or the page has ended.
// The caller ends it with leave.
func (h *hub) watch(of string) (*watcher, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.watchers) >= maxWatchers {
		return nil, false
	}
	w := &watcher{of: of, changed: make(chan struct{}, 1), ended: make(chan struct{})}
	h.watchers[w] = struct{}{}
	return w, true
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// tell wakes those who watch what changed.
func (h *hub) tell(c changes) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.of == everyImport && c.list || c.imports[w.of] {
			w.wake()
		}
	}
}

// tellAll wakes everybody.
func (h *hub) tellAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		w.wake()
	}
}

// close ends all connections; none can be made any more.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	for w := range h.watchers {
		close(w.ended)
	}
}

func (w *watcher) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
