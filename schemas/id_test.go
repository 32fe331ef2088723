package schemas_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/schemas"
)

// TestIDsNeverChange holds the ids of the examples. An id that changes would
// let a fact appear as two after an upgrade.
func TestIDsNeverChange(t *testing.T) {
	t.Parallel()
	want := map[string]string{ // by example
		"account":                         "d021cc17-f89e-56a9-b623-139b5480b2e3",
		"account.failed":                  "b209a08e-c9df-5ed4-a360-839416b2e081",
		"accounts-fetched":                "7f6f29cf-0cc4-54fe-84bb-07cbe9ea099f",
		"connection-ready":                "ef2ffe69-d87d-5a3c-890b-acd3f2785a0a",
		"import-cancel-requested":         "af6fd778-d204-5bae-9475-8f301638f250",
		"import-completed":                "7fb02875-e4ea-5625-8f33-770d78e11628",
		"import-failed":                   "e01e4ebf-42c1-54db-8eaf-347ebfb24f15",
		"import-failed.already-connected": "5c5ac6c7-fda6-5272-ac36-7d57236ec570",
		"import-failed.invalid-request":   "7797548a-1a83-58cd-afc3-3f4ea8b29abe",
		"import-requested":                "c8bf17b9-aae1-5cf7-b5ca-9e11f2e1b509",
		"import-requested.minimal":        "4cb09103-6fe1-5fe3-a8b8-ec30476ad37e",
		"import-requested.reread":         "576f4e51-d76d-56e9-acaa-c598d81864a7",
		"import-requested.search":         "f6b8d85e-cf92-5700-a720-9d91da5178dd",
		"import-status":                   "4a96c14e-14ae-54eb-a5c0-073e455075a1",
		"import-status.failed":            "1b8fbcda-c649-5a7b-b0e6-58709c9cacea",
		"import-status.form-open":         "4cda005e-a6bc-54da-b777-d9e13ae7913b",
		"import-status.retrying":          "3c75414b-ae6f-5442-81be-6602d7c490ca",
		"transaction":                     "a2daddc1-6f06-59b5-870a-99197a9004bb",
		"transaction.minimal":             "b905d0bd-c16e-5391-9bcf-dccf6d3e2d80",
		"webform-awaited":                 "a0f4ce18-a6d8-5f9a-8270-0cceaaa83e57",
		"webform-awaited.reread":          "cd724764-5250-5e38-a9ae-da54259773fc",
		"webform-completed":               "f6292342-da71-51f8-bbfe-d6f08ad46e5a",
		"webform-completed.cancel":        "bb85ae66-de15-5710-8369-4b54db4bde1f",
		"webform-completed.unreadable":    "62329296-438d-5ec8-9e18-ca48ba36fd61",
		"webform-created":                 "b034e450-0a38-5fb1-8c49-059a39820e36",
	}
	for _, x := range schemas.Examples() {
		event, err := decode(x.Type, x.Value)
		if err != nil {
			t.Fatal(err)
		}
		if got := event.ID(); got != want[x.Name] {
			t.Errorf("%s: got id %q, want %q", x.Name, got, want[x.Name])
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	const a, b = "7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2", "11aa7c3e-9d2f-4a61-b8c4-0e5f6a7b8d03"
	one, two := 1, 2
	different := []schemas.Event{ // each differs from the others in what makes an id
		schemas.ImportRequested{ImportID: a}, schemas.ImportRequested{ImportID: b},
		schemas.ImportRequested{ImportID: a, UserID: "u"}, schemas.ImportRequested{ImportID: a, MaxDays: &one},
		schemas.ImportRequested{ImportID: a, MaxDays: &two},
		schemas.ImportCancelRequested{ImportID: a},
		schemas.WebformCreated{ImportID: a, Run: 1, FormID: "f"}, schemas.WebformCreated{ImportID: a, Run: 1, FormID: "g"},
		schemas.WebformCreated{ImportID: a, Run: 2, FormID: "f"}, schemas.WebformCreated{ImportID: b, Run: 1, FormID: "f"},
		schemas.WebformAwaited{ImportID: a, Run: 1, FormID: "f"}, schemas.WebformAwaited{ImportID: a, Run: 1, BankConnectionID: 1},
		schemas.WebformAwaited{ImportID: a, Run: 1, FormID: "1"},
		schemas.WebformCompleted{ImportID: a, Run: 1, FormID: "f", EndedBy: schemas.EndedByCallback},
		schemas.WebformCompleted{ImportID: a, Run: 1, FormID: "f", EndedBy: schemas.EndedByCancel},
		schemas.WebformCompleted{ImportID: a, Run: 1, EndedBy: schemas.EndedByCallback},
		schemas.ConnectionReady{ImportID: a, Run: 1}, schemas.ConnectionReady{ImportID: a, Run: 2},
		schemas.AccountsFetched{ImportID: a, Run: 1}, schemas.ImportCompleted{ImportID: a, Run: 1},
		schemas.ImportFailed{ImportID: a, Run: 1}, schemas.ImportFailed{ImportID: a, Run: 11},
		schemas.ImportStatus{ImportID: a, Run: 1, Step: schemas.StepRequested},
		schemas.ImportStatus{ImportID: a, Run: 1, Step: schemas.StepFormOpen},
		schemas.ImportStatus{ImportID: a, Run: 1, Step: schemas.StepFormOpen, Counter: 1},
		schemas.Account{ImportID: a, Run: 1, AccountKey: "k"}, schemas.Account{ImportID: a, Run: 1, AccountKey: "l"},
		schemas.Transaction{ImportID: a, Run: 1, Read: 1, TransactionKey: "k"}, schemas.Transaction{ImportID: a, Run: 1, Read: 2, TransactionKey: "k"},
		schemas.Transaction{ImportID: a, Run: 1, Read: 1, TransactionKey: "k1"},
	}
	seen := make(map[string]schemas.Event) // by id
	for _, e := range different {
		id := e.ID()
		if u, err := uuid.Parse(id); err != nil || u.Version() != 5 {
			t.Errorf("%#v: got id %q, want a UUIDv5", e, id)
		}
		if other, there := seen[id]; there {
			t.Errorf("%#v and %#v have the same id", e, other)
		}
		seen[id] = e
		if e.ID() != id {
			t.Errorf("%#v: got another id the second time", e)
		}
	}
	// What is only told with a fact does not change the id.
	ready := schemas.ConnectionReady{ImportID: a, Run: 1, BankName: "x"}
	if got := ready.ID(); got != (schemas.ConnectionReady{ImportID: a, Run: 1}).ID() {
		t.Errorf("got id %s for the same connection-ready with a bank's name", got)
	}
}

func TestKeysAndSubjects(t *testing.T) {
	t.Parallel()
	for _, x := range schemas.Examples() {
		event, err := decode(x.Type, x.Value)
		if err != nil {
			t.Fatal(err)
		}
		o := parse(t, x.Value)
		field := map[string]string{"account": "account_key", "transaction": "transaction_key"}[x.Type]
		if field == "" {
			field = "import_id"
		}
		if event.Type() != x.Type || event.Key() != o[field] || event.Subject() != o["import_id"] {
			t.Errorf("%s: got type %s, key %s, subject %s", x.Name, event.Type(), event.Key(), event.Subject())
		}
	}
}

func TestTransactionKey(t *testing.T) {
	t.Parallel()
	got := schemas.TransactionKey("a1_Zk3v0Qm8Jt5yXw2Lr7Nc9Pd4Hs6Bf", 918273645)
	if want := "eb7306f6-813b-5db7-8605-8cc1b99e2160"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	keys := []string{got, schemas.TransactionKey("a", 11), schemas.TransactionKey("a1", 1), schemas.TransactionKey("a", 1)}
	slices.Sort(keys)
	if n := len(slices.Compact(keys)); n != 4 {
		t.Errorf("got %d different keys, want 4: %s", n, strings.Join(keys, " "))
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	base := `{"import_id":"i","user_id":"u","account_types":["savings","checking"],"max_days":30}`
	for _, c := range []struct {
		name, other string
		same        bool
	}{
		{"other order of fields", `{"max_days":30,"account_types":["savings","checking"],"user_id":"u","import_id":"i"}`, true},
		{"other order in a list", `{"import_id":"i","user_id":"u","account_types":["checking","savings"],"max_days":30}`, true},
		{"list with a repeat", `{"import_id":"i","user_id":"u","account_types":["checking","savings","checking"],"max_days":30}`, true},
		{"other time", `{"import_id":"i","user_id":"u","account_types":["savings","checking"],"max_days":30,"requested_at":"2026-01-01T00:00:00Z"}`, true},
		{"white space", ` { "import_id":"i" , "user_id":"\u0075","account_types":["savings","checking"],"max_days":30}`, true},
		{"other user", `{"import_id":"i","user_id":"v","account_types":["savings","checking"],"max_days":30}`, false},
		{"other list", `{"import_id":"i","user_id":"u","account_types":["savings"],"max_days":30}`, false},
		{"other days", `{"import_id":"i","user_id":"u","account_types":["savings","checking"],"max_days":0}`, false},
		{"no days", `{"import_id":"i","user_id":"u","account_types":["savings","checking"]}`, false},
		{"a bank", `{"import_id":"i","user_id":"u","account_types":["savings","checking"],"max_days":30,"bank_id":1}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, errA := schemas.DecodeImportRequested([]byte(base))
			b, errB := schemas.DecodeImportRequested([]byte(c.other))
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			types := slices.Clone(b.AccountTypes)
			if same := a.Hash() == b.Hash(); same != c.same {
				t.Errorf("got same hash %v, want %v", same, c.same)
			}
			if !slices.Equal(types, b.AccountTypes) {
				t.Errorf("hashing changed the request's list to %v", b.AccountTypes)
			}
		})
	}
}
