package bankdata

import (
	"fmt"
	"strings"
)

// germanIBAN puts the check digits before a bank code of eight digits and an
// account number of at most ten.
func germanIBAN(bankCode, number string) string {
	bban := bankCode + strings.Repeat("0", 10-len(number)) + number
	return fmt.Sprintf("DE%02d%s", 98-mod97(bban+"131400"), bban) // 1314 is DE, 00 stands for the check digits
}

// validIBAN reports whether the check digits of an IBAN without spaces fit.
func validIBAN(s string) bool {
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	var digits strings.Builder
	for _, r := range s[4:] + s[:4] {
		switch {
		case '0' <= r && r <= '9':
			digits.WriteRune(r)
		case 'A' <= r && r <= 'Z':
			fmt.Fprint(&digits, r-'A'+10)
		default:
			return false
		}
	}
	return mod97(digits.String()) == 1
}

func mod97(digits string) int {
	rest := 0
	for _, r := range digits {
		rest = (rest*10 + int(r-'0')) % 97
	}
	return rest
}
