package accounts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/bankimport/bankimport/internal/finapi"
)

const (
	// minKey is how many bytes the secret needs.
	minKey = 32
	// keySize is how many bytes of the hash are kept: enough that two accounts
	// never meet by chance.
	keySize = 16
)

// keyring makes account keys. Whoever lacks the secret cannot find out which
// account number stands behind a key by trying numbers.
type keyring []byte

// accountKey names an account across imports.
type accountKey struct {
	key      string
	doubtful bool
}

// keys returns the keys of a connection's accounts, in their order. Accounts that
// look alike get the provider's id into the hash and are marked as doubtful: the
// provider gives another id when the bank is connected anew.
//
// The IBAN is no input, because the provider shows and hides it; nor are leading
// zeros of the number, which come and go.
func (k keyring) keys(user finapi.User, bankID int64, accounts []finapi.Account) []accountKey {
	keys := make([]accountKey, len(accounts))
	alike := make(map[string]int, len(accounts)) // by plain key
	for i, a := range accounts {
		keys[i].key = k.hash(identity(user, bankID, a)...)
		alike[keys[i].key]++
	}
	for i, a := range accounts {
		if alike[keys[i].key] > 1 {
			keys[i] = accountKey{k.hash(append(identity(user, bankID, a), strconv.FormatInt(a.ID, 10))...), true}
		}
	}
	return keys
}

func identity(user finapi.User, bankID int64, a finapi.Account) []string {
	return []string{user.ID, strconv.FormatInt(bankID, 10), strings.TrimLeft(a.Number, "0"), a.SubNumber, a.Type}
}

// hash is the keyed hash of parts. Each is preceded by its length, so that no
// two lists of parts are hashed alike.
func (k keyring) hash(parts ...string) string {
	h := hmac.New(sha256.New, k)
	for _, p := range parts {
		_, _ = h.Write([]byte(strconv.Itoa(len(p)) + ":" + p)) // writing to a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:keySize])
}
