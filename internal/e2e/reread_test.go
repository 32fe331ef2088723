package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages"
)

// An import that ends although there is a connection names it, and a request with
// that id reads it without a form: also while the bank's download still runs.
func TestReadAgainAfterFailure(t *testing.T) {
	rng := seeded(t)
	const bankID, download = 300_000, 8 * time.Second
	w := newWorld(t, 2*time.Minute, pace{formLife: time.Minute, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: 2, rows: 10}})
	stop := w.startInProcess(func(_ string, d *stages.Deps, _ *pipeline.Config) {
		d.Timing.DownloadDeadline, d.Timing.CategoryDeadline = download, caseCategories
	})
	w.fault("download-slow:delay=14s@user=" + w.providerUser("slow"))
	want := func(user string) wanted { return wanted{importID: newID(rng), userID: user, bankID: bankID} }
	first, twice, slow := want("twice"), want("twice"), want("slow")
	users := w.startUsers([]wanted{first, twice, slow}, nil)
	up := newUpstream(t, w.cluster.Brokers, prefix)
	up.publish(w.ctx, w.requests([]wanted{first, slow})...)
	w.awaitEnds(first.importID)
	up.publish(w.ctx, w.requests([]wanted{twice})...)
	w.awaitEnds(twice.importID, slow.importID)

	again := map[string]wanted{"already_connected": want("twice"), "download_timeout": want("slow")} // by how the one before ended
	connections := make(map[string]int64)                                                            // by import
	for _, r := range w.log.Topic("import-failed") {
		failed := read[struct {
			Reason     string `json:"reason"`
			Connection int64  `json:"bank_connection_id"`
		}](t, r.Value)
		i, ok := again[failed.Reason]
		if !ok || failed.Connection == 0 {
			t.Fatalf("ended as %q with connection %d", failed.Reason, failed.Connection)
		}
		connections[i.importID] = failed.Connection
		up.publish(w.ctx, request(t, i.importID, map[string]any{"import_id": i.importID, "user_id": i.userID, "bank_connection_id": failed.Connection}))
	}
	all := []wanted{first, twice, slow, again["already_connected"], again["download_timeout"]}
	w.awaitEnds(plan{imports: all}.ids()...)
	users()
	w.awaitConsumed()
	stop()

	truth := w.truth(all)
	truth.Amend(slow.importID, func(r *check.Request) { r.Refused = "download_timeout" })
	for _, i := range again {
		truth.Amend(i.importID, func(r *check.Request) { r.ConnectionID = connections[i.importID] })
	}
	records := w.settle()
	figures := w.verdict(records, truth)
	if figures.Completed != 3 || figures.Failed["already_connected"] != 1 || figures.Failed["download_timeout"] != 1 {
		t.Errorf("%v; want 3 completed, 1 already connected and 1 download that was too slow", figures)
	}
	seen := sightings(t, records)
	for _, i := range all {
		if problem := seen[i.importID].statusProblem(download); problem != "" {
			t.Error(problem)
		}
	}
	for reason, i := range again {
		if got, want := strings.Join(seen[i.importID].waits(), " "), "us bank provider us nobody"; got != want {
			t.Errorf("after %s: waits for %s, want %s", reason, got, want)
		}
	}
	if n := w.sim.Journal().Calls["create form"][201]; n != 3 {
		t.Errorf("%d forms were made, want none for what is read again", n)
	}
	t.Log(figures)
}
