//go:build realkafka

package e2e_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/simulator"
)

// setting is a size of a test: make test-real takes what is short, make chaos
// sets what it names.
func setting(t *testing.T, variable string, short int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return short
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number", variable, s)
	}
	return n
}

// inFlight bounds what one process repeats after a crash.
const inFlight = 100

// One process per stage and the bridge, on a real broker, killed again and
// again while imports run, at random and between the steps of a commit: nothing
// is lost, nothing is there twice, and every import ends.
func TestKilledProcesses(t *testing.T) {
	imports := setting(t, "BANKIMPORT_TEST_IMPORTS", 200)
	kills := setting(t, "BANKIMPORT_TEST_KILLS", 20)
	rng := seeded(t)
	p := newPlan(rng, imports)
	w := newWorld(t, 8*time.Minute+time.Duration(imports)*time.Second, pace{formLife: 5 * time.Minute, callbacks: simulator.DeliverCallbacks}, p.banks)
	w.expireUnopened(p.imports, 30*time.Second)
	if !w.cluster.Real {
		t.Fatal("this test is about a real broker: run it with make test-real")
	}
	members := w.startMembers(build(t, "failpoints"), func(string) map[string]string { return w.settings(nil) })
	users := w.startUsers(p.imports, upTo(rand.New(rand.NewPCG(rng.Uint64(), 0)), 10*time.Second))
	up := newUpstream(t, w.cluster.Brokers, prefix)

	at := make(map[string]int) // kills by step, or "random"
	began := time.Now()
	requests := w.requests(p.imports)
	published, done := 0, 0
	for done < kills {
		// Requests keep coming, so that every stage always has something to do,
		// but no faster than imports end, and neither do the kills.
		ended := len(w.ended())
		if share := min(len(requests)*(done+1)/kills, ended+500); share > published {
			up.publish(w.ctx, requests[published:share]...)
			published = share
		}
		if !pause(w.ctx, time.Duration(rng.Int64N(int64(1500*time.Millisecond)))) {
			t.Fatal("no time is left")
		}
		if ended == len(p.imports) {
			t.Fatalf("all imports had ended before kill %d: nothing is proved by it", done+1)
		}
		for _, m := range members {
			if m.died() {
				step, _, _ := strings.Cut(m.failpoint, ":")
				at[step]++
				done++
				m.startWith(anyFailpoint(rng, m))
			}
		}
		if done > kills*(ended+500)/len(p.imports) {
			continue
		}
		// About every second kill is one from outside.
		if m := members[rng.IntN(len(members))]; at["random"] <= done/2+len(members) && m.kill() {
			at["random"]++
			done++
			m.startWith(anyFailpoint(rng, m))
		}
	}
	up.publish(w.ctx, requests[published:]...)
	for _, m := range members { // no more fail points
		m.kill()
		m.start()
	}
	w.awaitEnds(p.ids()...)
	took := time.Since(began)
	users()
	w.awaitConsumed()
	killed := make(map[string]int)
	for _, m := range members {
		m.awaitReady(w.ctx)
		m.stop()
		killed[m.name] = m.kills
	}
	figures := w.verdictOfChaos(p, killed)
	w.wantEveryKind(figures)
	t.Logf("%d kills %v, at %s: %v; %v from the first request to the last end",
		done, killed, counted(at), figures, took.Round(10*time.Millisecond))
}

// verdictOfChaos judges a run in which the processes of each stage, by name, were
// ended, or lost partitions, so many times, and prints how often the provider
// was called.
func (w *world) verdictOfChaos(p plan, crashes map[string]int) check.Figures {
	w.Helper()
	truth := w.truth(p.imports)
	// A form whose maker is killed before the commit is made again, and the
	// first one is an orphan: at most as many as are in flight in one process.
	truth.Orphans = crashes["webform"] * inFlight
	figures := w.verdict(w.settle(), truth)

	calls := w.sim.Journal().Calls
	const perPage = 500
	pages := 0
	for _, c := range truth.Connections {
		for _, a := range c.Accounts {
			if a.Loaded {
				pages += max((len(a.Rows)+perPage-1)/perPage, 1)
			}
		}
	}
	for _, c := range []struct {
		call      string
		need, got int
		stage     string
	}{
		{"create form", figures.Forms, calls["create form"][201], "webform"},
		{"list transactions", pages, calls["list transactions"][200], "transactions"},
	} {
		// The bound of G4: records and timers in flight have a bound each.
		most := c.need + crashes[c.stage]*2*inFlight
		w.Logf("%q: %d calls for %d that were needed, %d more after %d crashes of %s; the bound of G4 allows %d more",
			c.call, c.got, c.need, c.got-c.need, crashes[c.stage], c.stage, most-c.need)
		if c.got > most {
			w.Errorf("%q: %d calls, want at most %d", c.call, c.got, most)
		}
	}
	return figures
}

// anyFailpoint is a step of a commit, or of the start, at which a stage dies.
func anyFailpoint(rng *rand.Rand, m *member) string {
	if m.name == "bridge" {
		return ""
	}
	commit := []string{"commit", "picked", "begun", "produced", "offsets-added", "flushed", "ending", "ended", "committed"}
	start := []string{"assign", "restore", "restoring", "restored"}
	if rng.IntN(4) == 0 {
		return start[rng.IntN(len(start))] + ":1"
	}
	return fmt.Sprintf("%s:%d", commit[rng.IntN(len(commit))], 1+rng.IntN(40))
}

func counted(m map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(all, ", ")
}

// What a release ships contains no fail points.
func TestRelease_HasNoFailpoints(t *testing.T) {
	for tags, want := range map[string]bool{"": false, "failpoints": true} {
		binary, err := os.ReadFile(build(t, tags))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"BANKIMPORT_TEST_FAILPOINT", "BANKIMPORT_TEST_WEAKEN", "offsets-added"} {
			if got := bytes.Contains(binary, []byte(name)); got != want {
				t.Errorf("tags %q: the binary contains %s: %t, want %t", tags, name, got, want)
			}
		}
	}
}

// startMembers starts one process per stage and the bridge, each with its own
// settings: environment variables without their prefix.
func (w *world) startMembers(binary string, settings func(name string) map[string]string) []*member {
	w.Helper()
	var members []*member
	for _, name := range append(stageNames(), "bridge") {
		m := newMember(w.T, binary, name, settings(name))
		m.start()
		members = append(members, m)
	}
	for _, m := range members {
		m.awaitReady(w.ctx)
	}
	return members
}

func (w *world) settings(more map[string]string) map[string]string {
	settings := map[string]string{
		"KAFKA_BROKERS":          strings.Join(w.cluster.Brokers, ","),
		"TOPIC_PREFIX":           prefix,
		"FINAPI_CLIENT_ID":       clientID,
		"FINAPI_CLIENT_SECRET":   clientSecret,
		"FINAPI_ACCESS_URL":      w.simURL,
		"FINAPI_WEBFORM_URL":     w.simURL,
		"USER_KEY":               userKey,
		"ACCOUNT_KEY":            accountKey,
		"CALLBACK_BASE_URL":      "https://" + bridgeHost,
		"CALLBACK_KEYS":          w.callbackKeys,
		"PUBLIC_ADDR":            w.bridgeAddr,
		"PUBLIC_TLS_CERT":        string(w.cert.PEM),
		"PUBLIC_TLS_KEY":         string(w.cert.KeyPEM),
		"FORM_POLL_INTERVAL":     formPoll.String(),
		"FORM_GRACE":             formGrace.String(),
		"FORM_SECOND_LOOK":       lookAgain.String(),
		"FORM_THIRD_LOOK":        (3 * lookAgain).String(),
		"DOWNLOAD_POLL_INTERVAL": downloadPoll.String(),
		"DOWNLOAD_POLL_MAX":      (4 * downloadPoll).String(),
		"CATEGORY_POLL_INTERVAL": categoryPoll.String(),
		"MAX_IN_FLIGHT":          strconv.Itoa(inFlight),
	}
	maps.Copy(settings, more)
	return settings
}

// ended are the imports that have a final event.
func (w *world) ended() map[string]bool {
	all := make(map[string]bool)
	for _, topic := range []string{"import-completed", "import-failed"} {
		for _, r := range w.log.Topic(topic) {
			all[string(r.Key)] = true
		}
	}
	return all
}
