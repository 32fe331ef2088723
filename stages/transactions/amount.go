package transactions

import (
	"errors"

	"github.com/shopspring/decimal"
)

const (
	// maxAmountText and maxExponent bound amounts, so that adding up a few odd
	// ones cannot take all memory: 1e2000000000 is a number too.
	maxAmountText = 64
	maxExponent   = 64
)

var errAmount = errors.New("an amount is no decimal number of reasonable size")

// parseAmount reads an amount exactly. The error does not quote it.
func parseAmount(s string) (decimal.Decimal, error) {
	if len(s) > maxAmountText {
		return decimal.Decimal{}, errAmount
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > maxExponent || d.Exponent() < -maxExponent {
		return decimal.Decimal{}, errAmount
	}
	return d, nil
}

// formatAmount writes a sum with as many decimals as the finest of its amounts.
func formatAmount(d decimal.Decimal) string {
	return d.StringFixed(max(-d.Exponent(), 0))
}
