package finapi

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ownRefusal is how long after a success of an operation its refusal (403) is
// about what was asked for: the contract covers it.
const ownRefusal = time.Minute

// contract remembers which operations the provider lets us use. A refusal (403)
// usually says that our contract with it does not cover the call: Web Form is
// not enabled, the client is the admin's, or bound to another API version. No
// single import is to blame for that.
type contract struct {
	shown prometheus.Gauge // 1 while an operation is refused

	mu      sync.Mutex              // guards all below
	served  map[operation]time.Time // the last success
	refused map[operation]bool
}

func newContract(shown prometheus.Gauge) *contract {
	return &contract{shown: shown, served: make(map[operation]time.Time), refused: make(map[operation]bool)}
}

// covers notes that an operation went well.
func (c *contract) covers(op operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[op] = time.Now()
	if c.refused[op] {
		delete(c.refused, op)
		c.show()
	}
}

// refuses notes that an operation was refused, unless others could read just
// now: then it is not ok, and the refusal is about the one that was refused.
func (c *contract) refuses(op operation) (ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, served := c.served[op]; op.isRead() && served && time.Since(last) < ownRefusal {
		return false
	}
	c.refused[op] = true
	c.show()
	return true
}

// show is called with mu held.
func (c *contract) show() {
	c.shown.Set(float64(min(len(c.refused), 1)))
}
