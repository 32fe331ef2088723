package e2e_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// What a good import of two accounts asks the provider, so that nobody makes it
// more without noticing. The waits are waited for with the default pace.
func TestCallsOfAnImport(t *testing.T) {
	rng := seeded(t)
	const bankID = 300_000
	w := newWorld(t, time.Minute, pace{formLife: time.Minute, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: 2, rows: 20}})
	stop := w.startInProcess()
	imports := []wanted{{importID: newID(rng), userID: "only", bankID: bankID}}
	users := w.startUsers(imports, nil)
	w.publish(imports, false)
	w.awaitEnds(imports[0].importID)
	users()
	stop()

	total := 0
	calls := w.sim.Journal().Calls
	for _, operation := range slices.Sorted(maps.Keys(calls)) {
		n := 0
		for _, of := range calls[operation] {
			n += of
		}
		total += n
		t.Logf("%s: %d", operation, n)
		most := map[string]int{
			"token": 2, "create user": 1, "create form": 1, // the client's token and the user's
			"get form":          4, // the poll may fall beside the callback
			"get connection":    8, // download and categories, then once before accounts and once at the end
			"list accounts":     5, // with each look at a download that has ended
			"list transactions": 2,
		}[operation]
		if n > most {
			t.Errorf("%s: %d calls, want at most %d", operation, n, most)
		}
	}
	t.Logf("%d calls", total)
}
