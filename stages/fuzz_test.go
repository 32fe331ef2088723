package stages_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/schemas/schematest"
	"github.com/bankimport/bankimport/stages"
	"github.com/bankimport/bankimport/stages/internal/flow"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

const (
	fuzzImport = "7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2"
	fuzzForm   = "11111111-1111-4111-8111-111111111111"
	fuzzCanary = "DE77533700080111111100"
)

// A fuzzBank has everything, and answers at once.
type fuzzBank struct{ rows []finapi.Transaction }

func (fuzzBank) User(id string) finapi.User                    { return finapi.User{ID: id} }
func (fuzzBank) EnsureUser(context.Context, finapi.User) error { return nil }

func (fuzzBank) form(status finapi.FormStatus) finapi.Form {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return finapi.Form{ID: fuzzForm, URL: "https://webform.example.test/x", Status: status, CreatedAt: now, ExpiresAt: now.Add(20 * time.Minute)}
}

func (b fuzzBank) CreateForm(context.Context, finapi.User, finapi.FormRequest) (finapi.Form, error) {
	return b.form(finapi.FormNotYetOpened), nil
}

func (b fuzzBank) Form(context.Context, finapi.User, string) (finapi.Form, error) {
	f := b.form(finapi.FormCompleted)
	f.ConnectionID = 7
	return f, nil
}

func (b fuzzBank) CancelForm(context.Context, finapi.User, string) (finapi.Form, error) {
	return b.form(finapi.FormCancelled), nil
}

func (fuzzBank) Connection(_ context.Context, _ finapi.User, id int64) (finapi.Connection, error) {
	return finapi.Connection{ID: id, Bank: finapi.Bank{ID: 1, Name: "Bank"}, UpdateStatus: finapi.StatusReady, CategorizationStatus: finapi.StatusReady, AccountIDs: []int64{8}}, nil
}

func (fuzzBank) Accounts(_ context.Context, _ finapi.User, connectionID int64) ([]finapi.Account, error) {
	return []finapi.Account{{ID: 8, ConnectionID: connectionID, Type: "checking", Interfaces: []finapi.AccountInterface{{Status: finapi.InterfaceUpdated}}}}, nil
}

func (b fuzzBank) Transactions(_ context.Context, _ finapi.User, _ int64, page int) (finapi.TransactionPage, error) {
	return finapi.TransactionPage{Transactions: b.rows, Page: page, PageCount: 1, TotalCount: len(b.rows), Balance: "1.50"}, nil
}

func fuzzStages(f testing.TB, bank fuzzBank) []pipeline.Stage {
	all, err := stages.All(stages.Deps{
		Provider: bank, Callbacks: sealer{}, CallbackBaseURL: "https://bridge.example.test", AccountKey: []byte(strings.Repeat("k", 32)),
	})
	if err != nil {
		f.Fatal(err)
	}
	return all
}

// fuzzTriggers are what each stage can meet: the events that it reads, and at the
// end its timer.
func fuzzTriggers(t testing.TB, s pipeline.Stage) (all []pipeline.Trigger) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := schemas.At(now)
	for _, e := range []schemas.Event{
		schemas.ImportRequested{ImportID: fuzzImport, UserID: "u", BankID: 1},
		schemas.ImportRequested{ImportID: fuzzImport, UserID: "u", BankConnectionID: 7},
		schemas.ImportCancelRequested{ImportID: fuzzImport},
		schemas.WebformAwaited{ImportID: fuzzImport, Run: 1, UserID: "u", FormID: fuzzForm, ExpiresAt: at, StartedAt: at},
		schemas.WebformCompleted{ImportID: fuzzImport, Run: 1, FormID: fuzzForm, EndedBy: schemas.EndedByCallback, ObservedAt: at},
		schemas.ConnectionReady{
			ImportID: fuzzImport, Run: 1, UserID: "u", BankConnectionID: 7, BankID: 1, BankName: "Bank", StartedAt: at,
			Accounts: []schemas.ConnectionAccount{{ProviderAccountID: 8, Loaded: true}},
		},
		schemas.AccountsFetched{
			ImportID: fuzzImport, Run: 1, UserID: "u", BankConnectionID: 7, StartedAt: at,
			Accounts: []schemas.FetchedAccount{{AccountKey: strings.Repeat("a", 32), ProviderAccountID: 8, AccountType: "checking", Loaded: true}},
		},
	} {
		if e.Topic() == s.Input {
			m := flowtest.New(t, s, fuzzImport, now)
			all = append(all, pipeline.Trigger{Key: fuzzImport, Event: m.Record(e), Now: now})
		}
	}
	return append(all, pipeline.Trigger{Key: fuzzImport, Due: now, Now: now}, pipeline.Trigger{Key: fuzzImport, Due: now, Now: now, Redrive: 1})
}

// fuzzAmount reports whether the client writes amounts like that.
func fuzzAmount(s string) bool {
	return regexp.MustCompile(`^-?(0|[1-9]\d{0,29})(\.\d{1,10})?$`).MatchString(s)
}

// Whatever a state topic holds, a stage does a step with it or refuses it with a
// class of its own and without quoting it; what it publishes can be read.
func FuzzState(f *testing.F) {
	all := fuzzStages(f, fuzzBank{rows: []finapi.Transaction{{ID: 1, AccountID: 8, Amount: "1.50", ImportedAt: time.Unix(1, 0)}}})
	triggers := make([][]pipeline.Trigger, len(all))
	for i, s := range all {
		triggers[i] = fuzzTriggers(f, s)
		for _, bad := range []string{"", "null", "[]", `{"v":1}`, `{"v":2}`, `{"v":1,"phase":"` + fuzzCanary + `"}`, `{"v":"` + fuzzCanary + `"}`} {
			f.Add(uint8(i), uint8(0), []byte(bad))
		}
		for n, first := range triggers[i] { // what a stage leaves, step by step
			var state []byte
			for step := range 4 {
				t := first
				if step > 0 {
					t = pipeline.Trigger{Key: fuzzImport, Due: first.Now, Now: first.Now.Add(time.Duration(step) * time.Minute)}
				}
				r, err := s.Handler.Handle(f.Context(), t, pipeline.State{Value: state})
				if v, set := r.State.Value(); err != nil || !set {
					break
				} else {
					state = v
				}
				f.Add(uint8(i), uint8(n), state)
				f.Add(uint8(i), uint8(len(triggers[i])-2), state)
			}
		}
	}
	f.Fuzz(func(t *testing.T, stage, trigger uint8, state []byte) {
		i := int(stage) % len(all)
		s, tr := all[i], triggers[i][int(trigger)%len(triggers[i])]
		r, err := s.Handler.Handle(t.Context(), tr, pipeline.State{Value: state})
		if err != nil {
			if class, ok := pipeline.Class(err); ok && !slices.Contains(s.Classes, class) {
				t.Errorf("class %q is none of the stage's", class)
			}
			if strings.Contains(err.Error(), fuzzCanary) {
				t.Errorf("the error quotes the state: %v", err)
			}
		}
		for _, r := range []pipeline.Result{r, s.Handler.GaveUp(tr, pipeline.State{Value: state}, errors.New("given up"))} {
			for _, e := range r.Events {
				flowtest.Decode(t, e)
			}
			left, _ := r.State.Value()
			_, err := s.Handler.Handle(t.Context(), pipeline.Trigger{Key: fuzzImport, Due: tr.Now, Now: tr.Now}, pipeline.State{Value: left})
			if class, _ := pipeline.Class(err); class == flow.ClassInvalidState {
				t.Errorf("it leaves what it cannot read: %v", err)
			}
		}
	})
}

// fuzzRow is a row that says text wherever it says anything, and how often that is.
func fuzzRow(text string) (row finapi.Transaction, texts int) {
	v := reflect.ValueOf(&row).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).Kind() == reflect.String && !strings.HasSuffix(name, "Date") && !strings.HasSuffix(name, "Amount") && !strings.HasSuffix(name, "Currency") {
			v.Field(i).SetString(text)
			texts++
		}
	}
	row.Category = &finapi.Category{Name: text, ParentName: text}
	return row, texts + 2
}

// A row that the provider's client lets through becomes one event, which follows
// its schema and loses nothing.
func FuzzRow(f *testing.F) {
	v, err := schematest.New()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int64(1), "1.50", "purpose", "2026-01-02", "EUR", int64(1000))
	f.Add(int64(1)<<53+1, "-0.00", "=cmd()", "0001-01-01", "", int64(-62135596799999))
	f.Add(int64(1)<<62, "123456789012345678901234567890.123", "a\x00b\u2028\u202eeman", "9999-12-31", "ZZZ", int64(253402300799999))
	f.Add(int64(7), "0", "\"</script>😀\x7f", "2024-02-29", "CHF", int64(-1))
	code := regexp.MustCompile(`^([A-Z]{3})?$`)
	f.Fuzz(func(t *testing.T, id int64, amount, text, day, currency string, imported int64) {
		date, err := time.Parse(time.DateOnly, day)
		at := time.UnixMilli(imported).UTC()
		if id <= 0 || !fuzzAmount(amount) || !utf8.ValidString(text) || err != nil || date.Year() < 1 ||
			!code.MatchString(currency) || at.IsZero() || at.Year() < 1 || at.Year() > 9999 {
			return
		}
		text = "t" + text // so that it is nothing else that the event says
		row, texts := fuzzRow(text)
		row.ID, row.AccountID, row.ImportedAt = id, 8, at
		row.BankBookingDate, row.ValueDate, row.FinapiBookingDate = day, day, day
		row.Amount, row.OriginalAmount, row.FeeAmount, row.CompensationAmount = amount, amount, amount, amount
		row.Currency, row.OriginalCurrency, row.FeeCurrency = currency, currency, currency

		s := fuzzStages(t, fuzzBank{rows: []finapi.Transaction{row}})[3]
		tr := fuzzTriggers(t, s)[0]
		r, err := s.Handler.Handle(t.Context(), tr, pipeline.State{})
		if err != nil {
			t.Fatal(err)
		}
		state, _ := r.State.Value()
		r, err = s.Handler.Handle(t.Context(), pipeline.Trigger{Key: fuzzImport, Due: tr.Now, Now: tr.Now}, pipeline.State{Value: state})
		if err != nil {
			t.Fatal(err)
		}
		e, ok := flowtest.Decode(t, r.Events[0]).(schemas.Transaction)
		if !ok || len(r.Events) != 2 {
			t.Fatalf("got %d events, the first %T; want the row and a status", len(r.Events), e)
		}
		if err := v.Validate(schemas.TypeTransaction, r.Events[0].Value); err != nil {
			t.Error(err)
		}
		if e.ProviderTransactionID != id || !e.ImportedAt.Equal(at) || e.BookingDate != day || e.ValueDate != day || e.FinapiBookingDate != day ||
			e.Amount != amount || e.OriginalAmount != amount || e.FeeAmount != amount || e.CompensationAmount != amount ||
			e.Currency != currency || e.OriginalCurrency != currency || e.FeeCurrency != currency {
			t.Errorf("got %+v, want %+v", e, row)
		}
		var fields map[string]any
		if err := json.Unmarshal(r.Events[0].Value, &fields); err != nil {
			t.Fatal(err)
		}
		said := 0
		for _, value := range fields {
			if value == text {
				said++
			}
		}
		if said != texts {
			t.Errorf("the event says %q %d times, want %d", text, said, texts)
		}
	})
}
