package devpage

import (
	"fmt"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

// The samples: one import in each state a person can find one in.
const (
	sampleRequested = "00000000-0000-4000-8000-00000000a001"
	sampleFormOpen  = "00000000-0000-4000-8000-00000000a002"
	sampleRunning   = "00000000-0000-4000-8000-00000000a003"
	sampleCompleted = "00000000-0000-4000-8000-00000000a004"
	samplePartial   = "00000000-0000-4000-8000-00000000a005"
	sampleFailed    = "00000000-0000-4000-8000-00000000a006"
	sampleReread    = "00000000-0000-4000-8000-00000000a007"
)

// tape writes records as the topics would carry them.
type tape struct {
	recs []follow.Record
	next map[string]int64 // by topic
}

func newTape() *tape { return &tape{next: map[string]int64{}} }

func (t *tape) at(when time.Time, e schemas.Event) {
	t.recs = append(t.recs, follow.Record{
		Topic: e.Topic(), Partition: 0, Offset: t.next[e.Topic()], Time: when, ID: e.ID(), Type: e.Type(), Event: e,
	})
	t.next[e.Topic()]++
}

func (t *tape) deadLetter(when time.Time) {
	t.recs = append(t.recs, follow.Record{Topic: schemas.TopicDeadLetters, Offset: t.next[schemas.TopicDeadLetters], Time: when})
	t.next[schemas.TopicDeadLetters]++
}

// story is one import that is told onto a tape.
type story struct {
	*tape
	id, user string
	now      time.Time
}

func (t *tape) tell(id, user string, began time.Time) *story { return &story{t, id, user, began} }

func (s *story) after(d time.Duration) *story {
	s.now = s.now.Add(d)
	return s
}

func (s *story) status(step schemas.Step, on schemas.WaitingFor, more ...func(*schemas.ImportStatus)) *story {
	e := schemas.ImportStatus{
		ImportID: s.id, Run: 1, UserID: s.user, Step: step, StepNo: step.Number(), WaitingFor: on,
		SinceAt: schemas.At(s.now), UpdatedAt: schemas.At(s.now),
	}
	for _, f := range more {
		f(&e)
	}
	s.at(s.now, e)
	return s
}

func (s *story) requested() *story {
	s.at(s.now, schemas.ImportRequested{ImportID: s.id, UserID: s.user, BankID: 280001})
	return s.status(schemas.StepRequested, schemas.WaitingForUs)
}

func (s *story) formOpen() *story {
	s.after(400 * time.Millisecond)
	expires := schemas.At(s.now.Add(20 * time.Minute))
	s.at(s.now, schemas.WebformCreated{
		ImportID: s.id, Run: 1, UserID: s.user, FormID: "3f1c-form", URL: "http://127.0.0.1:8081/wf/" + s.id, ExpiresAt: expires,
	})
	s.at(s.now, schemas.WebformAwaited{ImportID: s.id, Run: 1, UserID: s.user, FormID: "3f1c-form", ExpiresAt: expires, StartedAt: schemas.At(s.now)})
	return s.status(schemas.StepFormOpen, schemas.WaitingForUser, func(e *schemas.ImportStatus) {
		e.FormExpiresAt, e.UntilAt = expires, schemas.At(expires.Add(2*time.Minute))
	})
}

func (s *story) downloading() *story {
	s.after(9 * time.Second)
	s.at(s.now, schemas.WebformCompleted{ImportID: s.id, Run: 1, FormID: "3f1c-form", EndedBy: schemas.EndedByCallback, ObservedAt: schemas.At(s.now)})
	return s.status(schemas.StepDownloading, schemas.WaitingForBank, func(e *schemas.ImportStatus) { e.UntilAt = schemas.At(s.now.Add(time.Hour)) })
}

type sampleAccount struct {
	key, name, kind, iban, balance string
	loaded                         bool
}

func sampleAccounts() []sampleAccount {
	return []sampleAccount{
		{"k1", "Girokonto", schemas.AccountTypeChecking, "DE89370400440532013000", "4321.5", true},
		{"k2", "Tagesgeld", schemas.AccountTypeSavings, "DE02120300000000202051", "-13587.10", true},
		{"k3", "Visa Card", schemas.AccountTypeCreditCard, "", "-81.00", true},
	}
}

func (s *story) accountsRead(list []sampleAccount) *story {
	s.after(3200 * time.Millisecond)
	s.at(s.now, schemas.ConnectionReady{ImportID: s.id, Run: 1, UserID: s.user, BankConnectionID: 7, BankID: 280001, BankName: "finAPI Test Bank", Categorized: true, StartedAt: schemas.At(s.now)})
	s.status(schemas.StepReadingAccounts, schemas.WaitingForUs).after(150 * time.Millisecond)
	fetched := schemas.AccountsFetched{ImportID: s.id, Run: 1, UserID: s.user, BankConnectionID: 7, Categorized: true, StartedAt: schemas.At(s.now)}
	for i, a := range list {
		s.at(s.now, schemas.Account{
			AccountKey: s.id + a.key, ImportID: s.id, Run: 1, UserID: s.user, BankConnectionID: 7, ProviderAccountID: int64(i + 1), BankID: 280001,
			BankName: "finAPI Test Bank", AccountType: a.kind, Name: a.name, Holder: "Max Mustermann", IBAN: a.iban, Currency: "EUR", Balance: a.balance,
			Loaded: a.loaded, SeenAt: schemas.At(s.now),
		})
		f := schemas.FetchedAccount{AccountKey: s.id + a.key, ProviderAccountID: int64(i + 1), AccountType: a.kind, Loaded: a.loaded}
		if !a.loaded {
			f.Failure = schemas.FailureDownloadFailed
		}
		fetched.Accounts = append(fetched.Accounts, f)
	}
	s.at(s.now, fetched)
	return s.readSoFar(0, 1612)
}

func (s *story) readSoFar(read, total int) *story {
	return s.status(schemas.StepReadingTransactions, schemas.WaitingForUs, func(e *schemas.ImportStatus) {
		e.TransactionsRead, e.TransactionsTotal = &read, &total
	})
}

func (s *story) rows(key string, n int) *story {
	for i := range n {
		s.at(s.now, s.row(key, int64(i+1), 1))
	}
	return s.after(800 * time.Millisecond)
}

func (s *story) row(key string, id int64, read int) schemas.Transaction {
	return schemas.Transaction{
		TransactionKey: schemas.TransactionKey(s.id+key, id), AccountKey: s.id + key, ImportID: s.id, Run: 1, Read: read,
		ProviderTransactionID: id, BookingDate: fmt.Sprintf("2026-01-%02d", id%28+1), Amount: []string{"-12.34", "2150.00", "-7.9"}[id%3], Currency: "EUR",
		CounterpartName: []string{"REWE Markt GmbH", "Stadtwerke Musterstadt", "Arbeitgeber AG"}[id%3],
		Purpose:         []string{"Einkauf 4711 Karte", "Abschlag Strom Januar", "Gehalt"}[id%3],
	}
}

func (s *story) completed(list []sampleAccount, partial bool) *story {
	s.after(1200 * time.Millisecond)
	c := schemas.ImportCompleted{ImportID: s.id, Run: 1, UserID: s.user, BankConnectionID: 7, Partial: partial, Categorized: true, StartedAt: schemas.At(s.now.Add(-38 * time.Second)), CompletedAt: schemas.At(s.now)}
	for _, a := range list {
		done := schemas.CompletedAccount{AccountKey: s.id + a.key, AccountType: a.kind, Loaded: a.loaded}
		if a.loaded {
			done.AccountRead = &schemas.AccountRead{Read: 1, ReadStartedAt: schemas.At(s.now), Count: 806, Sum: "-13587.10", ReportedCount: 806, ReportedSum: "-13587.10", FirstBookingDate: "2024-01-02", LastBookingDate: "2026-01-28", Reconciled: true}
			c.Transactions += 806
		} else {
			done.Failure = schemas.FailureDownloadFailed
		}
		c.Accounts = append(c.Accounts, done)
	}
	s.at(s.now, c)
	return s.status(schemas.StepCompleted, schemas.WaitingForNobody)
}

func (s *story) failed(r schemas.Reason, code string) *story {
	s.at(s.now, schemas.ImportFailed{ImportID: s.id, Run: 1, UserID: s.user, Reason: r, ProviderCode: code, Retryable: r.Retryable(), FailedAt: schemas.At(s.now)})
	return s.status(schemas.StepFailed, schemas.WaitingForNobody, func(e *schemas.ImportStatus) { e.Reason = r })
}

// sampleTape tells all samples, as they would stand at a time.
func sampleTape(now time.Time) *tape {
	t := newTape()
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	all := sampleAccounts()

	t.tell(sampleFailed, "u3", before(2*time.Minute)).requested().formOpen().after(15*time.Second).failed(schemas.ReasonBankRejected, "BANK_SERVER_REJECTION")
	some := sampleAccounts()
	some[2].loaded = false
	t.tell(samplePartial, "u2", before(90*time.Second)).requested().formOpen().downloading().accountsRead(some).rows("k1", 30).rows("k2", 3).completed(some, true)
	t.tell(sampleCompleted, "u1", before(60*time.Second)).requested().formOpen().downloading().accountsRead(all).rows("k1", 120).rows("k2", 3).completed(all, false)
	t.tell(sampleRunning, "u4", before(16*time.Second)).requested().formOpen().downloading().accountsRead(all).rows("k1", 25).readSoFar(1204, 1612)
	t.tell(sampleFormOpen, strings.Repeat("customer-", 6)+"5", before(8*time.Second)).requested().formOpen()
	reread := t.tell(sampleReread, "u1", before(5*time.Second))
	reread.at(reread.now, schemas.ImportRequested{ImportID: sampleReread, UserID: "u1", BankConnectionID: 12})
	reread.status(schemas.StepRequested, schemas.WaitingForUs).after(time.Second).status(schemas.StepDownloading, schemas.WaitingForProvider)
	t.tell(sampleRequested, "u6", before(2*time.Second)).requested()
	return t
}

// fillSamples makes a store hold all samples.
func fillSamples(s *store, now time.Time) { s.take(sampleTape(now).recs) }
