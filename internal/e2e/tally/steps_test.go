//go:build realkafka

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/markers"
)

// steps are the boundaries at which a process can be killed; they are listed in
// pipeline/testhooks_on.go too.
func steps() []string {
	return []string{
		"assign", "restore", "restoring", "restored",
		"commit", "picked", "begun", "produced", "offsets-added", "flushed", "ending", "ended", "committed", "offsets-only", "recovering", "recovered",
		"revoke", "drained",
	}
}

// kills is how often a process is killed at a step: at each of them once, or as
// often as BANKIMPORT_TEST_STEP_KILLS says.
func kills(t *testing.T) int {
	const variable = "BANKIMPORT_TEST_STEP_KILLS"
	s := os.Getenv(variable)
	if s == "" {
		return len(steps())
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number", variable, s)
	}
	return n
}

// Two processes of a stage, killed at every step boundary of a commit, a restore
// and a rebalance while records keep coming, with handlers that take longer than
// the drain waits; in between one is stopped beyond its session, and the broker
// is killed.
func TestKilledAtEveryStep(t *testing.T) {
	n := kills(t)
	w := newWorld(t, startBroker(t), time.Duration(n)*20*time.Second+3*time.Minute)
	mender, err := markers.Start(w.ctx, t.Logf, w.broker.proxy.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer mender.Stop()
	s := &storm{world: w, at: make(map[string]int), members: []*process{w.process("a"), w.process("b")}}
	w.slow = func(string, string) time.Duration { // called under the lock of the world
		if w.rng.IntN(50) == 0 {
			return time.Duration(w.rng.Int64N(int64(2 * drainTimeout)))
		}
		return time.Duration(w.rng.Int64N(int64(30 * time.Millisecond)))
	}
	stopFeeding := s.feed()
	for _, m := range s.members {
		s.start(m, "")
	}
	began := time.Now()
	deck := s.deck(n)
	for i, step := range deck {
		reached := false
		for try := 0; try < 3 && !reached; try++ { // some need luck
			reached = s.kill(step)
		}
		if !reached {
			s.missed++
		}
		switch {
		case i == n/3 || n > 60 && i%30 == 10:
			s.pauseOne()
		case i == 2*n/3 || n > 60 && i%30 == 20:
			s.killBroker()
		}
	}
	stopFeeding()
	w.awaitEnd(90 * time.Second)
	for _, m := range s.members {
		m.stop()
	}
	v := w.judge(s.crashes)
	w.wantSound(v)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.at)) {
		names = append(names, fmt.Sprintf("%s %d", name, s.at[name]))
	}
	t.Logf("%v: %d kills at steps (%s), %d at random, %d × SIGSTOP, %d × the broker killed, which lost %d markers: %v",
		time.Since(began).Round(time.Second), n-s.missed, strings.Join(names, ", "), s.random, s.paused, s.brokers, mender.Mended(), v)
	if s.missed > n/10 {
		t.Errorf("%d of %d steps were not reached: too little is proved", s.missed, n)
	}
}

// storm kills.
type storm struct {
	*world
	members []*process
	free    int // processes without an instance id so far
	quiet   atomic.Bool

	at      map[string]int // kills by step
	missed  int            // steps that were not reached
	random  int            // kills at random times
	paused  int
	brokers int
	crashes int // whatever ends or moves work in flight
}

// deck is n steps, each as often as any other, in random order.
func (s *storm) deck(n int) []string {
	var deck []string
	for len(deck) < n {
		s.mu.Lock()
		order := s.rng.Perm(len(steps()))
		s.mu.Unlock()
		for _, i := range order {
			deck = append(deck, steps()[i])
		}
	}
	return deck[:n]
}

func (s *storm) intN(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n)
}

// feed publishes until the function that it returns is called.
func (s *storm) feed() (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		for i := 0; sleep(ctx, 20*time.Millisecond); i++ {
			if s.quiet.Load() {
				s.feedQuiet(fmt.Sprintf("k%d", s.intN(300)))
				continue
			}
			for range 4 {
				s.world.feed(fmt.Sprintf("k%d", s.intN(300)), 0, 0)
			}
			if i%25 == 0 {
				s.world.feed(fmt.Sprintf("timer%d", i), 10, 100*time.Millisecond)
			}
		}
	})
	return func() {
		cancel()
		feeding.Wait()
		if err := s.feeder.Flush(s.ctx); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *storm) start(m *process, failpoint string) {
	s.crashes++ // others give partitions up for it
	m.start(failpoint)
}

// kill lets one of the members die at a step, and starts it again. It reports
// whether it got there.
func (s *storm) kill(step string) (reached bool) {
	s.Helper()
	m := s.members[s.intN(len(s.members))]
	nth := 1 + s.intN(10)
	switch step {
	case "assign", "restore", "restoring", "restored", "recovering", "recovered", "revoke", "drained":
		nth = 1
	case "offsets-only":
		nth = 1 + s.intN(2)
	}
	if m.kill() {
		s.random++
	}
	s.crashes++
	s.start(m, fmt.Sprintf("%s:%d", step, nth))
	var guest *process
	switch step {
	case "offsets-only":
		s.quiet.Store(true)
		defer s.quiet.Store(false)
	case "recovering", "recovered":
		defer s.broker.proxy.spoil.Store(0)
	case "revoke", "drained":
		guest = s.process(fmt.Sprintf("free%d", s.free))
		s.free++
	}
	limit := time.Now().Add(sessionTimeout + 15*time.Second)
	for i := 0; !m.ended() && time.Now().Before(limit); i++ {
		switch step {
		case "recovering", "recovered":
			s.broker.proxy.spoil.Store(1)
		case "revoke", "drained":
			if i == 50 { // the member has something by now
				s.start(guest, "")
			}
		}
		if !sleep(s.ctx, 20*time.Millisecond) {
			s.Fatal("no time is left")
		}
	}
	if reached = !m.kill(); reached {
		s.at[step]++
	}
	s.crashes++
	s.start(m, "")
	if guest != nil && guest.run != nil {
		if s.intN(2) == 0 {
			guest.stop()
		} else {
			guest.kill()
		}
		s.crashes++
	}
	return reached
}

// pauseOne stops a member until its session is over and others have its
// partitions.
func (s *storm) pauseOne() {
	s.Helper()
	m := s.members[s.intN(len(s.members))]
	m.signal(syscall.SIGSTOP)
	sleep(s.ctx, 2*sessionTimeout)
	m.signal(syscall.SIGCONT)
	s.paused++
	s.crashes++
	sleep(s.ctx, 2*time.Second)
}

func (s *storm) killBroker() {
	s.Helper()
	if err := s.broker.Kill(); err != nil {
		s.Fatal(err)
	}
	sleep(s.ctx, time.Duration(s.intN(2000))*time.Millisecond)
	if err := s.broker.Restart(s.ctx); err != nil {
		s.Fatal(err)
	}
	s.brokers++
	s.crashes += len(s.members)
	sleep(s.ctx, 2*time.Second)
}
