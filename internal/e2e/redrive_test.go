package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages"
)

// breakage is a call of the provider that fails for the imports of one bank,
// when a certain stage makes it.
type breakage struct {
	stage, call string
	bankID      int64
	timer       bool // what is given up is a timer
}

// breakages has one for every place in which an import can be given up.
func breakages() []breakage {
	const bank = 600_000
	return []breakage{
		{"webform", "create form", bank + 1, true},
		{"connection", "get form", bank + 2, true},
		{"connection", "get connection", bank + 3, true},
		{"accounts", "list accounts", bank + 4, false},
		{"transactions", "second page of the second account", bank + 5, true},
	}
}

// front stands before the simulator, with a path of its own for each stage, and
// answers 500 where something is broken.
type front struct {
	sim    *simulator.Simulator
	healed atomic.Bool
	hits   sync.Map // call → true
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stage, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath, r.RequestURI = "/"+rest, "", "/"+rest+"?"+r.URL.RawQuery
	if !f.healed.Load() {
		call, bankID, err := f.describe(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		for _, b := range breakages() {
			if b.stage == stage && b.call == call && b.bankID == bankID {
				f.hits.Store(call, true)
				http.Error(w, "broken", http.StatusInternalServerError)
				return
			}
		}
	}
	f.sim.ServeHTTP(w, r)
}

// describe says which call it is, and about which bank.
func (f *front) describe(r *http.Request) (call string, bankID int64, err error) {
	id := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	path, query := r.URL.Path, r.URL.Query()
	switch {
	case path == "/api/webForms/bankConnectionImport":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return "", 0, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var asked struct{ Bank struct{ ID int64 } }
		err = json.Unmarshal(body, &asked)
		return "create form", asked.Bank.ID, err
	case strings.HasPrefix(path, "/api/webForms/"):
		for _, form := range f.sim.Journal().Forms {
			if form.ID == strings.TrimPrefix(path, "/api/webForms/") {
				return "get form", form.BankID, nil
			}
		}
	case strings.HasPrefix(path, "/api/v2/bankConnections/"):
		return "get connection", f.bankOf(id(strings.TrimPrefix(path, "/api/v2/bankConnections/")), 0, nil), nil
	case path == "/api/v2/accounts":
		return "list accounts", f.bankOf(id(query.Get("bankConnectionIds")), 0, nil), nil
	case path == "/api/v2/transactions":
		place := 0
		bankID := f.bankOf(0, id(query.Get("accountIds")), &place)
		if place == 1 && query.Get("page") == "2" {
			return "second page of the second account", bankID, nil
		}
	}
	return "another", 0, nil
}

// bankOf finds the bank of a connection or of an account, and which account of
// its connection that is.
func (f *front) bankOf(connectionID, accountID int64, place *int) int64 {
	for _, c := range f.sim.Journal().Connections {
		if c.ID == connectionID {
			return c.BankID
		}
		for n, a := range c.Accounts {
			if a.ID == accountID {
				*place = n
				return c.BankID
			}
		}
	}
	return 0
}

// A provider that fails makes imports give up, at every stage. Once it is well
// again, a redrive brings each of them to its end as the second run, however
// often and by how many at once it is asked for; what cannot be mended becomes a
// dead letter again.
func TestRedrive(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	var banks []bank
	var imports, broken []wanted
	for i, b := range breakages() {
		banks = append(banks, bank{id: b.bankID, accounts: 2, rows: 520}) // two pages each
		w := wanted{importID: newID(rng), userID: fmt.Sprintf("user-%d", i), bankID: b.bankID}
		imports, broken = append(imports, w), append(broken, w)
	}
	for i := range 3 { // and some that nothing happens to
		imports = append(imports, wanted{importID: newID(rng), userID: fmt.Sprintf("fine-%d", i), bankID: testBank})
	}
	w := newWorld(t, 4*time.Minute, pace{formLife: 2 * time.Minute, callbacks: simulator.DeliverCallbacks}, banks)
	f := &front{sim: w.sim}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	stop := w.startInProcess(func(stage string, d *stages.Deps, c *pipeline.Config) {
		d.Provider = w.providerAt(server.URL + "/" + stage)
		c.RetryBudget = 3 * time.Second
	})
	users := w.startUsers(imports, nil)
	up := newUpstream(t, w.cluster.Brokers, prefix)
	up.publish(w.ctx, w.requests(imports)...)
	fine := imports[len(imports)-1]
	conflict := request(t, fine.importID, map[string]any{"import_id": fine.importID, "user_id": "somebody else"})
	garbage := request(t, newID(rng), nil)
	garbage.Value = []byte("please import my bank")
	up.publish(w.ctx, conflict, garbage)
	w.awaitEnds(planIDs(imports)...)
	w.awaitConsumed()

	letters := w.deadLetters()
	w.wantGivenUp(letters, broken)
	f.healed.Store(true)
	w.redriveAtOnce(rng, letters)
	w.awaitRun(2, broken)
	w.awaitConsumed()
	w.redriveNothing(letters)
	users()
	w.awaitConsumed()
	w.wantDeadAgain(w.deadLetters(), letters, string(garbage.Key), string(conflict.Key))
	stop()

	truth := w.truth(imports)
	truth.Runs = make(map[string]int)
	for _, b := range broken {
		truth.Runs[b.importID] = 2
	}
	truth.DeadLetters = map[string]int{"retries_exhausted": len(broken), "invalid_event": 2, "conflicting_request": 2}
	figures := w.verdict(w.settle(), truth)
	if figures.Redriven != len(letters) || figures.Completed != len(imports) {
		t.Errorf("%d redriven and %d completed, want %d and %d", figures.Redriven, figures.Completed, len(letters), len(imports))
	}
	for _, b := range breakages() {
		if _, hit := f.hits.Load(b.call); !hit {
			t.Errorf("nobody made the call %q: nothing is proved about it", b.call)
		}
	}
	t.Log(figures)
}

func planIDs(imports []wanted) []string { return plan{imports: imports}.ids() }

func (w *world) openDeadLetters() *pipeline.DeadLetters {
	w.Helper()
	d, err := pipeline.OpenDeadLetters(w.ctx, pipeline.DeadLettersConfig{
		KafkaOpts: []kgo.Opt{kgo.SeedBrokers(w.cluster.Brokers...)}, TopicPrefix: prefix,
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(d.Close)
	return d
}

// deadLetters are those that are not redriven, by id.
func (w *world) deadLetters() map[string]pipeline.DeadLetter {
	w.Helper()
	letters := make(map[string]pipeline.DeadLetter)
	err := w.openDeadLetters().Each(w.ctx, func(pipeline.DeadLetter) bool { return true }, func(l pipeline.DeadLetter) error {
		if l.RedrivenAt.IsZero() {
			letters[l.ID] = l
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return letters
}

// wantGivenUp checks that there is a dead letter of the right stage and kind for
// each import, and the two of the bad requests.
func (w *world) wantGivenUp(letters map[string]pipeline.DeadLetter, broken []wanted) {
	w.Helper()
	of := make(map[string]pipeline.DeadLetter) // by import id
	for _, l := range letters {
		if l.Class == "retries_exhausted" {
			of[string(l.Key)] = l
		}
	}
	for i, b := range breakages() {
		if l := of[broken[i].importID]; l.Stage != b.stage || l.Timer != b.timer || l.Attempts < 2 {
			w.Errorf("%s at %s: there is a dead letter of stage %q, timer %v, after %d attempts", b.call, b.stage, l.Stage, l.Timer, l.Attempts)
		}
	}
	if len(letters) != len(broken)+2 {
		w.Errorf("%d dead letters, want %d", len(letters), len(broken)+2)
	}
}

// redriveAtOnce redrives the letters from three sides at once, until one of them
// has got through.
func (w *world) redriveAtOnce(rng *rand.Rand, letters map[string]pipeline.DeadLetter) {
	w.Helper()
	mine := func(l pipeline.DeadLetter) bool { _, ok := letters[l.ID]; return ok }
	for through := false; !through; {
		var sides sync.WaitGroup
		var done, taken atomic.Int32
		for range 3 {
			d, wait := w.openDeadLetters(), time.Duration(rng.IntN(5))*time.Millisecond
			sides.Go(func() {
				time.Sleep(wait) // chance, not synchronisation
				err := d.Redrive(w.ctx, mine, func(l pipeline.DeadLetter, err error) {
					if err != nil && !errors.Is(err, pipeline.ErrRedriven) {
						w.Errorf("redrive %s: %v", l.ID, err)
					}
				})
				switch {
				case err == nil:
					done.Add(1)
				case errors.Is(err, pipeline.ErrRedriveTakenOver):
					taken.Add(1)
				default:
					w.Error(err)
				}
			})
		}
		sides.Wait()
		w.Logf("%d redrives got through, %d were taken over", done.Load(), taken.Load())
		through = done.Load() > 0 || w.Failed()
	}
}

// redriveNothing redrives the letters once more, which must not change anything.
func (w *world) redriveNothing(letters map[string]pipeline.DeadLetter) {
	w.Helper()
	told := 0
	err := w.openDeadLetters().Redrive(w.ctx, func(l pipeline.DeadLetter) bool { _, ok := letters[l.ID]; return ok }, func(l pipeline.DeadLetter, err error) {
		if told++; !errors.Is(err, pipeline.ErrRedriven) {
			w.Errorf("dead letter %s once more: %v, want ErrRedriven", l.ID, err)
		}
	})
	if err != nil || told != len(letters) {
		w.Errorf("told of %d dead letters (%v), want %d", told, err, len(letters))
	}
}

// awaitRun returns when each import has a final event of that run.
func (w *world) awaitRun(no int, imports []wanted) {
	w.Helper()
	ended := make(map[string]bool)
	err := w.log.Until(w.ctx, fmt.Sprintf("run %d of %d imports", no, len(imports)), func() bool {
		for _, topic := range []string{"import-completed", "import-failed"} {
			for _, r := range w.log.Topic(topic) {
				var body struct{ Run int }
				if json.Unmarshal(r.Value, &body) == nil && body.Run == no {
					ended[string(r.Key)] = true
				}
			}
		}
		return len(ended) >= len(imports)
	})
	if err != nil {
		w.Fatalf("%v; ended %v", err, ended)
	}
}

// wantDeadAgain checks that what stays wrong is a dead letter again, of the same
// class, which knows that it has been redriven.
func (w *world) wantDeadAgain(now, before map[string]pipeline.DeadLetter, keys ...string) {
	w.Helper()
	if len(now) != len(keys) {
		w.Errorf("%d dead letters are open, want %d", len(now), len(keys))
	}
	for _, key := range keys {
		found := false
		for _, l := range now {
			for _, b := range before {
				found = found || string(l.Key) == key && string(b.Key) == key && l.Redrives == 1 && l.Class == b.Class &&
					bytes.Equal(l.Value, b.Value) && l.Topic == b.Topic && l.Partition == b.Partition
			}
		}
		if !found {
			w.Errorf("no dead letter of %s is there again with one redrive", key)
		}
	}
}
