package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/e2e/judge"
	"github.com/bankimport/bankimport/internal/simulator"
)

// warehouse is a reader who knows nothing but the rule of the README, "Reading
// accounts and transactions".
type warehouse struct {
	rows    map[string]warehouseRow       // by transaction_key
	came    map[readOf]map[string]bool    // transaction keys that came, by what they were read in
	waiting map[readOf]warehouseCompleted // accounts whose rows have not all come
}

// readOf is one read of an account by an import.
type readOf struct {
	importID, accountKey string
	read                 int
}

type warehouseRow struct {
	Key        string    `json:"transaction_key"`
	AccountKey string    `json:"account_key"`
	ImportID   string    `json:"import_id"`
	Read       int       `json:"read"`
	StartedAt  time.Time `json:"read_started_at"`
	ProviderID int64     `json:"provider_transaction_id"`
	Amount     string    `json:"amount"`
}

type warehouseCompleted struct {
	ImportID string `json:"import_id"`
	Accounts []struct {
		AccountKey string    `json:"account_key"`
		ProviderID int64     `json:"provider_account_id"`
		Loaded     bool      `json:"loaded"`
		Read       int       `json:"read"`
		StartedAt  time.Time `json:"read_started_at"`
		Count      int       `json:"count"`
	} `json:"accounts"`
}

func newWarehouse() *warehouse {
	return &warehouse{map[string]warehouseRow{}, map[readOf]map[string]bool{}, map[readOf]warehouseCompleted{}}
}

// transaction is step 1: upsert by key as records come.
func (h *warehouse) transaction(t *testing.T, r judge.Record) {
	t.Helper()
	row := read[warehouseRow](t, r.Value)
	if row.Key != string(r.Key) {
		t.Fatalf("transaction %s has key %s", row.Key, r.Key)
	}
	h.rows[row.Key] = row
	of := readOf{row.ImportID, row.AccountKey, row.Read}
	if h.came[of] == nil {
		h.came[of] = map[string]bool{}
	}
	h.came[of][row.Key] = true
	if done, ok := h.waiting[of]; ok {
		h.completed(done)
	}
}

// completed is step 2, wait until all rows of the read have come, and step 3, drop
// rows of the account that were read before.
func (h *warehouse) completed(done warehouseCompleted) {
	for _, a := range done.Accounts {
		of := readOf{done.ImportID, a.AccountKey, a.Read}
		switch {
		case !a.Loaded:
		case len(h.came[of]) < a.Count:
			h.waiting[of] = done
		default:
			delete(h.waiting, of)
			maps.DeleteFunc(h.rows, func(_ string, r warehouseRow) bool {
				return r.AccountKey == a.AccountKey && r.StartedAt.Before(a.StartedAt)
			})
		}
	}
}

// The rule of the README leaves each row of the bank once, whatever came before:
// the same connection read again while its rows get new ids, a read that breaks
// off in the middle, and the same bank connected anew with new ids of everything.
func TestAnalyticsRule(t *testing.T) {
	rng := seeded(t)
	const bankID, accounts, rows = 300_000, 3, 700 // two pages each
	w := newWorld(t, 2*time.Minute, pace{formLife: time.Minute, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: accounts, rows: rows}})
	stop := w.startInProcess()
	defer stop()
	client := w.provider() // it only derives ids here
	defer client.Close()
	user := "@user=" + client.User("u").ID
	want := func() wanted { return wanted{importID: newID(rng), userID: "u", bankID: bankID} }
	first, anew := want(), want()
	users := w.startUsers([]wanted{first, anew}, nil)
	defer users()
	up := newUpstream(t, w.cluster.Brokers, prefix)
	connection := func(importID string) (id int64) {
		for _, r := range w.log.Topic("import-completed") {
			if string(r.Key) == importID {
				id = read[struct {
					ID int64 `json:"bank_connection_id"`
				}](t, r.Value).ID
			}
		}
		return id
	}
	readAgain := func(id int64) {
		i := newID(rng)
		up.publish(w.ctx, request(t, i, map[string]any{"import_id": i, "user_id": "u", "bank_connection_id": id}))
		w.awaitEnds(i)
	}

	up.publish(w.ctx, w.requests([]wanted{first})...)
	w.awaitEnds(first.importID)
	w.wantWarehouse("the first import", accounts*rows, byID)
	before := w.accountKeys()

	id := connection(first.importID)
	w.fault("rows-reimported:count=1,after=0" + user)
	readAgain(id)
	w.wantWarehouse("rows with new ids", accounts*rows, byID)

	// The first page has the old ids; nobody can see that from count and sum. The
	// next read drops them.
	w.fault("rows-reimported:count=1,after=1" + user)
	readAgain(id)
	w.wantWarehouse("rows with new ids in the middle of a read", accounts*rows, byAmount)

	w.fault("connection-deleted:count=1,after=1,op=list-transactions" + user)
	readAgain(id)
	if failed := w.log.Topic("import-failed"); len(failed) != 1 || !strings.Contains(string(failed[0].Value), "connection_deleted") {
		t.Fatalf("%d imports failed, want the one whose connection is deleted", len(failed))
	}

	up.publish(w.ctx, w.requests([]wanted{anew})...)
	w.awaitEnds(anew.importID)
	if connection(anew.importID) == id {
		t.Fatal("the connection has the id that it had before")
	}
	w.wantWarehouse("the bank connected anew", accounts*rows, byID)
	if after := w.accountKeys(); len(before) != accounts || !slices.Equal(before, after) {
		t.Errorf("account keys %v, before %v: want them to stay", after, before)
	}
}

// How rows are compared: by account and provider's id and amount, or without the id.
func byID(account string, id int64, amount string) string {
	return fmt.Sprint(account, " ", id, " ", amount)
}
func byAmount(account string, _ int64, amount string) string {
	return account + " " + amount
}

// wantWarehouse applies the rule to all records there are, in three orders, and
// compares what remains with what the provider has of the newest connection.
func (w *world) wantWarehouse(when string, rows int, show func(account string, id int64, amount string) string) {
	w.Helper()
	ends := w.log.Topic("import-completed")
	h, seen := newWarehouse(), 0
	for _, r := range ends {
		h.completed(read[warehouseCompleted](w.T, r.Value))
	}
	err := w.log.Until(w.ctx, "the rows of all reads", func() bool {
		for _, r := range w.log.Topic("transactions")[seen:] {
			h.transaction(w.T, r)
			seen++
		}
		return len(h.waiting) == 0
	})
	if err != nil {
		w.Fatal(err)
	}
	transactions := w.log.Topic("transactions")
	newest := read[warehouseCompleted](w.T, ends[len(ends)-1].Value)
	var want []string
	for _, a := range newest.Accounts {
		for r := range w.sim.Rows(a.ProviderID) {
			want = append(want, show(a.AccountKey, r.ID, r.Amount))
		}
	}
	slices.Sort(want)
	if len(want) != rows {
		w.Fatalf("%s: the provider has %d rows, want %d", when, len(want), rows)
	}
	for order, cut := range map[string]int{"ends last": len(transactions), "ends first": 0, "ends in between": len(transactions) / 2} {
		h := newWarehouse()
		for _, r := range transactions[:cut] {
			h.transaction(w.T, r)
		}
		for _, r := range ends {
			h.completed(read[warehouseCompleted](w.T, r.Value))
		}
		for _, r := range transactions[cut:] {
			h.transaction(w.T, r)
		}
		var got []string
		for _, r := range h.rows {
			got = append(got, show(r.AccountKey, r.ProviderID, r.Amount))
		}
		slices.Sort(got)
		if len(h.waiting) > 0 || !slices.Equal(got, want) {
			w.Errorf("%s, %s: the rule leaves %d rows and waits for %d accounts; the provider has %d rows, others or the same", when, order, len(got), len(h.waiting), len(want))
		}
	}
}

// accountKeys are those of the newest import that completed.
func (w *world) accountKeys() (keys []string) {
	w.Helper()
	ends := w.log.Topic("import-completed")
	for _, a := range read[warehouseCompleted](w.T, ends[len(ends)-1].Value).Accounts {
		keys = append(keys, a.AccountKey)
	}
	slices.Sort(keys)
	return keys
}
