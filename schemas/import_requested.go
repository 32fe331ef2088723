package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/go-json-experiment/json"
)

// ImportRequested asks for the import of a user's bank. Upstream publishes it.
//
// At most one of BankID, BankSearch and BankConnectionID is set; with none of
// them the user picks the bank in the form.
type ImportRequested struct {
	// ImportID is a lower-case UUID, new for every import, and the record's key.
	ImportID string `json:"import_id"`
	// UserID is upstream's own name of the user: 1 to 128 printable characters.
	UserID string `json:"user_id"`
	// BankID is the provider's id of the bank.
	BankID int64 `json:"bank_id,omitzero"`
	// BankSearch leads to one bank: IBAN, bank code, BIC, name or city.
	BankSearch string `json:"bank_search,omitempty"`
	// BankConnectionID names a connection that exists and is to be read again:
	// there is no form then, and no other field about the form may be set.
	BankConnectionID int64 `json:"bank_connection_id,omitzero"`
	// AccountTypes are the only kinds of account to import; see [AccountTypes].
	AccountTypes []string `json:"account_types,omitempty"`
	// MaxDays is how far back to load: 0 (all there is) or 14 to 3650.
	MaxDays *int `json:"max_days,omitempty"`
	// ConnectionName is shown to the user: 1 to 64 characters.
	ConnectionName string `json:"connection_name,omitempty"`
	// ProfileID is the provider's id of the form's look: 36 characters.
	ProfileID string `json:"profile_id,omitempty"`
	// RequestedAt is when the user asked.
	RequestedAt Instant `json:"requested_at,omitzero"`
}

// Type implements [Event].
func (ImportRequested) Type() string { return TypeImportRequested }

// Topic implements [Event].
func (ImportRequested) Topic() string { return TopicImportRequested }

// Key implements [Event].
func (r ImportRequested) Key() string { return r.ImportID }

// Subject implements [Event].
func (r ImportRequested) Subject() string { return r.ImportID }

// ID implements [Event]. Its subject is the hash: the same import id with other
// content is another fact.
func (r ImportRequested) ID() string { return eventID(r.ImportID, r.Type(), 1, r.Hash()) }

// Hash tells requests with the same import id apart: equal for equal content,
// where requested_at does not count and lists are sets. It stays the same from
// release to release.
func (r ImportRequested) Hash() string {
	r.RequestedAt = Instant{}
	r.AccountTypes = slices.Compact(slices.Sorted(slices.Values(r.AccountTypes)))
	b, err := json.Marshal(r, json.Deterministic(true))
	if err != nil { // not UTF-8: such a request never came out of a decoder
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
