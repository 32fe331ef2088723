package schemas

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxUserID         = 128
	maxBankSearch     = 255
	maxConnectionName = 64
	lenProfileID      = 36
	minDays           = 14
	maxDays           = 3650

	ruleUUID    = "must be a lower-case UUID"
	ruleMaxDays = "must be 0 (all there is) or 14 to 3650"
	ruleMissing = "is missing"
)

// Validate reports every rule of the contract that r breaks, all at once, as an
// [*InvalidError]. Its text names fields and rules, never values.
func (r ImportRequested) Validate() error {
	var problems []Problem
	check := func(ok bool, field, rule string) {
		if !ok {
			problems = append(problems, Problem{Field: field, Rule: rule})
		}
	}
	check(r.ImportID != "", "import_id", ruleMissing)
	check(r.ImportID == "" || validUUID(r.ImportID), "import_id", ruleUUID)
	check(r.UserID != "", "user_id", ruleMissing)
	check(r.UserID == "" || validUserID(r.UserID), "user_id", "must be 1 to 128 printable characters")
	check(r.BankID >= 0, "bank_id", "must be at least 1")
	check(validText(r.BankSearch, maxBankSearch), "bank_search", "must be 1 to 255 characters without control characters")
	check(r.BankConnectionID >= 0, "bank_connection_id", "must be at least 1")
	if rule := accountTypesRule(r.AccountTypes); rule != "" {
		check(false, "account_types", rule)
	}
	check(r.MaxDays == nil || *r.MaxDays == 0 || *r.MaxDays >= minDays && *r.MaxDays <= maxDays, "max_days", ruleMaxDays)
	check(validText(r.ConnectionName, maxConnectionName), "connection_name", "must be 1 to 64 characters without control characters")
	check(r.ProfileID == "" || validProfileID(r.ProfileID), "profile_id", "must be 36 letters, digits and hyphens")
	problems = append(problems, r.contradictions()...)
	return invalid(TypeImportRequested, problems)
}

// contradictions finds fields that exclude each other.
func (r ImportRequested) contradictions() []Problem {
	var problems []Problem
	if r.BankID != 0 && r.BankSearch != "" {
		problems = append(problems, Problem{Field: "bank_search", Rule: "must not be set together with bank_id"})
	}
	if r.BankConnectionID == 0 {
		return problems
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"bank_id", r.BankID != 0},
		{"bank_search", r.BankSearch != ""},
		{"account_types", len(r.AccountTypes) > 0},
		{"max_days", r.MaxDays != nil},
		{"connection_name", r.ConnectionName != ""},
		{"profile_id", r.ProfileID != ""},
	} {
		if f.set {
			problems = append(problems, Problem{
				Field: f.name,
				Rule:  "must not be set together with bank_connection_id, which reads a connection that exists",
			})
		}
	}
	return problems
}

func accountTypesRule(types []string) string {
	allowed := AccountTypes()
	seen := make(map[string]bool, len(allowed)) // by account type
	for _, t := range types {
		if !slices.Contains(allowed, t) {
			return "unknown account type; allowed are " + strings.Join(allowed, ", ")
		}
		if seen[t] {
			return "an account type is there twice"
		}
		seen[t] = true
	}
	return ""
}

// Validate reports every rule of the contract that c breaks, as an
// [*InvalidError].
func (c ImportCancelRequested) Validate() error {
	if validUUID(c.ImportID) {
		return nil
	}
	return &InvalidError{Event: c.Type(), Problems: []Problem{{Field: "import_id", Rule: ruleUUID}}}
}

// validUUID says whether s is a UUID of any version, in lower case with
// hyphens.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// validUserID says whether s has 1 to 128 printable characters: letters, marks,
// digits, punctuation, symbols and the space.
func validUserID(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= maxUserID && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// validText says whether s, where it is set, fits and has no control characters.
func validText(s string, limit int) bool {
	return utf8.RuneCountInString(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func validProfileID(s string) bool {
	return len(s) == lenProfileID && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
