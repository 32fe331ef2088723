package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

func TestCheck_RightWorld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	figures, violations := Check(w.records, w.truth)
	if len(violations) > 0 {
		t.Error(Summary(violations))
	}
	want := "4 requests, 3 forms, 1 completed, 1 form_expired, 1 invalid_request, 1 user_aborted, 2 accounts, 3 rows, 13 statuses, 6 hints, 1 dead letters conflicting_request"
	if got := fmt.Sprint(figures); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Each case breaks one thing. A checker that stays green is no checker.
func TestCheck_TurnsRed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		rule  string // at least one violation is of this rule
		says  string // and says this
		wrong func(w *world)
	}{
		// Doubled.
		{"a row doubled", "row", "row 102 2 times", func(w *world) { w.double(topicTransactions, good, 1) }},
		{"a row doubled: its id too", "event-id", "has the id of", func(w *world) { w.double(topicTransactions, good, 1) }},
		{"a row doubled under another id", "row", "row 102 2 times", func(w *world) {
			w.double(topicTransactions, good, 1)
			w.records[topicTransactions][len(w.records[topicTransactions])-1].Headers = slices.Clone(w.records[topicTransactions][0].Headers)
			w.header(topicTransactions, good, 3, "ce_id", "fresh")
		}},
		{"a row once more under the number of another read", "row", "no import-completed counts", func(w *world) {
			w.double(topicTransactions, good, 0)
			w.edit(topicTransactions, good, 3, fields{"read": 2})
		}},
		{"an account doubled", "account", "k11 twice", func(w *world) { w.double(topicAccounts, good, 0) }},
		{"a second final event", "final", "2 final events", func(w *world) { w.double(topicCompleted, good, 0) }},
		{"a failure after the completion", "final", "2 final events", func(w *world) {
			w.add(topicFailed, "import-failed", "transactions", "accounts-fetched "+good, good, fields{"reason": "gave_up"})
		}},
		{"a form too many", "form", "after form", func(w *world) {
			w.truth.Forms["form-2"] = Form{ProviderUser: "p-good", Status: "EXPIRED"}
			w.form(good, "form-2")
		}},
		{"a form that nobody was told of", "form", "made 4 forms, want at most 3", func(w *world) {
			w.truth.Forms["form-2"] = Form{ProviderUser: "p-good", Status: "EXPIRED"}
		}},
		{"a status doubled", "event-id", "has the id of", func(w *world) { w.double(topicStatus, good, 1) }},

		// Lost.
		{"a row lost", "row", "row 103 0 times", func(w *world) { w.lose(topicTransactions, good, 2) }},
		{"all rows lost", "row", "row 101 0 times", func(w *world) { w.records[topicTransactions] = nil }},
		{"an account lost", "account", "no record of it", func(w *world) { w.lose(topicAccounts, good, 0) }},
		{"a final event lost", "final", "0 final events", func(w *world) { w.lose(topicFailed, aborted, 0) }},
		{"the last status lost", "status", "stays at step", func(w *world) { w.lose(topicStatus, good, 4) }},
		{"all statuses lost", "status", "no status", func(w *world) { w.records[topicStatus] = nil }},
		{"an event lost that others name as their cause", "cause", "which is nowhere", func(w *world) { w.lose(topicReady, good, 0) }},
		{"a dead letter lost", "dead-letter", "got 0 of class conflicting_request, want 1", func(w *world) { w.records[topicDeadLetters] = nil }},
		{"everything lost", "final", "0 final events", func(w *world) { w.records = nil }},

		// Wrong.
		{"a wrong sum", "sum", "sum -12.19, want -12.20", func(w *world) { w.account(fields{"sum": "-12.19"}) }},
		{"a sum that went through a float", "sum", "sum -12.200000000000001", func(w *world) { w.account(fields{"sum": "-12.200000000000001"}) }},
		{"a wrong sum of the provider", "sum", "reported_sum", func(w *world) { w.account(fields{"reported_sum": "0"}) }},
		{"not reconciled", "sum", "not reconciled", func(w *world) { w.account(fields{"reconciled": false}) }},
		{"a sum that is no number", "shape", "is no decimal", func(w *world) { w.account(fields{"sum": "NaN"}) }},
		{"a wrong count", "count", "count 2, want 3", func(w *world) { w.account(fields{"count": 2}) }},
		{"a wrong total", "count", "says 4 transactions", func(w *world) { w.edit(topicCompleted, good, 0, fields{"transactions": 4}) }},
		{"a wrong amount", "row", "amount 0.2, want 0.1", func(w *world) { w.edit(topicTransactions, good, 1, fields{"amount": "0.2"}) }},
		{"an amount written otherwise", "row", "amount 0.10, want 0.1", func(w *world) { w.edit(topicTransactions, good, 1, fields{"amount": "0.10"}) }},
		{"a row that the provider does not have", "row", "row 999, which the provider does not have", func(w *world) {
			w.edit(topicTransactions, good, 1, fields{"provider_transaction_id": 999})
		}},
		{"two rows under one key", "key", "share the key", func(w *world) {
			w.edit(topicTransactions, good, 1, fields{"transaction_key": "t101"})
		}},
		{"a failed account said to be loaded", "final", "loaded false, want true", func(w *world) { w.account(fields{"loaded": false}) }},
		{"an account record that says otherwise", "account", "the record says", func(w *world) { w.edit(topicAccounts, good, 0, fields{"loaded": false}) }},
		{"an account not listed", "account", "does not list account 12", func(w *world) {
			w.edit(topicCompleted, good, 0, fields{"accounts": []any{fields{"account_key": "k11", "provider_account_id": 11, "loaded": true, "read": 1, "count": 3, "sum": "-12.2", "reported_count": 3, "reported_sum": "-12.2", "reconciled": true}}})
		}},
		{"an account of somebody else", "account", "does not have", func(w *world) { w.account(fields{"provider_account_id": 13}) }},
		{"not partial", "final", "partial false, want true", func(w *world) { w.edit(topicCompleted, good, 0, fields{"partial": false}) }},
		{"another connection", "final", "connection 8, want 7", func(w *world) { w.edit(topicCompleted, good, 0, fields{"bank_connection_id": 8}) }},
		{"a wrong reason", "final", `ended as "form_expired", want "user_aborted"`, func(w *world) { w.edit(topicFailed, aborted, 0, fields{"reason": "form_expired"}) }},
		{"a status that ends otherwise", "status", "its last status says", func(w *world) {
			w.edit(topicStatus, aborted, 2, fields{"reason": "form_expired"})
		}},
		{"a completion of an import whose user aborted", "final", `ended as "completed", want "user_aborted"`, func(w *world) {
			w.truth.Forms["form-good"] = Form{ProviderUser: "p-good", Status: "ABORTED"}
		}},
		{"a refused request that got a form", "final", `ended as "user_aborted", want "invalid_request"`, func(w *world) {
			w.truth.Requests[aborted] = Request{UserID: "u-aborted", ProviderUser: "p-aborted", Refused: "invalid_request"}
		}},
		{"a form of another user", "form", `has a form of user "p-good"`, func(w *world) { w.edit(topicCreated, aborted, 0, fields{"form_id": "form-good"}) }},
		{"a form that nobody made", "form", "did not make", func(w *world) { w.edit(topicCreated, aborted, 0, fields{"form_id": "form-x"}) }},
		{"an import that nobody asked for", "origin", "nobody asked for", func(w *world) { delete(w.truth.Requests, aborted) }},
		{"another user", "origin", `names user "u-good"`, func(w *world) { w.edit(topicFailed, aborted, 0, fields{"user_id": "u-good"}) }},
		{"a second run without a redrive", "origin", "belongs to run 2", func(w *world) { w.edit(topicFailed, aborted, 0, fields{"run": 2}) }},
		{"a dead letter that should not be", "dead-letter", "got 1 of class gave_up, want 0", func(w *world) {
			w.records[topicDeadLetters][0].Headers[0].Value = []byte("gave_up")
		}},

		// Order, causes, headers, keys.
		{"a step back", "status", "goes back from step 2 to step 1", func(w *world) {
			s := w.records[topicStatus]
			i, j := w.find(topicStatus, good, 0), w.find(topicStatus, good, 1)
			s[i], s[j] = s[j], s[i]
		}},
		{"a status after the end", "status", "has a status after its end", func(w *world) { w.status(good, "transactions", "accounts-fetched "+good, "completed", 6) }},
		{"no cause", "cause", "names no cause", func(w *world) { w.header(topicReady, good, 0, "ce_causationid", "") }},
		{"caused by what its stage does not read", "cause", "which connection does not read", func(w *world) {
			w.header(topicReady, good, 0, "ce_causationid", "requested "+good)
		}},
		{"caused by a final event", "cause", "which transactions does not read", func(w *world) {
			w.header(topicStatus, good, 4, "ce_causationid", "import-completed "+good)
		}},
		{"a type that does not belong", "header", "does not belong on its topic", func(w *world) { w.header(topicReady, good, 0, "ce_type", "bankimport.account.v1") }},
		{"no id", "header", "has no ce_id", func(w *world) { w.header(topicFailed, aborted, 0, "ce_id", "") }},
		{"another subject", "header", "ce_subject", func(w *world) { w.header(topicFailed, aborted, 0, "ce_subject", good) }},
		{"another content type", "header", "content-type", func(w *world) { w.header(topicFailed, aborted, 0, "content-type", "text/plain") }},
		{"a wrong key", "key", `has key "import-good"`, func(w *world) { w.records[topicFailed][0].Key = []byte(good) }},
		{"an account under its import's key", "key", `want "k11"`, func(w *world) { w.records[topicAccounts][0].Key = []byte(good) }},
		{"not JSON", "shape", "import-failed on import-failed", func(w *world) { w.records[topicFailed][0].Value = []byte("{") }},
		{"an id as text", "shape", "transaction on transactions", func(w *world) {
			w.edit(topicTransactions, good, 1, fields{"provider_transaction_id": "102"})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.wrong(w)
			_, violations := Check(w.records, w.truth)
			found := slices.ContainsFunc(violations, func(v Violation) bool {
				return v.Rule == tc.rule && strings.Contains(v.Text, tc.says)
			})
			if !found {
				t.Errorf("got %s\nwant one of rule %q that says %q", Summary(violations), tc.rule, tc.says)
			}
		})
	}
}

// What is not a fault must not turn it red.
func TestCheck_StaysGreen(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(w *world)
	}{
		{"a request published twice", func(w *world) { w.double(topicRequested, good, 0) }},
		{"no hint at all", func(w *world) {
			w.records[topicWebform] = slices.DeleteFunc(w.records[topicWebform], func(r judge.Record) bool { return r.Header("ce_source") == "/bankimport/bridge" })
		}},
		{"a form that a killed process left behind", func(w *world) {
			w.truth.Forms["orphan"] = Form{ProviderUser: "p-good", Status: "EXPIRED"}
			w.truth.Orphans = 1
		}},
		{"sums written in other ways", func(w *world) { w.account(fields{"sum": "-12.2000"}) }},
		{"all accounts failed", func(w *world) {
			for topic := range w.records {
				w.records[topic] = slices.DeleteFunc(w.records[topic], func(r judge.Record) bool {
					return r.Header("ce_subject") == good && (r.Header("ce_source") == "/bankimport/accounts" || r.Header("ce_source") == "/bankimport/transactions")
				})
			}
			w.truth.Connections[7] = Connection{Accounts: []Account{{ID: 11}, {ID: 12}}}
			w.fail(good, "connection", "awaited "+good, "all_accounts_failed")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.change(w)
			if _, violations := Check(w.records, w.truth); len(violations) > 0 {
				t.Error(Summary(violations))
			}
		})
	}
}

func TestSummary_IsBounded(t *testing.T) {
	t.Parallel()
	got := Summary(make([]Violation, 1000))
	if lines := strings.Count(got, "\n"); lines != 21 || !strings.HasPrefix(got, "1000 violations") {
		t.Errorf("got %d lines starting %.20q, want 21 starting with the number", lines, got)
	}
}
