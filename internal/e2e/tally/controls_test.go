//go:build realkafka

package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// control is a case that a protection is for. It returns how often a process
// ended, or lost its partitions, with work in flight.
type control struct {
	protection string
	force      func(w *world, weaken string) (crashes int)
}

func controls() []control {
	return []control{
		{"map", forceMap},
		{"unknown", forceUnknown},
		{"generation", forceGeneration},
		{"restore", forceRestore},
	}
}

// Each protection of the engine has a case that is forced here twice: as the
// engine is, nothing may be wrong; without the protection the judge must see
// that something is. A control that stays green proves that the case is not the
// one, or that the judge is blind.
//
// The first two run always, all of them with BANKIMPORT_TEST_CONTROLS=all: the
// others have to wait for sessions to end.
func TestControls(t *testing.T) {
	b := startBroker(t)
	chosen := controls()
	if os.Getenv("BANKIMPORT_TEST_CONTROLS") != "all" {
		chosen = chosen[:2]
	}
	for _, c := range chosen {
		t.Run(c.protection, func(t *testing.T) {
			for _, weaken := range []string{"", c.protection} {
				w := newWorld(t, b, 2*time.Minute)
				v := w.judge(c.force(w, weaken))
				if weaken == "" {
					t.Logf("%s as it is: %v", c.protection, v)
					w.wantSound(v)
					continue
				}
				t.Logf("%s switched off: %v", c.protection, v)
				if v.wrong() == 0 {
					t.Errorf("without its protection %q the engine shows no violation: the control is blind", c.protection)
				}
			}
		})
	}
}

// forceMap kills a process while each partition has a record that is not
// finished and many behind it that are: only the map says so.
func forceMap(w *world, weaken string) int {
	var release []func()
	for i := range 4 * partitions { // enough to meet every partition
		key := fmt.Sprintf("held%d", i)
		release = append(release, w.hold(key))
		w.feed(key, 0, 0)
	}
	w.feedAll(100)
	p := w.process("only")
	p.weaken = weaken
	p.start("")
	w.awaitOutputs(100)
	p.kill()
	p.start("")
	for _, r := range release {
		r()
	}
	w.awaitEnd(90 * time.Second)
	p.stop()
	return 1
}

// forceUnknown makes the broker commit transactions and say that it does not
// know, or say nothing.
func forceUnknown(w *world, weaken string) int {
	p := w.process("only")
	p.weaken = weaken
	p.start("")
	w.feedAll(20)
	w.awaitOutputs(20)
	const times = 5
	for i := range times {
		if i%2 == 0 {
			w.broker.proxy.spoil.Store(1)
		} else {
			w.broker.proxy.lose.Store(1)
		}
		w.feedAll(20)
		w.awaitOutputs(20 * (i + 2))
	}
	w.awaitEnd(90 * time.Second)
	p.stop()
	return 0
}

// forceGeneration stops a process between choosing what to commit and
// committing it, until others own its partitions and have committed the same;
// then it goes on.
func forceGeneration(w *world, weaken string) int {
	p, other := w.process("a"), w.process("b")
	p.weaken = weaken
	p.start("picked:3:stop")
	for range 3 {
		w.feedAll(50)
		sleep(w.ctx, 300*time.Millisecond)
	}
	p.awaitStopped()
	other.start("")
	w.awaitEnd(90 * time.Second)
	open := w.broker.proxy.heartbeats.close() // nobody tells it that it is out
	defer open()
	p.signal(syscall.SIGCONT)
	sleep(w.ctx, time.Second) // it commits, or tries to
	open()
	w.feedAll(50)
	w.awaitEnd(90 * time.Second)
	p.stop()
	other.stop()
	return 1
}

// forceRestore kills a process whose last transaction is committed while the
// markers on the state topic are late. What the new owner restores up to the
// last stable offset lacks that state.
func forceRestore(w *world, weaken string) int {
	p, other := w.process("a"), w.process("b")
	other.weaken = weaken
	p.start("")
	w.feedAll(50)
	w.awaitOutputs(50)
	late := w.prefix + "bankimport.tally.state"
	w.broker.proxy.held.Store(0)
	w.broker.proxy.late.Store(&late)
	w.feedAll(50)
	w.awaitOutputs(51) // those of the first transaction, which may be one; the next has to wait for its markers
	p.kill()
	other.start("")
	w.feedAll(50)
	sleep(w.ctx, sessionTimeout+3*time.Second)
	w.broker.proxy.late.Store(nil)
	if w.broker.proxy.held.Load() == 0 {
		w.Error("no marker was late: nothing is proved")
	}
	w.awaitEnd(90 * time.Second)
	other.stop()
	return 1
}
