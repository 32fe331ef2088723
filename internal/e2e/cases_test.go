package e2e_test

import (
	"cmp"
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
	rows          int // 0: 40, all that the bank has; negative: unknown
	duplicates    int // of the rows
	adjusting     int // of the rows

	bank    int64 // 0: the usual one
	after   bool  // a callback comes after the end
	waited  bool  // it ends when its last status before said that the wait would be over
	doubled bool  // an account is read twice
}

// How long the cases wait.
const (
	caseDownload   = 10 * time.Second
	caseCategories = 2 * time.Second

	expiresSoon = "form-short-lived:delay=15s" // for forms that are to expire; all others have time
)

// The banks of the cases.
const (
	usualBank = 300_000 // two accounts with 20 rows each
	pagesBank = 300_001 // one account of three pages
	noBank    = 299_999 // the provider does not know it
)

// cases by name. What the faults do is in the README's section on the simulator.
func cases() map[string]aCase {
	all := map[string]aCase{
		"nothing":       {},
		"user aborts":   {intent: aborts, reason: "user_aborted"},
		"user vanishes": {faults: expiresSoon, intent: vanishes, reason: "form_expired"},
		"bank unknown":  {bank: noBank, reason: "bank_unsupported"},

		"user deleted before the form":      {faults: "user-deleted:op=create-form,after=0"},
		"user deleted, form open":           {faults: "user-deleted:op=get-form,after=0", intent: vanishes, reason: "form_gone"},
		"user deleted, form open for long":  {faults: "user-deleted:op=get-form,after=2", intent: vanishes, reason: "form_gone"},
		"user deleted, download runs":       {faults: "user-deleted:op=get-connection,after=1", reason: "connection_deleted"},
		"user deleted before the accounts":  {faults: "user-deleted:op=list-accounts,after=0", reason: "connection_deleted"},
		"user deleted while we page":        {faults: "user-deleted", bank: pagesBank, reason: "connection_deleted"},
		"user deleted between two accounts": {faults: "user-deleted", reason: "connection_deleted"},
		"user's password refused":           {faults: "user-refused", reason: "gave_up"},
		"user locked":                       {faults: "user-locked", reason: "gave_up"},

		"form ends in an error, connected":      {faults: "form-error-connected"},
		"form expires, connected":               {faults: "form-expired-connected"},
		"form aborted, connected":               {faults: "form-aborted-connected"},
		"form completes without a connection":   {faults: "form-unconnected", reason: "provider_error"},
		"form has a status that nobody knows":   {faults: "form-status:code=ERROR " + expiresSoon, reason: "form_expired", waited: true},
		"form fails and does not say why":       {faults: "form-unconnected form-status:code=COMPLETED_WITH_ERROR", reason: "provider_error"},
		"form cancelled by somebody":            {faults: "form-unconnected form-status:code=CANCELLED", reason: "cancelled"},
		"form cancelled, connected":             {faults: "form-status:code=CANCELLED"},
		"form is gone":                          {faults: "form-gone", reason: "form_gone"},
		"form is somewhere else":                {faults: "form-foreign-url", intent: vanishes, reason: "gave_up"},
		"form's token dies":                     {faults: "form-token-dies", reason: "provider_error"},
		"form expires while the user is inside": {faults: "form-expires-inside", reason: "form_expired"},
		"form opened by two":                    {intent: isFollowed},
		"form opened by a scanner first":        {faults: expiresSoon, intent: isPreceded, reason: "form_expired"},
		"form expires that nobody knows":        {faults: "answer-lost:count=1 status-500:count=1,after=1,op=create-form " + expiresSoon + ",count=1", intent: lingers},

		"callback lost":                 {faults: "callback-lost"},
		"callback late":                 {faults: "callback-late:delay=2s"},
		"callback after the end":        {faults: "callback-late:delay=45s", after: true},
		"callback after a bad end":      {faults: "callback-late:delay=45s", intent: aborts, reason: "user_aborted", after: true},
		"callback a thousand times":     {faults: "callback-repeated:n=1000"},
		"callback twice at once":        {faults: "callback-together:n=2"},
		"callback contradicts":          {faults: "callback-contradicts"},
		"callback for no form":          {faults: "callback-unknown-form"},
		"callback for another form":     {faults: "callback-other-form"},
		"callback is garbage":           {faults: "callback-garbage"},
		"callback is huge":              {faults: "callback-huge"},
		"callback has extra fields":     {faults: "callback-extra-fields"},
		"callback before the form":      {faults: "callback-early"},
		"callback before, says expired": {faults: "callback-early:code=EXPIRED"},
		"callback says it completed":    {faults: "callback-contradicts", intent: aborts, reason: "user_aborted"},
		"callback forged":               {faults: "callback-forged"},
		"callback has a strange word":   {faults: "callback-status:code=WHATEVER"},
		"callback says it was aborted":  {faults: "callback-status:code=ABORTED"},

		"download never ends":           {faults: "download-never-ends", reason: "download_timeout", waited: true},
		"download runs again":           {faults: "download-again"},
		"download slow":                 {faults: "download-slow:delay=4s"},
		"ready before pending":          {faults: "ready-before-pending:delay=200ms"},
		"categorising never ends":       {faults: "categorization-never-ends", uncategorized: true},
		"nothing is categorised":        {faults: "categorization-off"},
		"no account":                    {faults: "no-accounts", reason: "no_matching_accounts"},
		"an account failed":             {faults: "accounts-failed:n=1", partial: true, rows: 20},
		"all accounts failed":           {faults: "all-accounts-failed", reason: "all_accounts_failed"},
		"an account is deprecated":      {faults: "account-deprecated", partial: true, rows: 20},
		"an account was fixed":          {faults: "account-fixed", rows: 41, adjusting: 1},
		"bank rejects in the end":       {faults: "update-rejected", reason: "all_accounts_failed"},
		"user must act, all is there":   {faults: "user-action-required"},
		"user must act, nothing there":  {faults: "user-action-required all-accounts-failed", reason: "user_action_required"},
		"connection deleted":            {faults: "connection-deleted", reason: "connection_deleted"},
		"accounts lost their IBAN":      {faults: "iban-missing"},
		"connection deleted, accounts":  {faults: "connection-deleted:op=list-accounts,after=0", reason: "connection_deleted"},
		"connection deleted in a page":  {faults: "connection-deleted", bank: pagesBank, reason: "connection_deleted"},
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
		"potential duplicates":      {faults: "duplicates:n=1", rows: 42, duplicates: 2},
		"adjusting entries":         {faults: "adjusting-entry", rows: 42, adjusting: 2},
		"rows split":                {faults: "rows-split"},
		"rows arrive while we read": {faults: "rows-arrive:n=1", rows: -1},
		"rows arrive between pages": {faults: "rows-arrive:n=2", bank: pagesBank, rows: 1202},
		"rows go between pages":     {faults: "rows-vanish", bank: pagesBank, rows: 1199, doubled: true},
		"rows go, others come":      {faults: "rows-vanish rows-arrive:n=1", bank: pagesBank, rows: 1200, doubled: true},
		"rows come back renumbered": {faults: "rows-reimported", bank: pagesBank, rows: 1200},
		"pages repeat":              {faults: "page-repeated", bank: pagesBank, reason: "incomplete_read"},
		"sum of the pages wrong":    {faults: "balance-wrong", bank: pagesBank, rows: 1200, unreconciled: true, doubled: true},

		"unknown fields":         {faults: "unknown-fields"},
		"nulls":                  {faults: "nulls-mixed"},
		"token dies in between":  {faults: "token-dies"},
		"500 for a while":        {faults: "status-500:count=2,op=get-connection"},
		"500 for ever":           {faults: "status-500:op=list-accounts", reason: "gave_up"},
		"502 for a while":        {faults: "status-502:count=2,op=list-accounts"},
		"gateway's page":         {faults: "gateway-page:count=1,op=list-transactions"},
		"answer cut off":         {faults: "cut-body:count=1,op=list-transactions"},
		"answer lost":            {faults: "answer-lost:count=1,op=create-form"},
		"form busy":              {faults: "status-423:count=2,op=get-form"},
		"connection busy":        {faults: "status-423:count=3,op=get-connection"},
		"connection always busy": {faults: "status-423:op=get-connection", reason: "gave_up"},
		"accounts busy":          {faults: "status-423:count=3,op=list-accounts"},
		"connection reset":       {faults: "connection-reset:count=2,op=get-form"},
		"answer slow":            {faults: "slow-body:count=1,delay=2s,op=list-accounts"},
		"error as 200":           {faults: "error-as-200:count=1,op=list-transactions"},
	}
	for code, reason := range map[string]string{
		"BANK_SERVER_REJECTION": "bank_rejected", "INTERRUPTED": "interrupted", "NO_ACCOUNTS_FOR_TYPE_LIST": "no_matching_accounts",
		"UNDETERMINED_BANK": "invalid_request", "UNSUPPORTED_FEATURE": "bank_unsupported", "MANDATOR_MISCONFIGURATION": "provider_misconfigured",
		"INVALID_TOKEN": "provider_error", "UNEXPECTED_ACCESS_RESPONSE": "provider_error", "UNSUPPORTED_ORDER": "provider_error",
		"INTERNAL_ERROR": "provider_error", "SOMETHING_NEW": "provider_error",
		"ENTITY_EXISTS": "already_connected", "BANK_NOT_UNIQUE": "invalid_request", "BANK_NOT_SUPPORTED": "bank_unsupported", "INVALID_REDIRECT_URL": "provider_misconfigured",
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
		Read       int  `json:"read"`
		Reconciled bool `json:"reconciled"`
	} `json:"accounts"`
	CompletedAt time.Time `json:"completed_at"`
	FailedAt    time.Time `json:"failed_at"`
}

// at is when the import ended.
func (e ending) at() time.Time {
	if e.FailedAt.IsZero() {
		return e.CompletedAt
	}
	return e.FailedAt
}

// Every way in which an import can go wrong leads to the end that it must, side
// by side with all others.
func TestCases(t *testing.T) {
	rng := seeded(t)
	banks := []bank{{id: usualBank, accounts: 2, rows: 20}, {id: pagesBank, accounts: 1, rows: 1200}}
	w := newWorld(t, 4*time.Minute, pace{formLife: 2 * time.Minute, callbacks: simulator.DeliverCallbacks}, banks)
	var imports []wanted
	byID := make(map[string]string) // case by import id
	for name, c := range cases() {
		i := wanted{importID: newID(rng), userID: name, bankID: cmp.Or(c.bank, usualBank), intent: c.intent}
		imports = append(imports, i)
		byID[i.importID] = name
		for text := range strings.FieldsSeq(c.faults) {
			w.fault(text + "@user=" + w.providerUser(name))
		}
	}
	slices.SortFunc(imports, func(a, b wanted) int { return strings.Compare(a.importID, b.importID) })
	stop := w.startInProcess(func(_ string, d *stages.Deps, c *pipeline.Config) {
		d.Timing.DownloadDeadline, d.Timing.CategoryDeadline = caseDownload, caseCategories
		d.Reading.RereadAfter = 100 * time.Millisecond
		c.RetryBudget = 10 * time.Second
	})
	users := w.startUsers(imports, nil)
	w.publish(imports, false)
	w.awaitEnds(plan{imports: imports}.ids()...)
	users()
	w.awaitCallbacks()
	w.awaitConsumed()
	stop()

	records := w.settle()
	w.wantSchemas(records)
	seen := make(map[string]*sighting) // by case
	for id, s := range sightings(t, records) {
		seen[byID[id]] = s
	}
	for name, c := range cases() {
		s := seen[name]
		if s == nil || len(s.ends) != 1 {
			t.Errorf("%s: want 1 final event: %+v", name, s)
			continue
		}
		for _, problem := range []string{c.compare(*s), s.statusProblem(caseDownload)} {
			if problem != "" {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
	if got, want := strings.Join(seen["nothing"].waits(), " "), "us user bank provider us nobody"; got != want {
		t.Errorf("an import waits for %s, want %s", got, want)
	}
	t.Logf("%d cases", len(seen))
}

// compare says what is wrong with how the case went, or "".
func (c aCase) compare(s sighting) string {
	if c.rows == 0 {
		c.rows = 40
	}
	got := s.ends[0]
	unreconciled, doubled := false, false
	for _, a := range got.Accounts {
		unreconciled = unreconciled || a.Loaded && !a.Reconciled
		doubled = doubled || a.Read == 2
	}
	last := s.statuses[max(0, len(s.statuses)-2)] // before the end
	switch {
	case got.Run != 1:
		return fmt.Sprintf("run %d, but nothing was redriven", got.Run)
	case got.Reason != c.reason:
		return fmt.Sprintf("ended as %q, want %q", got.Reason, c.reason)
	case c.after && !s.hinted.After(got.at()):
		return fmt.Sprintf("the callback came at %s, not after the end at %s", s.hinted, got.at())
	case c.waited && (got.at().Before(last.UntilAt) || got.at().After(last.UntilAt.Add(10*time.Second))):
		return fmt.Sprintf("ended at %s, and was to be waited for until %s", got.at(), last.UntilAt)
	case c.reason != "":
		return ""
	case c.uncategorized && !s.categoriesWaited():
		return fmt.Sprintf("the wait for categories is over too soon: %+v", s.statuses)
	case got.Partial != c.partial, unreconciled != c.unreconciled, got.Categorized == c.uncategorized, doubled != c.doubled:
		return fmt.Sprintf("partial %t, unreconciled %t, categorized %t, read again %t; want %t, %t, %t, %t",
			got.Partial, unreconciled, got.Categorized, doubled, c.partial, c.unreconciled, !c.uncategorized, c.doubled)
	case c.rows > 0 && got.Transactions != c.rows:
		return fmt.Sprintf("%d transactions, want %d", got.Transactions, c.rows)
	case s.duplicates != c.duplicates || s.adjusting != c.adjusting:
		return fmt.Sprintf("%d potential duplicates and %d adjusting entries, want %d and %d", s.duplicates, s.adjusting, c.duplicates, c.adjusting)
	default:
		return ""
	}
}
