package check

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// Headers by which a record, or what stands for a timer, says that an operator
// has put it back; and by which a dead letter says so.
const (
	headerRedrives   = "dead_letter_redrives"
	headerWake       = "dead_letter_wake"
	headerRedrivenAt = "dead_letter_redriven_at"
)

// putBack reports whether a record on an input topic comes from the dead letters.
func putBack(r judge.Record) bool { return r.Header(headerRedrives) != "" }

// wakes reports whether it stands for a timer.
func wakes(r judge.Record) bool { return r.Header(headerWake) != "" }

// runs is how many runs an import has.
func (t Truth) runs(importID string) int { return max(t.Runs[importID], 1) }

// before lists the run and those before it, the newest first: what a run that
// was given up has done stays done.
func (r run) before() []run {
	var all []run
	for no := r.No; no >= 1; no-- {
		all = append(all, run{r.ImportID, no})
	}
	return all
}

// formOf is the form that a run goes on with: its own, else that of the newest
// run before it that had one.
func (c *checker) formOf(r run) string {
	for _, b := range r.before() {
		if form, ok := c.forms[b]; ok {
			return form
		}
	}
	return ""
}

// accountsOf are the account records that a run goes on with.
func (c *checker) accountsOf(r run) map[string]account {
	for _, b := range r.before() {
		if of, ok := c.accts[b]; ok {
			return of
		}
	}
	return nil
}

// readOf names the read that a run counts, which an earlier run may have done.
func (c *checker) readOf(r run, accountKey string, read int) rowsOf {
	for _, b := range r.before() {
		if of := (rowsOf{b, accountKey, read}); c.rows[of] != nil {
			return of
		}
	}
	return rowsOf{r, accountKey, read}
}

// unfinished checks the rows of a read that was given up: they are true and each
// is there once, but they need not be all.
func (c *checker) unfinished(of rowsOf, got []transaction) {
	want, known := c.loaded[accountOf{of.run.ImportID, of.accountKey}]
	if !known || of.run.No >= c.truth.runs(of.run.ImportID) {
		c.violate("row", "%v has %d rows of account %s read %d, which no import-completed counts", of.run, len(got), of.accountKey, of.read)
		return
	}
	there := make(map[int64]bool, len(got))
	for _, g := range got {
		if there[g.ProviderTransactionID] {
			c.violate("row", "%v account %s read %d has row %d twice", of.run, of.accountKey, of.read, g.ProviderTransactionID)
		}
		there[g.ProviderTransactionID] = true
	}
	var some []Row
	for _, w := range want {
		if there[w.ID] {
			some = append(some, w)
		}
	}
	c.each(of, got, some)
}

// accountOf names an account of an import.
type accountOf struct{ importID, accountKey string }

// redriven checks that every dead letter is there once and marked at most once,
// and that what stands on the input topics for it is there as often as it is
// marked: once. It returns the dead letters, each once.
func (c *checker) redriven(records Records) []judge.Record {
	var each []judge.Record
	open, marked := make(map[string]int), make(map[string]int) // by id
	back := make(map[string]int)                               // marks less records that were put back, by what that is
	for i, r := range records[topicDeadLetters] {
		id := string(r.Key)
		if r.Key == nil {
			id = fmt.Sprint(i)
		}
		if r.Header(headerRedrivenAt) == "" {
			if open[id]++; open[id] == 1 {
				each = append(each, r)
			}
			continue
		}
		marked[id]++
		c.figures.Redriven++
		redrives, _ := strconv.Atoi(r.Header(headerRedrives)) // none: never before
		key, err := base64.StdEncoding.DecodeString(r.Header("dead_letter_key"))
		if err != nil {
			c.violate("redrive", "dead letter %s: its key: %v", id, err)
		}
		back[fmt.Sprintf("record of %s partition %s key %q redrive %d timer %v", withoutPrefix(r.Header("dead_letter_topic")),
			r.Header("dead_letter_partition"), key, redrives+1, r.Header("dead_letter_trigger") == "timer")]++
	}
	for id, n := range open {
		if n > 1 {
			c.violate("dead-letter", "dead letter %s is there %d times", id, n)
		}
	}
	for id, n := range marked {
		if n > 1 || open[id] == 0 {
			c.violate("redrive", "dead letter %s is marked as redriven %d times and was there %d times before", id, n, open[id])
		}
	}
	for _, topic := range []string{topicRequested, topicWebform, topicReady, topicFetched} {
		for _, r := range records[topic] {
			if putBack(r) {
				back[fmt.Sprintf("record of %s partition %d key %q redrive %s timer %v", topic, r.Partition, r.Key, r.Header(headerRedrives), wakes(r))]--
			}
		}
	}
	for what, n := range back {
		if n != 0 {
			c.violate("redrive", "%s: marked %d times more often than put back", what, n)
		}
	}
	return each
}

// withoutPrefix is the topic as this package calls it.
func withoutPrefix(topic string) string {
	for _, t := range Topics() {
		if strings.HasSuffix(topic, t) {
			return t
		}
	}
	return topic
}
