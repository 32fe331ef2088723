package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestRefusedAgainAndAgain has Kafka refuse the result of a record, then what is
// to be published when it is given up, then the dead letter's value.
func TestRefusedAgainAndAgain(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 1<<10)
	for name, c := range map[string]struct {
		gaveUp   string // what GaveUp publishes
		value    string // of the record
		headers  int    // bytes of a header of the record
		gone     bool   // the dead letter has lost its value
		outcomes int    // outputs that remain
	}{
		"result":                      {"gave up", "small", 0, false, 1},
		"result and what GaveUp says": {large, "small", 0, false, 0},
		"all, and the dead letter with its value": {large, large, 0, true, 0},
		"result, and the dead letter":             {"gave up", large, 0, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCluster(t)
			for _, topic := range []string{"out", "dead-letters"} {
				v := "4000"
				if _, err := cl.admin().AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &v}}, cl.prefix+topic); err != nil {
					t.Fatal(err)
				}
			}
			noise := func(s string) string { return incompressible(s, len(s)) }
			p := cl.start(handler{
				handle: func(_ context.Context, tr Trigger, s State) (Result, error) {
					if tr.Key == "p" && tr.Event.Header("again") == "" {
						return Result{Events: []Event{out("p", noise(large))}, State: SetState([]byte("must not stay"))}, nil
					}
					return Result{Events: []Event{out(tr.Key, "fine "+string(s.Value))}}, nil
				},
				gaveUp: func(tr Trigger, _ State, _ error) Result {
					e := c.gaveUp
					if len(e) > 100 {
						e = noise(e)
					}
					return Result{Events: []Event{out(tr.Key, e)}, State: SetState([]byte("given up"))}
				},
			})
			value := c.value
			if len(value) > 100 {
				value = noise(value)
			}
			cl.publish("p", value)
			cl.publish("q", "x")
			cl.publish("p", "x", header("again", "yes"))
			dead := cl.read("dead-letters", 1)[0]
			h := headers(dead)
			if h[HeaderDeadLetterClass] != classInvalidResult || !strings.Contains(h[HeaderDeadLetterError], "kafka refused the result") {
				t.Errorf("headers %v", h)
			}
			if gone := h[HeaderDeadLetterTruncated] == "value"; gone != c.gone || gone != (len(dead.Value) == 0) || !gone && !bytes.Equal(dead.Value, []byte(value)) {
				t.Errorf("dead letter with a value of %d bytes, headers %v", len(dead.Value), h)
			}
			got := map[string]string{}
			for _, r := range cl.read("out", 2+c.outcomes) {
				got[string(r.Key)] = string(r.Value) // the last one
			}
			state := ""
			if c.outcomes > 0 {
				state = "given up"
			}
			if got["q"] != "fine " || got["p"] != "fine "+state {
				t.Errorf("outputs %v, want p to see the state %q", got, state)
			}
			if err := p.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestManyRefused: a search of many steps is not taken for a commit that never works.
func TestManyRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	v := "4000"
	if _, err := c.admin().AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &v}}, c.prefix+"out"); err != nil {
		t.Fatal(err)
	}
	const n = 40
	started := make(chan struct{}, n)
	all := make(chan struct{})
	c.start(handler{handle: func(_ context.Context, tr Trigger, _ State) (Result, error) {
		started <- struct{}{}
		<-all
		if string(tr.Event.Value) == "poison" {
			return Result{Events: []Event{out(tr.Key, incompressible(tr.Key, 9000))}}, nil
		}
		return Result{Events: []Event{out(tr.Key, "fine")}}, nil
	}})
	for i := range n {
		value := "fine"
		if i%8 == 3 {
			value = "poison"
		}
		c.publish(fmt.Sprint(i), value)
	}
	for range n {
		<-started
	}
	close(all)
	c.read("dead-letters", 5)
	c.read("out", n-5)
}

func TestCommitGap(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, c := range map[string]struct{ last, took, want time.Duration }{
		"no commit yet":      {0, 0, 0},
		"the first one":      {0, 3 * ms, 6 * ms},
		"steady":             {3 * ms, 4 * ms, 6 * ms},
		"one slow by chance": {3 * ms, 90 * ms, 6 * ms},
		"the one after it":   {90 * ms, 3 * ms, 6 * ms},
		"a slow broker":      {40 * ms, 45 * ms, 80 * ms},
		"a very slow one":    {2000 * ms, 3000 * ms, maxCommitGap},
	} {
		if got := commitGap(c.last, c.took); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
