package e2e_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bankimport/bankimport/internal/e2e/judge"
	"github.com/bankimport/bankimport/internal/simulator"
)

// warehouse is a reader who knows nothing but the rule of the README, "Reading
// accounts and transactions". Whoever changes one changes the other.
type warehouse struct {
	*testing.T
	row      func(judge.Record) analyticsRow
	accounts map[string]analyticsAccount        // by account_key
	rows     map[string]map[string]analyticsRow // by account_key and transaction_key
	complete map[string]completedAccount        // what accounts are complete as of, by account_key
	waiting  []completedAccount
}

type analyticsAccount struct {
	Key        string `json:"account_key"`
	Doubtful   bool   `json:"key_doubtful"`
	UserID     string `json:"user_id"`
	ProviderID int64  `json:"provider_account_id"`
	Number     string `json:"account_number"`
}

type analyticsRow struct {
	Key        string    `json:"transaction_key"`
	AccountKey string    `json:"account_key"`
	ImportID   string    `json:"import_id"`
	Read       int       `json:"read"`
	StartedAt  time.Time `json:"read_started_at"`
	ProviderID int64     `json:"provider_transaction_id"`
	Amount     string    `json:"amount"`
}

type analyticsCompleted struct {
	ImportID     string             `json:"import_id"`
	UserID       string             `json:"user_id"`
	ConnectionID int64              `json:"bank_connection_id"`
	Accounts     []completedAccount `json:"accounts"`
	CompletedAt  time.Time          `json:"completed_at"`
}

type completedAccount struct {
	Key       string    `json:"account_key"`
	Loaded    bool      `json:"loaded"`
	StartedAt time.Time `json:"read_started_at"`
	Count     int       `json:"count"`
	Sum       string    `json:"sum"`
}

// take applies the rule to what one poll of a consumer gives.
func (h *warehouse) take(records []judge.Record) {
	h.Helper()
	for _, r := range records {
		switch r.Topic { // step 1
		case "accounts":
			a := read[analyticsAccount](h.T, r.Value)
			h.hasKey(r, a.Key)
			h.accounts[a.Key] = a
		case "transactions":
			row := h.row(r)
			h.hasKey(r, row.Key)
			if h.rows[row.AccountKey] == nil {
				h.rows[row.AccountKey] = make(map[string]analyticsRow)
			}
			old, there := h.rows[row.AccountKey][row.Key]
			if there && old.StartedAt.After(row.StartedAt) || row.StartedAt.Before(h.complete[row.AccountKey].StartedAt) { // the latter is step 3, for rows that come later
				continue
			}
			h.rows[row.AccountKey][row.Key] = row
		case "import-completed":
			for _, a := range read[analyticsCompleted](h.T, r.Value).Accounts {
				if a.Loaded {
					h.waiting = append(h.waiting, a)
				}
			}
		}
	}
	h.waiting = slices.DeleteFunc(h.waiting, func(a completedAccount) bool {
		if a.StartedAt.Before(h.complete[a.Key].StartedAt) {
			return true
		}
		have := 0 // step 2
		for _, row := range h.rows[a.Key] {
			if !row.StartedAt.Before(a.StartedAt) {
				have++
			}
		}
		if have < a.Count {
			return false
		}
		h.complete[a.Key] = a // step 3
		maps.DeleteFunc(h.rows[a.Key], func(_ string, row analyticsRow) bool { return row.StartedAt.Before(a.StartedAt) })
		return true
	})
	for key, a := range h.complete { // what was complete never becomes less
		if n := len(h.rows[key]); n < a.Count {
			h.Fatalf("an account that had %d rows is left with %d", a.Count, n)
		}
	}
}

func (h *warehouse) hasKey(r judge.Record, key string) {
	if string(r.Key) != key {
		h.Fatalf("a record of %s has key %q, its value says %q", r.Topic, r.Key, key)
	}
}

// unlisted drops by hand, as the README says of doubtful keys, what the user's
// newest import does not list, and says how many accounts that were.
func (h *warehouse) unlisted(newest analyticsCompleted) (dropped int) {
	for key, a := range h.accounts {
		listed := slices.ContainsFunc(newest.Accounts, func(c completedAccount) bool { return c.Key == key })
		if a.UserID == newest.UserID && !listed {
			delete(h.accounts, key)
			delete(h.rows, key)
			dropped++
		}
	}
	return dropped
}

// The users of the imports. Accounts of the second one come to look alike.
const (
	plain    = "plain"
	doubtful = "doubtful"
)

// analytics imports one bank for two users again and again.
type analytics struct {
	*world
	rng  *rand.Rand
	up   *upstream
	rows map[recordAt]analyticsRow // those that were decoded
}

type recordAt struct {
	partition int32
	offset    int64
}

// row decodes a transaction, each of them once.
func (a *analytics) row(r judge.Record) analyticsRow {
	a.Helper()
	at := recordAt{r.Partition, r.Offset}
	row, ok := a.rows[at]
	if !ok {
		row = read[analyticsRow](a.T, r.Value)
		a.rows[at] = row
	}
	return row
}

// The rule of the README leaves each row of the bank once, whatever came before
// and in whatever order partitions are read.
func TestAnalyticsRule(t *testing.T) {
	const bankID, accounts, rows = 300_000, 3, 600 // two pages each
	rng := seeded(t)
	w := newWorld(t, 4*time.Minute, pace{formLife: time.Minute, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: accounts, rows: rows}})
	stop := w.startInProcess()
	defer stop()
	fault := func(user, text string) { w.fault(text + "@user=" + w.providerUser(user)) }
	a := &analytics{world: w, rng: rng, up: newUpstream(t, w.cluster.Brokers, prefix), rows: make(map[recordAt]analyticsRow)}
	want := func(user string) wanted { return wanted{importID: newID(rng), userID: user, bankID: bankID} }
	first, anew := []wanted{want(plain), want(doubtful)}, []wanted{want(plain), want(doubtful)}
	users := w.startUsers(slices.Concat(first, anew), nil)
	defer users()

	// One row comes while each account is read, and one of the first goes, so
	// that it is read twice in the same import.
	fault(plain, "rows-arrive:n=1")
	fault(plain, "rows-vanish")
	a.run(first...)
	a.wantTruth("the first import", byID, 0)
	if !slices.ContainsFunc(w.log.Topic("transactions"), func(r judge.Record) bool { return a.row(r).Read == 2 }) {
		t.Error("no account was read twice")
	}
	before := a.keys(plain)

	fault(plain, "rows-reimported:after=0")
	fault(doubtful, "accounts-alike:n=1") // the third looks like the first from now on
	a.readAgain(plain, doubtful)
	a.wantTruth("rows with new ids", byID, 2)

	// The first page has the old ids; nobody can see that from count and sum. The
	// next read drops them.
	fault(plain, "rows-reimported:after=1")
	a.readAgain(plain)
	a.wantTruth("rows with new ids in the middle of a read", byAmount, 2)

	// An import that fails behind its first page drops nothing, and leaves the rows
	// that have new ids beside the old ones.
	complete := a.warehouses()[0].render(byID)
	fault(plain, "rows-reimported:after=0")
	fault(plain, "connection-deleted")
	fault(doubtful, "connection-deleted:op=get-connection,after=0")
	failing := a.readAgain(plain, doubtful)
	if failed := w.log.Topic("import-failed"); len(failed) != 2 || slices.ContainsFunc(failed, func(r judge.Record) bool { return !strings.Contains(string(r.Value), "connection_deleted") }) {
		t.Fatalf("%d imports failed, want those whose connection is deleted", len(failed))
	}
	a.awaitRowOf(failing[0])
	for _, h := range a.warehouses() {
		if n := len(h.render(byID)); n <= len(complete) {
			t.Errorf("%d rows are there, want more than the %d before the import that failed", n, len(complete))
		}
		for key, of := range h.rows {
			maps.DeleteFunc(of, func(_ string, r analyticsRow) bool { return r.StartedAt.After(h.complete[key].StartedAt) })
		}
		if got := h.render(byID); !slices.Equal(got, complete) {
			t.Errorf("an import that failed leaves %d rows of those before, want %d", len(got), len(complete))
		}
	}

	a.run(anew...)
	a.wantTruth("the bank connected anew", byID, 4)
	if after := a.keys(plain); len(after) != accounts || !maps.Equal(before, after) {
		t.Errorf("account keys %v, before %v: want them to stay", after, before)
	}

	// The older of two imports goes on behind the newer one.
	for late := 2 * time.Second; !a.overtaken(); late *= 2 {
		fault(plain, fmt.Sprintf("slow-headers:delay=%v,count=1,after=1,op=list-transactions", late))
		older := a.publishAgain(plain)
		a.awaitRowOf(older)
		a.awaitEnds(older, a.publishAgain(plain))
	}
	a.wantTruth("two imports at the same time", byID, 4)
}

// run imports and returns when that has ended.
func (a *analytics) run(imports ...wanted) {
	a.Helper()
	a.up.publish(a.ctx, a.requests(imports)...)
	a.awaitEnds(plan{imports: imports}.ids()...)
}

// readAgain reads the newest connections of users without a form, and returns when
// that has ended.
func (a *analytics) readAgain(users ...string) (importIDs []string) {
	a.Helper()
	for _, u := range users {
		importIDs = append(importIDs, a.publishAgain(u))
	}
	a.awaitEnds(importIDs...)
	return importIDs
}

func (a *analytics) publishAgain(user string) (importID string) {
	a.Helper()
	importID = newID(a.rng)
	a.up.publish(a.ctx, request(a.T, importID, map[string]any{"import_id": importID, "user_id": user, "bank_connection_id": a.newest(user).ConnectionID}))
	return importID
}

// newest is the user's last import that completed.
func (a *analytics) newest(user string) (newest analyticsCompleted) {
	a.Helper()
	for _, r := range a.log.Topic("import-completed") {
		if c := read[analyticsCompleted](a.T, r.Value); c.UserID == user && c.CompletedAt.After(newest.CompletedAt) {
			newest = c
		}
	}
	return newest
}

// keys are the account keys of a user's newest import, by account number.
func (a *analytics) keys(user string) map[string]string {
	a.Helper()
	a.awaitRows()
	keys := make(map[string]string)
	for _, r := range a.log.Topic("accounts") {
		if account := read[analyticsAccount](a.T, r.Value); r.Header("ce_subject") == a.newest(user).ImportID {
			keys[account.Number] = account.Key
		}
	}
	return keys
}

func (a *analytics) awaitRowOf(importID string) {
	a.Helper()
	err := a.log.Until(a.ctx, "a row of "+importID, func() bool {
		return slices.ContainsFunc(a.log.Topic("transactions"), func(r judge.Record) bool { return r.Header("ce_subject") == importID })
	})
	if err != nil {
		a.Fatal(err)
	}
}

// overtaken reports whether a row of an older read was written over one of a
// newer read.
func (a *analytics) overtaken() bool {
	a.Helper()
	newest := make(map[string]time.Time) // by key
	return slices.ContainsFunc(a.log.Topic("transactions"), func(r judge.Record) bool {
		row := a.row(r)
		if row.StartedAt.Before(newest[row.Key]) {
			return true
		}
		newest[row.Key] = row.StartedAt
		return false
	})
}

// How rows are compared: by account and provider's id and amount, or without the id.
func byID(account string, id int64, amount string) string {
	return fmt.Sprint(account, " ", id, " ", amount)
}
func byAmount(account string, _ int64, amount string) string {
	return account + " " + amount
}

// render lists all rows.
func (h *warehouse) render(show func(account string, id int64, amount string) string) (all []string) {
	for key, rows := range h.rows {
		for _, r := range rows {
			all = append(all, show(key, r.ProviderID, r.Amount))
		}
	}
	slices.Sort(all)
	return all
}

// wantTruth compares what the rule leaves with what the provider has: all
// accounts and rows of all connections that are there, each once. It tells how
// many accounts with old keys are to be dropped by hand.
func (a *analytics) wantTruth(when string, show func(account string, id int64, amount string) string, byHand int) {
	a.Helper()
	journal := a.sim.Journal()
	for order, h := range a.warehouses() {
		when := fmt.Sprintf("%s, order %d", when, order)
		if n := h.unlisted(a.newest(doubtful)); n != byHand {
			a.Errorf("%s: %d accounts are dropped by hand, want %d", when, n, byHand)
		}
		keys := make(map[int64]analyticsAccount) // by the provider's id
		for _, account := range h.accounts {
			keys[account.ProviderID] = account
		}
		var want []string
		accounts := 0
		for _, c := range journal.Connections {
			for n, of := range c.Accounts {
				account := keys[of.ID]
				alike := account.UserID == doubtful && byHand > 0 && n != 1 // the third is like the first
				if account.Key == "" || account.Doubtful != alike {
					a.Errorf("%s: account %d has key %q, doubtful %t; want it %t", when, of.ID, account.Key, account.Doubtful, alike)
				}
				sum := decimal.Zero
				for _, r := range h.rows[account.Key] {
					sum = sum.Add(decimal.RequireFromString(r.Amount))
				}
				if n := len(h.rows[account.Key]); n != of.Rows || !sum.Equal(decimal.RequireFromString(of.Balance)) {
					a.Errorf("%s: account %d has %d rows with sum %s, want %d with %s", when, of.ID, n, sum, of.Rows, of.Balance)
				}
				for r := range a.sim.Rows(of.ID) {
					want = append(want, show(account.Key, r.ID, r.Amount))
				}
				accounts++
			}
		}
		slices.Sort(want)
		if got := h.render(show); len(h.accounts) != accounts || !slices.Equal(got, want) {
			a.Errorf("%s: the rule leaves %d accounts with %d rows; the provider has %d with %d, others or the same", when, len(h.accounts), len(got), accounts, len(want))
		}
	}
}

// warehouses are what the rule leaves of all records there are. Readers get
// partitions in different orders, the last one when Kafka has compacted them.
func (a *analytics) warehouses() (all []*warehouse) {
	a.Helper()
	a.awaitRows()
	orders := a.orders()
	for n, records := range orders {
		h := &warehouse{T: a.T, row: a.row, accounts: make(map[string]analyticsAccount), rows: make(map[string]map[string]analyticsRow), complete: make(map[string]completedAccount)}
		for poll := range slices.Chunk(records, 100) {
			h.take(poll)
		}
		if compacted := n == len(orders)-1; len(h.waiting) > 0 && !compacted {
			a.Errorf("order %d: the rule waits for %d accounts, and everything is there", n, len(h.waiting))
		}
		all = append(all, h)
	}
	return all
}

// awaitRows returns when the judge has what the imports that completed have read.
func (a *analytics) awaitRows() {
	a.Helper()
	type readOf struct{ importID, accountKey, startedAt string }
	left := make(map[readOf]int) // rows
	for _, r := range a.log.Topic("import-completed") {
		c := read[analyticsCompleted](a.T, r.Value)
		for _, of := range c.Accounts {
			left[readOf{c.ImportID, of.Key, of.StartedAt.String()}] += of.Count
			left[readOf{c.ImportID, of.Key, ""}]++ // the account itself
		}
	}
	accounts, rows := 0, 0
	err := a.log.Until(a.ctx, "accounts and rows of all imports that completed", func() bool {
		for _, r := range a.log.Topic("accounts")[accounts:] {
			left[readOf{r.Header("ce_subject"), string(r.Key), ""}]--
			accounts++
		}
		for _, r := range a.log.Topic("transactions")[rows:] {
			row := a.row(r)
			left[readOf{row.ImportID, row.AccountKey, row.StartedAt.String()}]--
			rows++
		}
		for _, n := range left {
			if n > 0 {
				return false
			}
		}
		return true
	})
	if err != nil {
		a.Fatal(err)
	}
}

// orders are the records as readers get them: within a partition by offset.
func (a *analytics) orders() [][]judge.Record {
	a.Helper()
	type place struct {
		topic     string
		partition int32
	}
	partitions := make(map[place][]judge.Record)
	for _, topic := range []string{"accounts", "transactions", "import-completed"} {
		for _, r := range a.log.Topic(topic) {
			at := place{topic, r.Partition}
			partitions[at] = append(partitions[at], r)
		}
	}
	places := slices.SortedFunc(maps.Keys(partitions), func(a, b place) int {
		return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	oneByOne := func(places []place) (all []judge.Record) {
		for _, at := range places {
			all = append(all, partitions[at]...)
		}
		return all
	}
	mixed := func() (all []judge.Record) {
		left := maps.Clone(partitions)
		for open := slices.Clone(places); len(open) > 0; {
			n := a.rng.IntN(len(open))
			at := open[n]
			some := min(1+a.rng.IntN(100), len(left[at]))
			all, left[at] = append(all, left[at][:some]...), left[at][some:]
			if len(left[at]) == 0 {
				open = slices.Delete(open, n, n+1)
			}
		}
		return all
	}
	endsFirst := oneByOne(places) // "import-completed" is before "transactions"
	slices.Reverse(places)
	endsLast := oneByOne(places)
	slices.Reverse(places)
	return [][]judge.Record{endsFirst, endsLast, mixed(), mixed(), compacted(mixed())}
}

// compacted is what compaction leaves: the newest record of each key.
func compacted(records []judge.Record) (left []judge.Record) {
	last := make(map[string]int)
	for n, r := range records {
		last[r.Topic+" "+string(r.Key)] = n
	}
	for n, r := range records {
		if r.Topic == "import-completed" || last[r.Topic+" "+string(r.Key)] == n {
			left = append(left, r)
		}
	}
	return left
}
