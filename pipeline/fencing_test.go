package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestFencing(t *testing.T) {
	t.Parallel()
	fenced := []error{kerr.ProducerFenced}
	for name, c := range map[string]struct {
		instance string
		errs     []error
		at       []time.Duration
		fatal    bool // the last one
	}{
		"once":                           {"i1", fenced, []time.Duration{0}, false},
		"both clients hear of it":        {"i1", fenced, []time.Duration{0, 2 * time.Second}, false},
		"twice within a minute":          {"i1", fenced, []time.Duration{0, 10 * time.Second}, true},
		"twice, and heard twice":         {"i1", fenced, []time.Duration{0, time.Second, 10 * time.Second}, true},
		"a minute apart":                 {"i1", fenced, []time.Duration{0, 2 * time.Minute}, false},
		"again after a long time":        {"i1", fenced, []time.Duration{0, time.Hour, time.Hour + 10*time.Second}, true},
		"nobody else can have this name": {"", fenced, []time.Duration{0, 10 * time.Second}, false},
		"member and epoch":               {"i1", []error{kerr.FencedInstanceID, fmt.Errorf("a: %w", kerr.InvalidProducerEpoch)}, []time.Duration{0, 10 * time.Second}, true},
		"other errors":                   {"i1", []error{kerr.UnknownMemberID}, []time.Duration{0, 10 * time.Second}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &Runner{cfg: Config{InstanceID: c.instance}}
				began := time.Now()
				for i, at := range c.at {
					time.Sleep(at - time.Since(began))
					cause := c.errs[i%len(c.errs)]
					err := r.fencedBy(cause)
					if !errors.Is(err, cause) {
						t.Fatalf("fencedBy(%v) = %v", cause, err)
					}
					if want := c.fatal && i == len(c.at)-1; isFatal(err) != want {
						t.Fatalf("after %s: %v, fatal want %t", at, err, want)
					}
				}
			})
		})
	}
}
