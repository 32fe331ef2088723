package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestNestedErrors: where one kind of error was wrapped around another, the
// outer one counts.
func TestNestedErrors(t *testing.T) {
	t.Parallel()
	plain := errors.New("x")
	for name, c := range map[string]struct {
		err   error
		class string // "": none
		after time.Duration
	}{
		"nil":                               {nil, "", 0},
		"plain":                             {plain, "", 0},
		"permanent":                         {Permanent("bad", plain), "bad", 0},
		"unavailable":                       {Unavailable(plain, time.Second), "", time.Second},
		"wrapped permanent":                 {fmt.Errorf("a: %w", Permanent("bad", plain)), "bad", 0},
		"wrapped unavailable":               {fmt.Errorf("a: %w", Unavailable(plain, time.Second)), "", time.Second},
		"permanent around unavailable":      {Permanent("bad", fmt.Errorf("a: %w", Unavailable(plain, time.Second))), "bad", 0},
		"unavailable around permanent":      {Unavailable(fmt.Errorf("a: %w", Permanent("bad", plain)), time.Second), "", time.Second},
		"three deep, unavailable outermost": {Unavailable(Permanent("bad", Unavailable(plain, time.Minute)), time.Second), "", time.Second},
		"three deep, permanent outermost":   {Permanent("bad", Unavailable(Permanent("worse", plain), time.Second)), "bad", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, isPermanent := Class(c.err)
			after, isUnavailable := RetryAfter(c.err)
			if class != c.class || isPermanent != (c.class != "") {
				t.Errorf("Class = %q, %t, want %q", class, isPermanent, c.class)
			}
			if after != c.after || isUnavailable != (c.after != 0) {
				t.Errorf("RetryAfter = %s, %t, want %s", after, isUnavailable, c.after)
			}
		})
	}
}
