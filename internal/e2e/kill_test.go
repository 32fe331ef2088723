//go:build realkafka

package e2e_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// kills is how often one of the processes is ended with SIGKILL.
const kills = 20

// One process per stage and the bridge, on a real broker, killed again and
// again while imports run: nothing is lost, nothing is there twice, and every
// import ends.
func TestKilledProcesses(t *testing.T) {
	rng := seeded(t)
	p := newPlan(rng, 200)
	w := newWorld(t, 8*time.Minute, pace{formLife: 45 * time.Second, callbacks: simulator.DeliverCallbacks}, p.banks)
	if !w.cluster.Real {
		t.Fatal("this test is about a real broker: run it with make test-real")
	}
	members := w.startMembers(build(t))
	users := w.startUsers(p.imports, upTo(rand.New(rand.NewPCG(rng.Uint64(), 0)), 10*time.Second))
	up := newUpstream(t, w.cluster.Brokers, prefix)

	deck := rng.Perm(kills) // every process as often as any other, in random order
	began := time.Now()
	requests := w.requests(p.imports)
	for i := range kills {
		// Requests keep coming, so that every stage always has something to do.
		up.publish(w.ctx, requests[len(requests)*i/kills:len(requests)*(i+1)/kills]...)
		if !pause(w.ctx, time.Duration(rng.Int64N(int64(1500*time.Millisecond)))) {
			t.Fatal("no time is left")
		}
		if len(w.ended()) == len(p.imports) {
			t.Fatalf("all imports had ended before kill %d: nothing is proved by it", i+1)
		}
		m := members[deck[i]%len(members)]
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

	truth := w.truth(p.imports)
	// A form whose maker is killed before the commit is made again, and the
	// first one is an orphan: at most those that were on their way, which here
	// are the requests of a round or two.
	truth.Orphans = killed["webform"] * 2 * (len(p.imports)/kills + 1)
	figures := w.verdict(w.settle(), truth)
	w.wantEveryKind(figures)
	t.Logf("%d kills %v: %v; %d orphan forms; %v from the first request to the last end",
		kills, killed, figures, len(truth.Forms)-figures.Forms, took.Round(10*time.Millisecond))
}

// startMembers starts one process per stage and the bridge.
func (w *world) startMembers(binary string) []*member {
	w.Helper()
	settings := map[string]string{
		"KAFKA_BROKERS":          w.cluster.Brokers[0],
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
		"PUBLIC_TLS_CERT":        string(w.cert.certPEM),
		"PUBLIC_TLS_KEY":         string(w.cert.keyPEM),
		"FORM_POLL_INTERVAL":     formPoll.String(),
		"FORM_GRACE":             formGrace.String(),
		"FORM_SECOND_LOOK":       lookAgain.String(),
		"FORM_THIRD_LOOK":        (3 * lookAgain).String(),
		"DOWNLOAD_POLL_INTERVAL": downloadPoll.String(),
		"DOWNLOAD_POLL_MAX":      (4 * downloadPoll).String(),
		"CATEGORY_POLL_INTERVAL": categoryPoll.String(),
	}
	var members []*member
	for _, name := range append(stageNames(), "bridge") {
		m := newMember(w.T, binary, name, settings)
		m.start()
		members = append(members, m)
	}
	for _, m := range members {
		m.awaitReady(w.ctx)
	}
	return members
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
