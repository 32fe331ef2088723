package finapi

import (
	"sync"
	"time"
)

// maxPutOff is how long the provider may put a wish off, and for all we know
// everybody's, before that is taken for the fault of the wish: longer than a quota
// for a day can.
const maxPutOff = 25 * time.Hour

// wishes remembers what a host has put off, with 429 or with a 503 that says until
// when. The whole process then pauses, and nobody's attempts are counted. But it
// may be one user alone whom the provider puts off, again and again: that user's
// import must not be held for ever, and its stage with it.
type wishes struct {
	mu     sync.Mutex // guards all below
	served time.Time  // when the youngest call was sent that went well
	off    map[wish]putOff
}

// wish is what one user wants of the provider.
type wish struct {
	user string // provider's id; empty: our client
	op   operation
}

type putOff struct {
	since time.Time
	until time.Time // end of the last pause
}

// putOff notes that a wish is to wait until then. It is alone if it was put off
// before and others were served after that pause, or if it has been put off for
// too long.
func (w *wishes) putOff(what wish, until time.Time) (alone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for other, off := range w.off {
		if now.Sub(off.until) > maxRetryAfter { // nobody wants it any more
			delete(w.off, other)
		}
	}
	before, again := w.off[what]
	if !again {
		w.off[what] = putOff{now, until}
		return false
	}
	w.off[what] = putOff{before.since, until}
	return !w.served.Before(before.until) || now.Sub(before.since) > maxPutOff
}

// serve notes that a call went well that was sent then.
func (w *wishes) serve(what wish, sent time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.off, what)
	if !what.op.isLogin() && sent.After(w.served) { // logins have limits of their own
		w.served = sent
	}
}
