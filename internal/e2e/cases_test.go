package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages"
)

// aCase is something that a person, a bank or the network does to one import, and
// how the import must end.
type aCase struct {
	faults string // of its user, with blanks between
	intent intent
	reason string // of the failure; "": it completes

	partial       bool // not all accounts are there
	unreconciled  bool // the rows do not add up to what the provider says
	uncategorized bool
	rows          int // 0: 40, all that the bank has
}

// cases by name. What the faults do is in the README's section on the simulator.
func cases() map[string]aCase {
	all := map[string]aCase{
		"nothing":       {},
		"user aborts":   {intent: aborts, reason: "user_aborted"},
		"user vanishes": {intent: vanishes, reason: "form_expired"},

		"form ends in an error, connected":      {faults: "form-error-connected"},
		"form expires, connected":               {faults: "form-expired-connected"},
		"form aborted, connected":               {faults: "form-aborted-connected"},
		"form completes without a connection":   {faults: "form-unconnected", reason: "provider_error"},
		"form has a status that nobody knows":   {faults: "form-status:code=ERROR", reason: "form_expired"},
		"form is gone":                          {faults: "form-gone", reason: "form_gone"},
		"form is somewhere else":                {faults: "form-foreign-url", intent: vanishes, reason: "gave_up"},
		"form's token dies":                     {faults: "form-token-dies", reason: "provider_error"},
		"form expires while the user is inside": {faults: "form-expires-inside", reason: "form_expired"},

		"callback lost":                {faults: "callback-lost"},
		"callback late":                {faults: "callback-late:delay=4s"},
		"callback a hundred times":     {faults: "callback-repeated:n=100"},
		"callback twice at once":       {faults: "callback-together:n=2"},
		"callback contradicts":         {faults: "callback-contradicts"},
		"callback for no form":         {faults: "callback-unknown-form"},
		"callback for another form":    {faults: "callback-other-form"},
		"callback is garbage":          {faults: "callback-garbage"},
		"callback is huge":             {faults: "callback-huge"},
		"callback has extra fields":    {faults: "callback-extra-fields"},
		"callback before the form":     {faults: "callback-early"},
		"callback forged":              {faults: "callback-forged"},
		"callback has a strange word":  {faults: "callback-status:code=WHATEVER"},
		"callback says it was aborted": {faults: "callback-status:code=ABORTED"},

		"download never ends":           {faults: "download-never-ends", reason: "download_timeout"},
		"download slow":                 {faults: "download-slow:delay=4s"},
		"ready before pending":          {faults: "ready-before-pending:delay=200ms"},
		"categorising never ends":       {faults: "categorization-never-ends", uncategorized: true},
		"nothing is categorised":        {faults: "categorization-off"},
		"no account":                    {faults: "no-accounts", reason: "no_matching_accounts"},
		"an account failed":             {faults: "accounts-failed:n=1", partial: true, rows: 20},
		"all accounts failed":           {faults: "all-accounts-failed", reason: "all_accounts_failed"},
		"an account is deprecated":      {faults: "account-deprecated", partial: true, rows: 20},
		"an account was fixed":          {faults: "account-fixed", rows: 41},
		"user must act, all is there":   {faults: "user-action-required"},
		"user must act, nothing there":  {faults: "user-action-required all-accounts-failed", reason: "user_action_required"},
		"connection deleted":            {faults: "connection-deleted", reason: "connection_deleted"},
		"accounts lost their IBAN":      {faults: "iban-missing"},
		"connection deleted at its end": {faults: "connection-deleted:op=get-connection,after=3", reason: "connection_deleted"},

		"page short":                {faults: "page-short", reason: "incomplete_read"},
		"total wrong":               {faults: "total-count-wrong", reason: "incomplete_read"},
		"sum wrong":                 {faults: "balance-wrong", unreconciled: true},
		"paging missing":            {faults: "paging-missing", reason: "gave_up"},
		"row of another account":    {faults: "row-of-another-account", reason: "gave_up"},
		"odd amounts":               {faults: "odd-amounts"},
		"currency null":             {faults: "currency-null"},
		"currency foreign":          {faults: "currency-foreign"},
		"booked ahead":              {faults: "booking-drift"},
		"potential duplicates":      {faults: "duplicates:n=1", rows: 42},
		"adjusting entries":         {faults: "adjusting-entry", rows: 42},
		"rows split":                {faults: "rows-split"},
		"rows arrive while we read": {faults: "rows-arrive:n=1", rows: -1},

		"unknown fields":        {faults: "unknown-fields"},
		"nulls":                 {faults: "nulls-mixed"},
		"token dies in between": {faults: "token-dies"},
		"500 for a while":       {faults: "status-500:count=2,op=get-connection"},
		"502 for a while":       {faults: "status-502:count=2,op=list-accounts"},
		"gateway's page":        {faults: "gateway-page:count=1,op=list-transactions"},
		"answer cut off":        {faults: "cut-body:count=1,op=list-transactions"},
		"answer lost":           {faults: "answer-lost:count=1,op=create-form"},
		"connection reset":      {faults: "connection-reset:count=2,op=get-form"},
		"answer slow":           {faults: "slow-body:count=1,delay=2s,op=list-accounts"},
		"error as 200":          {faults: "error-as-200:count=1,op=list-transactions"},
	}
	for code, reason := range map[string]string{
		"BANK_SERVER_REJECTION": "bank_rejected", "INTERRUPTED": "interrupted", "NO_ACCOUNTS_FOR_TYPE_LIST": "no_matching_accounts",
		"UNDETERMINED_BANK": "invalid_request", "UNSUPPORTED_FEATURE": "bank_unsupported", "MANDATOR_MISCONFIGURATION": "provider_misconfigured",
		"INVALID_TOKEN": "provider_error", "UNEXPECTED_ACCESS_RESPONSE": "provider_error", "UNSUPPORTED_ORDER": "provider_error",
		"INTERNAL_ERROR": "provider_error", "SOMETHING_NEW": "provider_error",
	} {
		all["form ends as "+code] = aCase{faults: "form-error:code=" + code, reason: reason}
	}
	return all
}

// ending is a final event of either kind.
type ending struct {
	ImportID     string `json:"import_id"`
	Run          int    `json:"run"`
	Reason       string `json:"reason"`
	Partial      bool   `json:"partial"`
	Categorized  bool   `json:"categorized"`
	Transactions int    `json:"transactions"`
	Accounts     []struct {
		Loaded     bool `json:"loaded"`
		Reconciled bool `json:"reconciled"`
	} `json:"accounts"`
}

// Every way in which an import can go wrong leads to the end that it must, side
// by side with all others.
func TestCases(t *testing.T) {
	rng := seeded(t)
	const bankID = 300_000
	w := newWorld(t, 4*time.Minute, pace{formLife: 15 * time.Second, callbacks: simulator.DeliverCallbacks}, []bank{{id: bankID, accounts: 2, rows: 20}})
	client := w.provider() // it only derives ids here
	defer client.Close()
	var imports []wanted
	byID := make(map[string]string) // case by import id
	for name, c := range cases() {
		i := wanted{importID: newID(rng), userID: name, bankID: bankID, intent: c.intent}
		imports = append(imports, i)
		byID[i.importID] = name
		for text := range strings.FieldsSeq(c.faults) {
			fault, err := simulator.ParseFault(text + "@user=" + client.User(name).ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.sim.SetFault(fault); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.SortFunc(imports, func(a, b wanted) int { return strings.Compare(a.importID, b.importID) })
	stop := w.startInProcess(func(_ string, d *stages.Deps, c *pipeline.Config) {
		d.Timing.DownloadDeadline, d.Timing.CategoryDeadline = 10*time.Second, 2*time.Second
		d.Reading.RereadAfter = 100 * time.Millisecond
		c.RetryBudget = 10 * time.Second
	})
	users := w.startUsers(imports, nil)
	w.publish(imports, false)
	w.awaitEnds(plan{imports: imports}.ids()...)
	users()
	w.awaitConsumed()
	stop()

	records := w.settle()
	w.wantSchemas(records)
	ends := make(map[string][]ending) // by case
	for _, topic := range []string{"import-completed", "import-failed"} {
		for _, r := range records[topic] {
			var e ending
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Fatal(err)
			}
			ends[byID[e.ImportID]] = append(ends[byID[e.ImportID]], e)
		}
	}
	for name, c := range cases() {
		if len(ends[name]) != 1 {
			t.Errorf("%s: %d final events, want 1", name, len(ends[name]))
			continue
		}
		if problem := c.compare(ends[name][0]); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
	}
	t.Logf("%d cases", len(ends))
}

// compare says what is wrong with how the case ended, or "".
func (c aCase) compare(got ending) string {
	if c.rows == 0 {
		c.rows = 40
	}
	unreconciled := false
	for _, a := range got.Accounts {
		unreconciled = unreconciled || a.Loaded && !a.Reconciled
	}
	switch {
	case got.Run != 1:
		return fmt.Sprintf("run %d, but nothing was redriven", got.Run)
	case got.Reason != c.reason:
		return fmt.Sprintf("ended as %q, want %q", got.Reason, c.reason)
	case c.reason != "":
		return ""
	case got.Partial != c.partial, unreconciled != c.unreconciled, got.Categorized == c.uncategorized:
		return fmt.Sprintf("partial %t, unreconciled %t, categorized %t; want %t, %t, %t", got.Partial, unreconciled, got.Categorized, c.partial, c.unreconciled, !c.uncategorized)
	case c.rows > 0 && got.Transactions != c.rows:
		return fmt.Sprintf("%d transactions, want %d", got.Transactions, c.rows)
	default:
		return ""
	}
}
