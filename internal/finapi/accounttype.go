package finapi

import (
	"strings"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const maxAccountWord = 64

// formAccountType turns our word into Web Form's spelling: credit_card into
// CREDIT_CARD.
func formAccountType(word string) (api.FormAccountType, bool) {
	t := api.FormAccountType(strings.ToUpper(word))
	return t, t.Valid() && word == strings.ToLower(word)
}

// accountWord turns Access's spelling into our word: CreditCard into
// credit_card. A type that is new to us is spelt the same way. The word is ""
// if the type is not made of letters and digits.
func accountWord(t api.AccountType) string {
	var b strings.Builder
	for i, r := range string(t) {
		switch {
		case 'A' <= r && r <= 'Z':
			if i > 0 {
				b.WriteByte('_')
			}
			b.WriteRune(r - 'A' + 'a')
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			b.WriteRune(r)
		default:
			return ""
		}
	}
	if b.Len() > maxAccountWord {
		return ""
	}
	return b.String()
}
