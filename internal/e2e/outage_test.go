package e2e_test

import (
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages"
)

// An outage of the provider that is longer than every deadline and than the retry
// budget ends nothing: what has happened meanwhile counts when it is back.
func TestOutageEndsNothing(t *testing.T) {
	rng := seeded(t)
	const bankID = 300_000
	const formLife, download, budget = 20 * time.Second, 10 * time.Second, 4 * time.Second
	w := newWorld(t, 3*time.Minute, pace{formLife: formLife, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: 2, rows: 20}})
	patient := w.providerWith(func(c *finapi.Config) { c.Patience = time.Second })
	defer patient.Close()
	stop := w.startInProcess(func(_ string, d *stages.Deps, c *pipeline.Config) {
		d.Provider = patient
		d.Timing.DownloadDeadline, c.RetryBudget = download, budget
	})
	w.fault("download-slow:delay=8s@user=" + patient.User("downloading").ID)
	want := func(user string, i intent) wanted {
		return wanted{importID: newID(rng), userID: user, bankID: bankID, intent: i}
	}
	requested, gone, downloading := want("requested", completes), want("gone", vanishes), want("downloading", completes)
	inForm := want("in form", vanishes) // until the outage
	all := []wanted{requested, inForm, gone, downloading}
	up := newUpstream(t, w.cluster.Brokers, prefix)
	up.publish(w.ctx, w.requests([]wanted{inForm, gone, downloading})...)
	w.awaitForms(inForm.importID, gone.importID, downloading.importID)
	users := w.startUsers(all, nil)
	if err := w.log.Until(w.ctx, "a download", func() bool {
		for _, r := range w.log.Topic("import-status") {
			if e := read[importStatus](t, r.Value); e.ImportID == downloading.importID && e.Step == "downloading" {
				return true
			}
		}
		return false
	}); err != nil {
		t.Fatal(err)
	}
	w.fault("status-503")
	for _, r := range w.log.Topic("webform-created") {
		if string(r.Key) == inForm.importID {
			if err := w.act(w.ctx, completes, read[struct{ URL string }](t, r.Value).URL); err != nil {
				t.Fatal(err)
			}
		}
	}
	up.publish(w.ctx, w.requests([]wanted{requested})...)
	pause(w.ctx, formLife+formGrace+budget)
	for _, topic := range []string{"import-completed", "import-failed", "dead-letters"} {
		if n := len(w.log.Topic(topic)); n != 0 {
			t.Errorf("%d records on %s in the outage, want none", n, topic)
		}
	}
	w.sim.ClearFaults()
	w.awaitEnds(plan{imports: all}.ids()...)
	users()
	w.awaitConsumed()
	stop()

	figures := w.verdict(w.settle(), w.truth(all))
	if figures.Completed != 3 || figures.Failed["form_expired"] != 1 {
		t.Errorf("%v; want 3 completed and a form expired", figures)
	}
	t.Log(figures)
}
