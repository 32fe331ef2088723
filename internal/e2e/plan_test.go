package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
)

// intent is what the user of an import does with the web form.
type intent int

const (
	completes intent = iota // logs in and takes all accounts
	aborts                  // opens the form and cancels
	vanishes                // never opens it

	isFollowed // opens it; then another browser does, too; completes
	isPreceded // another browser opens it first
	lingers    // opens it and completes when another form of theirs has expired
)

// wanted is an import that upstream asks for.
type wanted struct {
	importID string
	userID   string
	bankID   int64
	intent   intent
}

// bank is a bank that the simulator has to know.
type bank struct {
	id       int64
	accounts int
	rows     int // of each account
	failed   int // accounts whose download fails
}

// plan is a set of imports of distinct pairs of user and bank.
type plan struct {
	imports []wanted
	banks   []bank
}

// The finAPI test bank: 4 accounts with 1,612 rows, which the simulator knows
// by itself.
const testBank = 280001

// newPlan makes n imports of 20 rows each and one of the test bank. Of the n, a
// twentieth is aborted, as many expire, as many have an account that fails, and
// two get none of their accounts.
func newPlan(rng *rand.Rand, n int) plan {
	var p plan
	users := n/3 + 1 // some users connect several banks at once
	const (
		good    = 300_000
		failing = 400_000 // two accounts with 10 rows each and one that fails
		dead    = 500_000 // no account loads
	)
	for i := 0; i <= n/users; i++ {
		id := int64(i)
		p.banks = append(p.banks,
			bank{id: good + id, accounts: 2, rows: 10},
			bank{id: failing + id, accounts: 3, rows: 10, failed: 1},
			bank{id: dead + id, accounts: 2, rows: 10, failed: 2})
	}
	kind := rng.Perm(n) // a place in a shuffled row decides what becomes of an import
	for i := range n {
		w := wanted{
			importID: newID(rng),
			userID:   fmt.Sprintf("user-%d", i%users),
			bankID:   good + int64(i/users),
		}
		switch share := max(n/20, 1); {
		case kind[i] < share:
			w.intent = aborts
		case kind[i] < 2*share:
			w.intent = vanishes
		case kind[i] < 3*share:
			w.bankID += failing - good
		case kind[i] < 3*share+2:
			w.bankID += dead - good
		}
		p.imports = append(p.imports, w)
	}
	large := wanted{importID: newID(rng), userID: "user-large", bankID: testBank}
	at := rng.IntN(n + 1)
	p.imports = append(p.imports[:at], append([]wanted{large}, p.imports[at:]...)...)
	return p
}

// newID is an import id that the seed decides.
func newID(rng *rand.Rand) string {
	var b [16]byte
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4
	return uuid.UUID(b).String()
}

// seeded returns a source of chance whose seed the test prints. A run is
// repeated with BANKIMPORT_TEST_SEED.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	const variable = "BANKIMPORT_TEST_SEED"
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(variable); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
	}
	t.Logf("%s=%d", variable, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestPlan_PairsAreDistinctAndKindsAreThere(t *testing.T) {
	t.Parallel()
	p := newPlan(rand.New(rand.NewPCG(1, 2)), 200)
	if got := len(p.imports); got != 201 {
		t.Fatalf("got %d imports, want 201", got)
	}
	known := map[int64]bank{testBank: {id: testBank}}
	for _, b := range p.banks {
		known[b.id] = b
	}
	type pair struct {
		user string
		bank int64
	}
	pairs, ids, intents := make(map[pair]bool), make(map[string]bool), make(map[intent]int)
	partly, dead := 0, 0
	for _, w := range p.imports {
		pairs[pair{w.userID, w.bankID}] = true
		ids[w.importID] = true
		intents[w.intent]++
		b, ok := known[w.bankID]
		switch {
		case !ok:
			t.Errorf("bank %d is not in the plan", w.bankID)
		case b.failed > 0 && b.failed == b.accounts:
			dead++
		case b.failed > 0:
			partly++
		}
	}
	if len(pairs) != 201 || len(ids) != 201 {
		t.Errorf("got %d pairs and %d ids, want 201 of each", len(pairs), len(ids))
	}
	if intents[aborts] != 10 || intents[vanishes] != 10 || partly != 10 || dead != 2 {
		t.Errorf("got %d aborted, %d vanished, %d with a failed account, %d with none; want 10, 10, 10, 2",
			intents[aborts], intents[vanishes], partly, dead)
	}
}
