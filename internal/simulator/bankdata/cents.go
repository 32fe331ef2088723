package bankdata

import (
	"errors"
	"strconv"
	"strings"
)

// Cents is an amount in hundredths of its currency.
type Cents int64

// String is the amount as the provider writes it: exact and not padded to two
// places, e.g. 0.0, 4111.3, -135.89.
func (c Cents) String() string { return string(c.AppendText(nil)) }

// AppendText is String without the allocation.
func (c Cents) AppendText(b []byte) []byte {
	if c < 0 {
		b = append(b, '-')
		c = -c
	}
	b = strconv.AppendInt(b, int64(c)/100, 10)
	b = append(b, '.', byte('0'+c/10%10))
	if last := c % 10; last != 0 {
		b = append(b, byte('0'+last))
	}
	return b
}

// ParseCents reads a decimal number with at most two places, e.g. -12.5.
func ParseCents(s string) (Cents, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if len(fraction) > 2 || whole == "" || len(whole) > 15 {
		return 0, errAmount
	}
	n, err := strconv.ParseUint(whole+(fraction + "00")[:2], 10, 63)
	if err != nil {
		return 0, errAmount
	}
	if negative {
		return -Cents(n), nil
	}
	return Cents(n), nil
}

var errAmount = errors.New("not an amount with at most two decimal places")
