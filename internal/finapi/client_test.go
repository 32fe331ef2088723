package finapi

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wantError fails unless err is an *Error of this class and code.
func wantError(t *testing.T, err error, class Class, code string) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got error %v, want an *Error of class %q and code %q", err, class, code)
	}
	if e.Class != class || e.Code != code {
		t.Fatalf("got class %q and code %q, want %q and %q: %v", e.Class, e.Code, class, code, e)
	}
	return e
}

func TestWholeImport(t *testing.T) {
	t.Parallel()
	p := newProvider()
	c := overTheWire(t, p, func(config *Config) { config.FormHosts = []string{"form.example.test"} })
	ctx := t.Context()
	user := c.User("upstream-user")

	if err := c.EnsureUser(ctx, user); err != nil {
		t.Fatal(err)
	}
	form, err := c.CreateForm(ctx, user, FormRequest{BankID: 280001})
	if err != nil {
		t.Fatal(err)
	}
	want := Form{
		ID: testFormID, URL: "https://form.example.test/wf/" + testFormID, Status: FormNotYetOpened,
		CreatedAt: time.Date(2026, 3, 2, 13, 51, 8, 973e6, time.UTC),
		ExpiresAt: time.Date(2026, 3, 2, 14, 11, 8, 973e6, time.UTC),
	}
	if diff := cmp.Diff(want, form); diff != "" {
		t.Errorf("created form (-want +got):\n%s", diff)
	}
	if form, err = c.Form(ctx, user, form.ID); err != nil || form.Status != FormInProgress {
		t.Errorf("Form: got %q, %v, want IN_PROGRESS", form.Status, err)
	}
	connection, err := c.Connection(ctx, user, 7)
	if err != nil {
		t.Fatal(err)
	}
	wantConnection := Connection{
		ID: 7, Bank: Bank{ID: 280001, Name: "finAPI Test Bank"}, UpdateStatus: StatusReady,
		CategorizationStatus: StatusPending, AccountIDs: []int64{11, 12},
	}
	if diff := cmp.Diff(wantConnection, connection); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	accounts, err := c.Accounts(ctx, user, 7)
	if err != nil {
		t.Fatal(err)
	}
	wantAccounts := []Account{{
		ID: 11, ConnectionID: 7, Type: "credit_card", Number: "111111100", Balance: "16978.51", OverdraftLimit: "0.0",
		Interfaces: []AccountInterface{{Status: InterfaceUpdated, LastSuccessfulUpdate: time.Date(2026, 8, 13, 16, 12, 22, 11e6, time.UTC)}},
	}}
	if diff := cmp.Diff(wantAccounts, accounts); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	page, err := c.Transactions(ctx, user, 11, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantPage := TransactionPage{
		Page: 1, PageCount: 1, TotalCount: 1, Balance: "-135.80",
		Transactions: []Transaction{{
			ID: 1860779443000, AccountID: 11, ValueDate: "2026-01-02", BankBookingDate: "2026-01-03", FinapiBookingDate: "2026-01-03",
			Amount: "-135.80", Purpose: "rent", CounterpartName: "Landlord", AdjustingEntry: true,
			ImportedAt: time.Date(2026, 1, 4, 5, 6, 7, 0, time.UTC),
		}},
	}
	if diff := cmp.Diff(wantPage, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	// Two logins, the user, and one call for each of the five reads and writes.
	if got := p.total(); got != 8 {
		t.Errorf("got %d calls %v, want 8", got, p.counts)
	}
	for _, r := range p.seen {
		if r.Header.Get("X-Request-Id") == "" || r.Header.Get("Accept-Language") != "en" {
			t.Errorf("%s: request id %q, language %q", operationOf(r), r.Header.Get("X-Request-Id"), r.Header.Get("Accept-Language"))
		}
		wantBearer := map[string]string{"client_token": "", "user_token": "", "create_user": "Bearer token-1"}
		bearer, ok := wantBearer[operationOf(r)]
		if !ok {
			bearer = "Bearer token-2"
		}
		if got := r.Header.Get("Authorization"); got != bearer {
			t.Errorf("%s: got authorization %q, want %q", operationOf(r), got, bearer)
		}
	}
}

func TestInvalidArgumentsAreNotSent(t *testing.T) {
	t.Parallel()
	p := newProvider()
	c := p.client(t)
	ctx := t.Context()
	user := c.User("u")
	for name, call := range map[string]func() error{
		"ensure no user": func() error { return c.EnsureUser(ctx, User{}) },
		"form no user":   func() error { _, err := c.CreateForm(ctx, User{}, FormRequest{}); return err },
		"two banks":      func() error { _, err := c.CreateForm(ctx, user, FormRequest{BankID: 1, BankSearch: "x"}); return err },
		"account type": func() error {
			_, err := c.CreateForm(ctx, user, FormRequest{AccountTypes: []string{"chequing"}})
			return err
		},
		"account type case": func() error {
			_, err := c.CreateForm(ctx, user, FormRequest{AccountTypes: []string{"CHECKING"}})
			return err
		},
		"form id path":        func() error { _, err := c.Form(ctx, user, "../x"); return err },
		"form id empty":       func() error { _, err := c.CancelForm(ctx, user, ""); return err },
		"connection zero":     func() error { _, err := c.Connection(ctx, user, 0); return err },
		"accounts negative":   func() error { _, err := c.Accounts(ctx, user, -1); return err },
		"transactions page 0": func() error { _, err := c.Transactions(ctx, user, 1, 0); return err },
	} {
		wantError(t, call(), ClassPermanent, CodeInvalidRequest)
		if got := p.total(); got != 0 {
			t.Fatalf("%s: %d calls were sent, want none", name, got)
		}
	}
}
