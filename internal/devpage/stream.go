package devpage

import (
	"io"
	"net/http"
	"time"
)

const (
	tellEvery    = 200 * time.Millisecond // at most, per connection
	aliveEvery   = 15 * time.Second
	writeTimeout = 5 * time.Second
)

// stream answers with server-sent events that tell a page to refresh itself: one
// at once, because something may have changed since it was rendered, then one
// after each change.
func (p *Page) stream(w http.ResponseWriter, r *http.Request, of string) {
	me, ok := p.hub.watch(of)
	if !ok {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many live pages are open: close some, or reload this one by hand", http.StatusServiceUnavailable)
		return
	}
	defer p.hub.leave(me)

	conn := http.NewResponseController(w)
	// The server's limit for reading a request would end the stream with it. Where
	// there is no such limit, there is nothing to lift.
	_ = conn.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(text string) bool {
		// A client that takes nothing loses its connection, so that it does not
		// keep one of the few.
		_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := io.WriteString(w, text)
		return err == nil && conn.Flush() == nil
	}
	const change = "event: change\ndata: {}\n\n"
	if !say("retry: 2000\n\n" + change) {
		return
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		text := ""
		select {
		case <-r.Context().Done():
			return
		case <-me.ended:
			return
		case <-alive.C:
			text = ": alive\n\n"
		case <-me.changed:
			text = change
		}
		if !say(text) || !pause(r, me) {
			return
		}
	}
}

// pause lets changes gather. It returns false when the stream is to end.
func pause(r *http.Request, me *watcher) bool {
	t := time.NewTimer(tellEvery)
	defer t.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-me.ended:
		return false
	case <-t.C:
		return true
	}
}
