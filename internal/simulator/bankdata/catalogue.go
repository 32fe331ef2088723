package bankdata

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Why a search text does not lead to one bank.
var (
	ErrNoBank    = errors.New("no bank fits")
	ErrManyBanks = errors.New("several banks fit")
)

// Catalogue is a list of banks, ordered by id. It is not safe for concurrent use.
type Catalogue struct{ banks []Bank }

// Add puts a bank in. It refuses an id that is there already.
func (c *Catalogue) Add(b Bank) error {
	b = b.WithDefaults()
	if err := b.Validate(); err != nil {
		return err
	}
	i, found := slices.BinarySearchFunc(c.banks, b.ID, byID)
	if found {
		return fmt.Errorf("bank %d: there is one with this id already", b.ID)
	}
	c.banks = slices.Insert(c.banks, i, b)
	return nil
}

func byID(b Bank, id int64) int {
	switch {
	case b.ID < id:
		return -1
	case b.ID > id:
		return 1
	}
	return 0
}

// Bank finds a bank by id.
func (c *Catalogue) Bank(id int64) (Bank, bool) {
	i, found := slices.BinarySearchFunc(c.banks, id, byID)
	if !found {
		return Bank{}, false
	}
	return c.banks[i], true
}

// Search gives the banks that fit a text: an IBAN fits the bank that keeps the
// account; of any other text each word must be in the bank's name, BLZ, BIC or
// city. An empty text fits all.
func (c *Catalogue) Search(text string) []Bank {
	words := strings.Fields(strings.ToLower(text))
	if iban := strings.ToUpper(strings.Join(words, "")); validIBAN(iban) && strings.HasPrefix(iban, "DE") {
		words = []string{iban[4:12]}
	}
	var found []Bank
	for _, b := range c.banks {
		if b.matches(words) {
			found = append(found, b)
		}
	}
	return found
}

// One is the bank that a text leads to. A bank whose name is the text wins over
// banks that merely contain its words, as "finAPI Test Bank" is part of several.
func (c *Catalogue) One(text string) (Bank, error) {
	if strings.TrimSpace(text) == "" {
		return Bank{}, ErrManyBanks
	}
	found := c.Search(text)
	if len(found) > 1 {
		exact := slices.DeleteFunc(slices.Clone(found), func(b Bank) bool { return !strings.EqualFold(b.Name, strings.TrimSpace(text)) })
		if len(exact) == 1 {
			return exact[0], nil
		}
		return Bank{}, ErrManyBanks
	}
	if len(found) == 0 {
		return Bank{}, ErrNoBank
	}
	return found[0], nil
}
