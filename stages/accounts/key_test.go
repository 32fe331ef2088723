package accounts

import (
	"testing"

	"github.com/bankimport/bankimport/internal/finapi"
)

func TestKeyIsStable(t *testing.T) {
	t.Parallel()
	user := finapi.User{ID: "p-u1"}
	plain := finapi.Account{ID: 1, ConnectionID: 77, Type: "checking", Number: "42", SubNumber: "1"}
	change := func(f func(*finapi.Account)) finapi.Account {
		a := plain
		f(&a)
		return a
	}
	of := func(k keyring, u finapi.User, bank int64, a finapi.Account) accountKey {
		return k.keys(u, bank, []finapi.Account{a})[0]
	}
	want := of(secret(), user, 280001, plain)
	if want.doubtful || len(want.key) != 32 {
		t.Fatalf("key %+v, want 32 characters without doubt", want)
	}
	// The key must never change from release to release.
	if pinned := "744fdbca3e3576a801c5756996279662"; want.key != pinned {
		t.Errorf("key %s, want %s", want.key, pinned)
	}
	for name, a := range map[string]finapi.Account{
		"new ids":          change(func(a *finapi.Account) { a.ID, a.ConnectionID = 99, 98 }),
		"leading zeros":    change(func(a *finapi.Account) { a.Number = "000042" }),
		"C25 IBAN appears": change(func(a *finapi.Account) { a.IBAN = "DE00" }),
		"renamed":          change(func(a *finapi.Account) { a.Name, a.Holder = "x", "y" }),
	} {
		if got := of(secret(), user, 280001, a); got != want {
			t.Errorf("%s: key %+v, want %+v as before", name, got, want)
		}
	}
	other := append([]byte("x"), secret()...)
	for name, got := range map[string]accountKey{
		"other user":       of(secret(), finapi.User{ID: "p-u2"}, 280001, plain),
		"other bank":       of(secret(), user, 280002, plain),
		"other secret":     of(other, user, 280001, plain),
		"other number":     of(secret(), user, 280001, change(func(a *finapi.Account) { a.Number = "420" })),
		"other sub-number": of(secret(), user, 280001, change(func(a *finapi.Account) { a.SubNumber = "" })),
		"other type":       of(secret(), user, 280001, change(func(a *finapi.Account) { a.Type = "savings" })),
		"moved border":     of(secret(), user, 280001, change(func(a *finapi.Account) { a.Number, a.SubNumber = "421", "" })),
	} {
		if got.key == want.key {
			t.Errorf("%s: the same key", name)
		}
	}
}

// TestKeysInDoubt: accounts that look alike are told apart, and it is said that
// they are.
func TestKeysInDoubt(t *testing.T) {
	t.Parallel()
	account := func(id int64, number string) finapi.Account {
		return finapi.Account{ID: id, Type: "credit_card", Number: number}
	}
	keys := keyring(secret()).keys(finapi.User{ID: "u"}, 1, []finapi.Account{
		account(1, "5"), account(2, "6"), account(3, "05"), account(4, "005"),
	})
	seen := map[string]bool{}
	for i, k := range keys {
		if seen[k.key] {
			t.Errorf("account %d has the key of another", i)
		}
		seen[k.key] = true
		if want := i != 1; k.doubtful != want {
			t.Errorf("account %d: doubtful %v, want %v", i, k.doubtful, want)
		}
	}
}
