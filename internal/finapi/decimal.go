package finapi

import (
	"strconv"
	"strings"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const maxDigits = 40 // characters of an amount; the provider's have 14 digits

// decimal is the amount as the provider wrote it. Only a number in scientific
// notation, which a decimal string of ours cannot be, is written out; that is
// exact. It is not ok when the number is absurdly long.
func decimal(n api.Number) (text string, ok bool) {
	mantissa, exponent, scientific := cutExponent(string(n))
	if scientific {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > maxDigits || e < -maxDigits {
			return "", false
		}
		mantissa = shift(mantissa, e)
	}
	return mantissa, len(mantissa) <= maxDigits
}

func cutExponent(s string) (mantissa, exponent string, found bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// shift moves the decimal point by e places to the right.
func shift(s string, e int) string {
	sign := ""
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		sign, s = "-", rest
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	point := len(whole) + e
	switch {
	case point <= 0:
		digits = strings.Repeat("0", 1-point) + digits
		point = 1
	case point > len(digits):
		digits += strings.Repeat("0", point-len(digits))
	}
	whole = strings.TrimLeft(digits[:point], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction = digits[point:]; fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}
