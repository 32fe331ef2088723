package simulator_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bankimport/bankimport/internal/simulator"
)

type bankPage struct {
	Banks  []struct{ ID int64 }
	Paging paging
}

func TestListBanks(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{Banks: []simulator.Bank{{ID: 300001, Name: "Volksbank Neustadt", BIC: "DEMODEB0300"}}})
	token := a.clientToken()
	for query, tt := range map[string]struct {
		ids    []int64
		paging paging
	}{
		"":                             {[]int64{280001, 280002, 300001}, paging{1, 20, 1, 3}},
		"?isTestBank=true":             {[]int64{280001, 280002}, paging{1, 20, 1, 2}},
		"?isTestBank=false":            {[]int64{300001}, paging{1, 20, 1, 1}},
		"?search=test&isTestBank=true": {[]int64{280001, 280002}, paging{1, 20, 1, 2}},
		"?search=redirect":             {[]int64{280002}, paging{1, 20, 1, 1}},
		"?search=demodeb0300":          {[]int64{300001}, paging{1, 20, 1, 1}},
		"?search=nothing":              {nil, paging{1, 20, 0, 0}},
		"?ids=300001,1,280001":         {[]int64{280001, 300001}, paging{1, 20, 1, 2}},
		"?ids=300001&ids=280001":       {[]int64{280001, 300001}, paging{1, 20, 1, 2}},
		"?supportedBankingInterfaces=FINTS_SERVER": {[]int64{280001}, paging{1, 20, 1, 1}},
		"?perPage=2":        {[]int64{280001, 280002}, paging{1, 2, 2, 3}},
		"?perPage=2&page=2": {[]int64{300001}, paging{2, 2, 2, 3}},
		"?order=id,desc":    {[]int64{300001, 280002, 280001}, paging{1, 20, 1, 3}},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			a := a.in(t)
			got := decoded[bankPage](a.get("/api/v2/banks"+query, token).want(200))
			var ids []int64
			for _, b := range got.Banks {
				ids = append(ids, b.ID)
			}
			if !slices.Equal(ids, tt.ids) || got.Paging != tt.paging {
				t.Errorf("got %v, %+v; want %v, %+v", ids, got.Paging, tt.ids, tt.paging)
			}
		})
	}
	for query, code := range map[string]string{"perPage=501": "ILLEGAL_PAGE_SIZE", "isTestBank=x": "BAD_REQUEST", "ids=x": "BAD_REQUEST", "supportedBankingInterfaces=X": "BAD_REQUEST"} {
		a.get("/api/v2/banks?"+query, token).refused(400, code)
	}
	a.get("/api/v2/banks?order=name", token).refused(501, "UNSUPPORTED_ORDER")
	for id, status := range map[string]int{"280001": 200, "1": 404, "x": 400} {
		a.get("/api/v2/banks/"+id, token).want(status)
	}
}

func TestAddBank(t *testing.T) {
	t.Parallel()
	a := newAPIs(t, simulator.Config{})
	token := a.user("u")
	a.post("/api/webForms/bankConnectionImport", token, `{"bank":{"id":300001}}`).refused(422, "BANK_NOT_SUPPORTED")
	if err := a.AddBank(simulator.Bank{ID: 300001, Accounts: 2, RowsPerAccount: 7}); err != nil {
		t.Fatal(err)
	}
	a.loaded(token, `{"bank":{"id":300001}}`)
	if n := a.rows(token, "").Paging.TotalCount; n != 14 {
		t.Errorf("%d rows, want 14", n)
	}
	for name, b := range map[string]simulator.Bank{"id twice": {ID: 300001}, "no id": {}, "too many failures": {ID: 300002, Accounts: 1, FailedAccounts: 2}} {
		if err := a.AddBank(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := a.Banks(); len(got) != 3 || got[2].ID != 300001 || got[2].Name != fmt.Sprint("Generated Bank ", 300001) {
		t.Errorf("banks %+v, want three by id", got)
	}
	if b, err := simulator.ParseBank("300003:4x250:1"); err != nil || b.ID != 300003 || b.FailedAccounts != 1 {
		t.Errorf("got %+v, %v", b, err)
	}
}
