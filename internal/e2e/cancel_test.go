package e2e_test

import (
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/simulator"
)

// Cancelled in time, twice, while the provider is busy and too late; a bank imported again; a connection read
// again, by its user and by a stranger.
func TestCancelAndReadAgain(t *testing.T) {
	rng := seeded(t)
	const bankID = 300_000
	w := newWorld(t, 4*time.Minute, pace{formLife: time.Minute, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: 2, rows: 10}})
	stop := w.startInProcess()
	want := func(user string, i intent) wanted {
		return wanted{importID: newID(rng), userID: user, bankID: bankID, intent: i}
	}
	before, open, twice, busy := want("before", vanishes), want("open", vanishes), want("twice", vanishes), want("busy", vanishes)
	late, again := want("late", completes), want("late", completes)
	reread, stranger := want("late", vanishes), want("stranger", vanishes)
	forms := []wanted{before, open, twice, busy, late, again}
	w.fault("status-423:count=2,op=cancel-form@user=" + w.providerUser(busy.userID))
	users := w.startUsers(forms, nil)
	up := newUpstream(t, w.cluster.Brokers, prefix)

	up.publish(w.ctx, cancelOf(t, before.importID))
	up.publish(w.ctx, w.requests([]wanted{before, open, twice, busy, late})...)
	w.awaitForms(open.importID, twice.importID, busy.importID)
	up.publish(w.ctx, cancelOf(t, open.importID), cancelOf(t, twice.importID), cancelOf(t, twice.importID), cancelOf(t, busy.importID))
	w.awaitEnds(before.importID, open.importID, twice.importID, busy.importID, late.importID)

	up.publish(w.ctx, cancelOf(t, late.importID))
	up.publish(w.ctx, w.requests([]wanted{again})...)
	connection := w.onlyConnection()
	for _, i := range []wanted{reread, stranger} {
		up.publish(w.ctx, request(t, i.importID, map[string]any{"import_id": i.importID, "user_id": i.userID, "bank_connection_id": connection}))
	}
	all := append(forms, reread, stranger)
	w.awaitEnds(plan{imports: all}.ids()...)
	users()
	w.awaitConsumed()
	stop()

	truth := w.truth(all)
	for _, i := range []wanted{before, open, twice, busy, late} {
		truth.Amend(i.importID, func(r *check.Request) { r.Cancelled = true })
	}
	truth.Amend(reread.importID, func(r *check.Request) { r.ConnectionID = connection })
	truth.Amend(stranger.importID, func(r *check.Request) { r.Refused = "connection_deleted" })
	figures := w.verdict(w.settle(), truth)
	if figures.Completed != 2 || figures.Failed["cancelled"] != 4 || figures.Failed["already_connected"] != 1 || figures.Rows != 40 {
		t.Errorf("%v; want 2 completed with 20 rows each, 4 cancelled, 1 already connected", figures)
	}
	if n := w.sim.Journal().Calls["cancel form"][200]; n != 3 {
		t.Errorf("the provider cancelled %d forms, want each of the three once", n)
	}
	t.Log(figures)
}

// awaitForms returns when upstream knows the forms of these imports.
func (w *world) awaitForms(ids ...string) {
	w.Helper()
	err := w.log.Until(w.ctx, "web forms", func() bool {
		made := make(map[string]bool)
		for _, r := range w.log.Topic("webform-created") {
			made[string(r.Key)] = true
		}
		for _, id := range ids {
			if !made[id] {
				return false
			}
		}
		return true
	})
	if err != nil {
		w.Fatal(err)
	}
}

// onlyConnection is the one connection that the provider has.
func (w *world) onlyConnection() int64 {
	w.Helper()
	all := w.sim.Journal().Connections
	if len(all) != 1 {
		w.Fatalf("the provider has %d connections, want 1", len(all))
	}
	return all[0].ID
}
