package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// The imports of the world below.
const (
	good    = "import-good"    // completes: one account of two loaded
	aborted = "import-aborted" // its user aborts
	expired = "import-expired" // nobody opens its form
	refused = "import-refused" // its request is invalid
)

// world is a small, right set of topics with its truth. Tests take one and
// break it.
type world struct {
	t       *testing.T
	records Records
	truth   Truth
	offset  int64
}

type fields = map[string]any

func newWorld(t *testing.T) *world {
	t.Helper()
	rows := []Row{{ID: 101, Amount: "-12.5"}, {ID: 102, Amount: "0.1"}, {ID: 103, Amount: "0.2"}}
	w := &world{
		t:       t,
		records: make(Records),
		truth: Truth{
			Requests: map[string]Request{
				good:    {UserID: "u-good", ProviderUser: "p-good"},
				aborted: {UserID: "u-aborted", ProviderUser: "p-aborted"},
				expired: {UserID: "u-expired", ProviderUser: "p-expired"},
				refused: {UserID: "u-refused", Refused: "invalid_request"},
			},
			Forms: map[string]Form{
				"form-good":    {ProviderUser: "p-good", Status: "COMPLETED", ConnectionID: 7},
				"form-aborted": {ProviderUser: "p-aborted", Status: "ABORTED"},
				"form-expired": {ProviderUser: "p-expired", Status: "EXPIRED"},
			},
			Connections: map[int64]Connection{
				7: {Accounts: []Account{{ID: 11, Loaded: true, Rows: rows}, {ID: 12}}},
			},
			DeadLetters: map[string]int{"conflicting_request": 1},
		},
	}

	w.request(good)
	w.form(good, "form-good")
	w.add(topicReady, "connection-ready", "connection", "awaited "+good, good, fields{})
	w.status(good, "connection", "awaited "+good, "reading_accounts", 4)
	w.add(topicAccounts, "account", "accounts", "connection-ready "+good, good, fields{"account_key": "k11", "provider_account_id": 11, "loaded": true})
	w.add(topicAccounts, "account", "accounts", "connection-ready "+good, good, fields{"account_key": "k12", "provider_account_id": 12, "loaded": false})
	w.add(topicFetched, "accounts-fetched", "accounts", "connection-ready "+good, good, fields{})
	for _, r := range rows {
		w.add(topicTransactions, "transaction", "transactions", "accounts-fetched "+good, good, fields{
			"transaction_key": fmt.Sprint("t", r.ID), "account_key": "k11", "read": 1,
			"provider_transaction_id": r.ID, "amount": r.Amount,
		})
	}
	w.status(good, "transactions", "accounts-fetched "+good, "reading_transactions", 5)
	w.add(topicCompleted, "import-completed", "transactions", "accounts-fetched "+good, good, fields{
		"bank_connection_id": 7, "partial": true, "transactions": 3,
		"accounts": []any{
			fields{"account_key": "k11", "provider_account_id": 11, "loaded": true, "read": 1, "count": 3, "sum": "-12.2",
				"reported_count": 3, "reported_sum": "-12.20", "reconciled": true},
			fields{"account_key": "k12", "provider_account_id": 12, "loaded": false},
		},
	})
	w.status(good, "transactions", "accounts-fetched "+good, "completed", 6)

	for id, reason := range map[string]string{aborted: "user_aborted", expired: "form_expired"} {
		w.request(id)
		w.form(id, w.formOf(id))
		w.fail(id, "connection", "awaited "+id, reason)
	}
	w.request(refused)
	w.fail(refused, "webform", "requested "+refused, "invalid_request")

	w.records[topicDeadLetters] = []judge.Record{{Topic: topicDeadLetters, Headers: []judge.Header{{Key: "dead_letter_class", Value: []byte("conflicting_request")}}}}
	return w
}

func (w *world) formOf(id string) string {
	for form, f := range w.truth.Forms {
		if f.ProviderUser == w.truth.Requests[id].ProviderUser {
			return form
		}
	}
	w.t.Fatalf("no form for %s", id)
	return ""
}

func (w *world) request(id string) {
	w.put(topicRequested, id, map[string]string{"ce_id": "requested " + id}, fields{"import_id": id})
	w.status(id, "webform", "requested "+id, "requested", 1)
}

func (w *world) form(id, form string) {
	w.add(topicCreated, "webform-created", "webform", "requested "+id, id, fields{"form_id": form})
	w.addID("awaited "+id, topicWebform, "webform-awaited", "webform", "requested "+id, id, fields{"form_id": form})
	w.status(id, "webform", "requested "+id, "form_open", 2)
	for range 2 { // the bridge writes it twice
		w.addID("hint "+id, topicWebform, "webform-completed", "bridge", "", id, fields{"form_id": form})
	}
}

func (w *world) status(id, source, cause, step string, no int) {
	w.add(topicStatus, "import-status", source, cause, id, fields{"step": step, "step_no": no})
}

func (w *world) fail(id, source, cause, reason string) {
	w.add(topicFailed, "import-failed", source, cause, id, fields{"reason": reason})
	w.add(topicStatus, "import-status", source, cause, id, fields{"step": "failed", "step_no": 6, "reason": reason})
}

func (w *world) add(topic, kind, source, cause, id string, body fields) {
	ceID := kind + " " + id
	if topic == topicStatus || topic == topicAccounts || topic == topicTransactions {
		ceID = uuid.NewString()
	}
	w.addID(ceID, topic, kind, source, cause, id, body)
}

func (w *world) addID(ceID, topic, kind, source, cause, id string, body fields) {
	all := fields{"import_id": id, "run": 1, "user_id": w.truth.Requests[id].UserID}
	maps.Copy(all, body)
	w.put(topic, id, map[string]string{
		"ce_specversion": "1.0", "ce_id": ceID, "ce_type": "bankimport." + kind + ".v1", "ce_source": "/bankimport/" + source,
		"ce_time": "2026-01-02T03:04:05.000Z", "ce_subject": id, "ce_causationid": cause, "content-type": "application/json",
	}, all)
}

func (w *world) put(topic, key string, headers map[string]string, body fields) {
	for _, field := range []string{"account_key", "transaction_key"} {
		if k, ok := body[field].(string); ok {
			key = k // the transaction's, where there are both
		}
	}
	value, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := judge.Record{Topic: topic, Offset: w.offset, Key: []byte(key), Value: value}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		r.Headers = append(r.Headers, judge.Header{Key: name, Value: []byte(headers[name])})
	}
	w.offset++
	w.records[topic] = append(w.records[topic], r)
}

// find returns the place of the n-th record on the topic whose key or import
// is id.
func (w *world) find(topic, id string, n int) int {
	w.t.Helper()
	for i, r := range w.records[topic] {
		if string(r.Key) != id && r.Header("ce_subject") != id {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	w.t.Fatalf("no record %d of %s on %s", n, id, topic)
	return 0
}

// edit changes fields of a record; nil takes one away.
func (w *world) edit(topic, id string, n int, change fields) {
	w.t.Helper()
	r := &w.records[topic][w.find(topic, id, n)]
	var body fields
	if err := json.Unmarshal(r.Value, &body); err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(body, change)
	var err error
	if r.Value, err = json.Marshal(body); err != nil {
		w.t.Fatal(err)
	}
}

// header changes a header of a record.
func (w *world) header(topic, id string, n int, name, value string) {
	w.t.Helper()
	r := &w.records[topic][w.find(topic, id, n)]
	for i := range r.Headers {
		if r.Headers[i].Key == name {
			r.Headers[i].Value = []byte(value)
			return
		}
	}
	w.t.Fatalf("no header %s", name)
}

// double appends a copy of a record, as a retry without idempotence would.
func (w *world) double(topic, id string, n int) {
	w.t.Helper()
	r := w.records[topic][w.find(topic, id, n)]
	r.Offset = w.offset
	w.offset++
	w.records[topic] = append(w.records[topic], r)
}

// lose takes a record away.
func (w *world) lose(topic, id string, n int) {
	w.t.Helper()
	i := w.find(topic, id, n)
	w.records[topic] = slices.Delete(w.records[topic], i, i+1)
}

// account changes the first account in the good import's final event.
func (w *world) account(change fields) {
	w.t.Helper()
	r := &w.records[topicCompleted][0]
	var body fields
	if err := json.Unmarshal(r.Value, &body); err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(body["accounts"].([]any)[0].(fields), change)
	var err error
	if r.Value, err = json.Marshal(body); err != nil {
		w.t.Fatal(err)
	}
}
