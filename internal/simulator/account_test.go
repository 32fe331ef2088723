package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

// account is an account as the API shows it.
type account struct {
	ID, BankConnectionID                    int64
	AccountName, AccountType, AccountNumber string
	AccountHolderName, AccountCurrency      string
	IBAN                                    *string
	Balance, AvailableFunds, OverdraftLimit *json.Number
	Interfaces                              []struct {
		Status, BankingInterface                string
		LastSuccessfulUpdate, LastUpdateAttempt *string
	}
}

func (a *apis) accounts(token, query string) []account {
	a.t.Helper()
	return decoded[struct{ Accounts []account }](a.get("/api/v2/accounts"+query, token).want(200)).Accounts
}

func text(n *json.Number) string {
	if n == nil {
		return "null"
	}
	return n.String()
}

func TestAccountsOfTheTestBank(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.loaded(token, testBank)
	var got []string
	for _, acc := range a.accounts(token, "") {
		got = append(got, fmt.Sprintf("%s %s %s %s IBAN:%t", acc.AccountType, text(acc.Balance), text(acc.OverdraftLimit), text(acc.AvailableFunds), acc.IBAN != nil))
	}
	want := []string{
		"Checking 16978.51 1000.0 17978.51 IBAN:true",
		"Checking 1204.4 1000.0 2204.4 IBAN:true",
		"Savings 42000.0 null null IBAN:true",
		"CreditCard -411.1 null null IBAN:false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAccountsHaveNoPages(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Banks: []simulator.Bank{{ID: 300001, Accounts: 30}}})
	token := a.user("u")
	a.loaded(token, `{"bank":{"id":300001}}`)
	got := a.get("/api/v2/accounts?page=2&perPage=5", token).want(200)
	if n := len(decoded[struct{ Accounts []account }](got).Accounts); n != 30 || strings.Contains(got.body, "paging") {
		t.Errorf("%d accounts, want all 30 and no paging", n)
	}
	if got := a.get("/api/v2/accounts", a.user("none")).want(200).body; strings.TrimSpace(got) != `{"accounts":[]}` {
		t.Errorf("without a bank: %s, want an empty list", got)
	}
}

// What a form asks for is what is connected.
func TestFormDecidesWhichAccounts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		request  string
		accounts int
		balances bool
		rows     int
	}{
		"everything":            {testBank, 4, true, 1612},
		"one type":              {`{"bank":{"id":280001},"accountTypes":["CHECKING"]}`, 2, true, 1318},
		"two types, one absent": {`{"bank":{"id":280001},"accountTypes":["LOAN","CREDIT_CARD"]}`, 1, true, 244},
		"no rows":               {`{"bank":{"id":280001},"skipPositionsDownload":true}`, 4, true, 0},
		"no balances either":    {`{"bank":{"id":280001},"skipPositionsDownload":true,"skipBalancesDownload":true}`, 4, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPIs(t, simulator.Config{})
			token := a.user("u")
			a.loaded(token, tt.request)
			accounts := a.accounts(token, "")
			if len(accounts) != tt.accounts {
				t.Errorf("%d accounts, want %d", len(accounts), tt.accounts)
			}
			for _, acc := range accounts {
				if (acc.Balance != nil) != tt.balances || acc.Interfaces[0].Status != "UPDATED" {
					t.Errorf("account %+v, want UPDATED and a balance: %t", acc, tt.balances)
				}
			}
			if got := a.rows(token, "").Paging.TotalCount; got != tt.rows {
				t.Errorf("%d rows, want %d", got, tt.rows)
			}
		})
	}
	t.Run("accounts that the person unticks", func(t *testing.T) {
		t.Parallel()
		a := newAPIs(t, simulator.Config{})
		token := a.user("u")
		a.open(a.form(token, testBank)).logsIn().says("accounts", "account=1&account=3")
		if got := a.accounts(token, ""); len(got) != 2 || got[0].AccountName != "Haushaltskonto" || got[1].AccountName != "Kreditkarte" {
			t.Errorf("got %+v, want the second and the fourth", got)
		}
	})
}

func TestAccountFilters(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	first := a.loaded(a.user("u"), testBank)
	a.clock.Advance(24 * time.Hour)
	token, other := a.password("u").Access, a.user("other")
	second := a.loaded(token, redirectBank)
	a.loaded(other, testBank)
	all := a.accounts(token, "")
	if len(all) != 6 {
		t.Fatalf("%d accounts, want 6", len(all))
	}
	foreign := a.accounts(other, "")[0].ID
	of := func(places ...int) []account {
		found := []account{}
		for _, i := range places {
			found = append(found, all[i])
		}
		return found
	}
	for query, want := range map[string][]account{
		fmt.Sprintf("ids=%d,%d", all[4].ID, all[1].ID):                          of(1, 4),
		fmt.Sprintf("ids=%d&ids=%d", all[4].ID, all[1].ID):                      of(1, 4),
		fmt.Sprintf("ids=%d", foreign):                                          of(),
		fmt.Sprintf("bankConnectionIds=%d", first):                              of(0, 1, 2, 3),
		fmt.Sprintf("bankConnectionIds=%d,%d", second, first):                   of(0, 1, 2, 3, 4, 5),
		fmt.Sprintf("bankConnectionIds=%d&ids=%d", second, all[0].ID):           of(),
		"bankConnectionIds=1":                                                   of(),
		"accountTypes=Savings,CreditCard":                                       of(2, 3, 5),
		"accountTypes=Savings&accountTypes=CreditCard":                          of(2, 3, 5),
		"accountTypes=Loan":                                                     of(),
		"search=haushaltsKONTO":                                                 of(1),
		"search=robin+tagesgeld":                                                of(2, 5),
		"search=robin+nobody":                                                   of(),
		"search=" + url.QueryEscape(*all[0].IBAN):                               of(0),
		"search=" + all[3].AccountNumber:                                        of(3),
		"minBalance=1204.4&maxBalance=16978.51":                                 within(all, 120440, 1697851),
		"maxBalance=-411.1":                                                     within(all, -1<<60, -41110),
		"minBalance=42000.01":                                                   within(all, 4200001, 1<<60),
		"minLastSuccessfulUpdate=2026-03-04":                                    of(0, 1, 2, 3, 4, 5),
		"minLastSuccessfulUpdate=2026-03-05":                                    of(4, 5),
		"maxLastSuccessfulUpdate=2026-03-04":                                    of(0, 1, 2, 3),
		"maxLastSuccessfulUpdate=2026-03-03":                                    of(),
		"minLastSuccessfulUpdate=2026-03-04&maxLastSuccessfulUpdate=2026-03-04": of(0, 1, 2, 3),
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := a.accounts(token, "?"+query)
			if !slices.EqualFunc(got, want, func(a, b account) bool { return a.ID == b.ID }) {
				t.Errorf("got %d accounts %+v\nwant %d %+v", len(got), got, len(want), want)
			}
		})
	}
	for query, code := range map[string]string{
		"ids=x": "BAD_REQUEST", "ids=" + repeated(1001, "1", ","): "TOO_MANY_IDS", "accountTypes=CHECKING": "BAD_REQUEST",
		"minBalance=1.001": "BAD_REQUEST", "maxBalance=1,5": "BAD_REQUEST", "minLastSuccessfulUpdate=04.03.2026": "BAD_REQUEST", "maxLastSuccessfulUpdate=2026-02-30": "BAD_REQUEST",
	} {
		a.get("/api/v2/accounts?"+query, token).refused(400, code)
	}
}

func within(all []account, from, to int64) []account {
	return slices.DeleteFunc(slices.Clone(all), func(a account) bool {
		c := cents(a.Balance.String())
		return c < from || c > to
	})
}

// While a download runs no balance is known, so none fits.
func TestBalanceFiltersWhileDownloading(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.connect(token, testBank)
	for _, query := range []string{"?minBalance=-1000000", "?maxBalance=1000000", "?minLastSuccessfulUpdate=2000-01-01"} {
		if got := a.accounts(token, query); len(got) != 0 {
			t.Errorf("%s: %d accounts, want none", query, len(got))
		}
	}
}
