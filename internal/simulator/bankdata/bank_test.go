package bankdata

import (
	"errors"
	"slices"
	"testing"
)

func catalogue(t *testing.T, more ...Bank) *Catalogue {
	t.Helper()
	var c Catalogue
	for _, b := range append(TestBanks(), more...) {
		if err := c.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	return &c
}

func TestSearchLeadsToOneBankOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	c := catalogue(t, Bank{ID: 300001, Name: "Volksbank Musterbach", City: "Musterbach", BIC: "DEMODEB0300"})
	iban := NewGenerator(1).Accounts(c.banks[0])[0].IBAN
	for name, tt := range map[string]struct {
		search string
		want   int64
		err    error
	}{
		"BLZ":                        {search: "DEMO0001", want: TestBank},
		"BIC in lower case":          {search: "demodeb0002", want: TestRedirectBank},
		"IBAN":                       {search: iban, want: TestBank},
		"IBAN with spaces":           {search: iban[:4] + " " + iban[4:], want: TestBank},
		"words in any order":         {search: "redirect finapi", want: TestRedirectBank},
		"name that others contain":   {search: " finAPI Test Bank ", want: TestBank},
		"word that several contain":  {search: "finapi", err: ErrManyBanks},
		"city of several":            {search: "musterbach", err: ErrManyBanks},
		"empty":                      {search: " ", err: ErrManyBanks},
		"nothing":                    {search: "no such bank", err: ErrNoBank},
		"IBAN with bad check digits": {search: "DE00" + iban[4:], err: ErrNoBank},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := c.One(tt.search)
			if !errors.Is(err, tt.err) || b.ID != tt.want {
				t.Errorf("One(%q): got bank %d, %v; want bank %d, %v", tt.search, b.ID, err, tt.want, tt.err)
			}
		})
	}
}

func TestCatalogueRefuses(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]Bank{
		"an id twice":            {ID: TestBank},
		"no id":                  {Name: "x"},
		"too many accounts":      {ID: 1, Accounts: 1001},
		"negative rows":          {ID: 1, RowsPerAccount: -1},
		"more failures than all": {ID: 1, Accounts: 2, FailedAccounts: 3},
		"unknown interface":      {ID: 1, Interfaces: []string{"WEB_SCRAPER"}},
	} {
		if err := catalogue(t).Add(b); err == nil {
			t.Errorf("%s: added", name)
		}
	}
}

func TestParseBank(t *testing.T) {
	t.Parallel()
	b, err := ParseBank("300002:4x250:1")
	if err != nil {
		t.Fatal(err)
	}
	if b.ID != 300002 || b.Accounts != 4 || b.RowsPerAccount != 250 || b.FailedAccounts != 1 || b.Name != "Generated Bank 300002" {
		t.Errorf("got %+v", b)
	}
	for _, s := range []string{"", "300001", "300001:4", "300001:4x", "x:4x250", "300001:4x250:5", "300001:4x250:1:1", "0:1x1", "300001:0.5x1"} {
		if _, err := ParseBank(s); err == nil {
			t.Errorf("ParseBank(%q): no error", s)
		}
	}
}

func TestBankHasInterfaces(t *testing.T) {
	t.Parallel()
	b := TestBanks()[0]
	for _, tt := range []struct {
		interfaces []string
		want       bool
	}{{nil, true}, {[]string{XS2A}, true}, {[]string{"WEB_SCRAPER"}, false}, {[]string{"WEB_SCRAPER", FinTS}, true}} {
		if got := b.Has(tt.interfaces); got != tt.want {
			t.Errorf("Has(%v): got %t, want %t", tt.interfaces, got, tt.want)
		}
	}
	if !slices.Equal((Bank{ID: 1}).WithDefaults().Interfaces, []string{XS2A}) {
		t.Error("a bank without interfaces must get XS2A")
	}
}
