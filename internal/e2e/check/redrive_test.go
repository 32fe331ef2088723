package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// newRedrivenWorld is the world in which the good import was given up after the
// first row, and its timer was redriven.
func newRedrivenWorld(t *testing.T) *world {
	w := newWorld(t)
	for topic := range w.records {
		w.records[topic] = slices.DeleteFunc(w.records[topic], func(r judge.Record) bool {
			return r.Header("ce_subject") == good && r.Header("ce_source") == "/bankimport/transactions"
		})
	}
	cause := "accounts-fetched " + good
	row := func(run, read, id int, key, amount string) {
		w.add(topicTransactions, "transaction", "transactions", cause, good, fields{
			"transaction_key": key, "account_key": "k11", "read": read, "run": run, "provider_transaction_id": id, "amount": amount,
		})
	}
	status := func(run, no int, step string) {
		w.add(topicStatus, "import-status", "transactions", cause, good, fields{"run": run, "step": step, "step_no": no})
	}
	row(1, 1, 101, "t101", "-12.5")
	w.fail(good, "transactions", cause, "gave_up")
	w.letter("d1", false)
	w.letter("d1", true)
	w.back()
	status(2, 5, "reading_transactions")
	row(2, 2, 101, "t101", "-12.5")
	row(2, 2, 102, "t102", "0.1")
	row(2, 2, 103, "t103", "0.2")
	w.add(topicCompleted, "import-completed", "transactions", cause, good, fields{
		"run": 2, "bank_connection_id": 7, "partial": true, "transactions": 3,
		"accounts": []any{
			fields{"account_key": "k11", "provider_account_id": 11, "loaded": true, "read": 2, "count": 3, "sum": "-12.2",
				"reported_count": 3, "reported_sum": "-12.20", "reconciled": true},
			fields{"account_key": "k12", "provider_account_id": 12, "loaded": false},
		},
	})
	status(2, 6, "completed")
	w.truth.Runs = map[string]int{good: 2}
	w.truth.DeadLetters["retries_exhausted"] = 1
	return w
}

// letter adds the dead letter of the good import's timer, or its mark.
func (w *world) letter(id string, marked bool) {
	r := judge.Record{Topic: topicDeadLetters, Key: []byte(id), Headers: []judge.Header{
		{Key: "dead_letter_class", Value: []byte("retries_exhausted")}, {Key: "dead_letter_topic", Value: []byte("prefix." + topicFetched)},
		{Key: "dead_letter_partition", Value: []byte("0")}, {Key: "dead_letter_key", Value: []byte("aW1wb3J0LWdvb2Q=")},
		{Key: "dead_letter_trigger", Value: []byte("timer")},
	}}
	if marked {
		r.Headers = append(r.Headers, judge.Header{Key: headerRedrivenAt, Value: []byte("2026-01-02T03:04:05Z")})
	}
	w.records[topicDeadLetters] = append(w.records[topicDeadLetters], r)
}

// back puts the timer on the input of its stage.
func (w *world) back() {
	w.records[topicFetched] = append(w.records[topicFetched], judge.Record{Topic: topicFetched, Key: []byte(good), Value: []byte{}, Headers: []judge.Header{
		{Key: headerRedrives, Value: []byte("1")}, {Key: headerWake, Value: []byte("2026-01-02T03:04:05Z")},
	}})
}

func TestCheck_Redriven(t *testing.T) {
	t.Parallel()
	w := newRedrivenWorld(t)
	figures, violations := Check(w.records, w.truth)
	if len(violations) > 0 {
		t.Error(Summary(violations))
	}
	if figures.Redriven != 1 || figures.DeadLetters["retries_exhausted"] != 1 || figures.Completed != 1 || figures.Failed["gave_up"] != 1 {
		t.Errorf("got %v", figures)
	}
}

func TestCheck_RedrivenTurnsRed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, rule, says string
		wrong            func(w *world)
	}{
		{"put back twice", "redrive", "marked -1 times more often", func(w *world) { w.back() }},
		{"marked and not put back", "redrive", "marked 1 times more often", func(w *world) {
			w.records[topicFetched] = slices.DeleteFunc(w.records[topicFetched], putBack)
		}},
		{"put back and not marked", "redrive", "marked -1 times more often", func(w *world) {
			w.records[topicDeadLetters] = slices.DeleteFunc(w.records[topicDeadLetters], func(r judge.Record) bool { return r.Header(headerRedrivenAt) != "" })
		}},
		{"put back elsewhere", "redrive", "partition 1", func(w *world) { w.records[topicFetched][len(w.records[topicFetched])-1].Partition = 1 }},
		{"marked twice", "redrive", "marked as redriven 2 times", func(w *world) { w.letter("d1", true) }},
		{"a dead letter doubled", "dead-letter", "is there 2 times", func(w *world) { w.letter("d1", false) }},
		{"a second end of the second run", "final", "run 2 has 2 final events", func(w *world) { w.double(topicCompleted, good, 0) }},
		{"no second run", "final", "run 2 has 0 final events", func(w *world) { w.lose(topicCompleted, good, 0) }},
		{"the first run did not end", "final", "has 0 final events", func(w *world) { w.lose(topicFailed, good, 0) }},
		{"a run too many", "origin", "belongs to run 3", func(w *world) { w.edit(topicCompleted, good, 0, fields{"run": 3}) }},
		{"a row of the first run doubled", "row", "row 101 twice", func(w *world) { w.double(topicTransactions, good, 0) }},
		{"a row of the first run that is not true", "row", "which the provider does not have", func(w *world) {
			w.edit(topicTransactions, good, 0, fields{"provider_transaction_id": 999})
		}},
		{"a row of the second run that is not counted", "row", "no import-completed counts", func(w *world) {
			w.double(topicTransactions, good, 3)
			w.edit(topicTransactions, good, 4, fields{"read": 3})
		}},
		{"a row of the second run lost", "row", "row 102 0 times", func(w *world) { w.lose(topicTransactions, good, 2) }},
		{"the first run ended otherwise", "final", `ended as "user_aborted", want "gave_up"`, func(w *world) {
			w.edit(topicFailed, good, 0, fields{"reason": "user_aborted"})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newRedrivenWorld(t)
			tc.wrong(w)
			_, violations := Check(w.records, w.truth)
			if !slices.ContainsFunc(violations, func(v Violation) bool { return v.Rule == tc.rule && strings.Contains(v.Text, tc.says) }) {
				t.Errorf("got %s\nwant one of rule %q that says %q", Summary(violations), tc.rule, tc.says)
			}
		})
	}
}
