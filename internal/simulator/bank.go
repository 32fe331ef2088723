package simulator

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

// What the banks ask for, and what lets a person in. The pages show it.
const (
	loginLabel    = "Login name"
	passwordLabel = "Password"
	demoLogin     = "demo"
	demoTAN       = "123456"
	noTANLogin    = "demo_no_msa" // without a second factor
)

type bankList struct {
	Banks  []api.Bank `json:"banks"`
	Paging api.Paging `json:"paging"`
}

// listBanks is GET /api/v2/banks.
func (s *Simulator) listBanks(c *call) (int, any, *refusal) {
	q := c.query()
	ids, testBank, part := q.ids("ids"), q.flag("isTestBank"), q.page()
	via := q.words("supportedBankingInterfaces", "XS2A", "FINTS_SERVER", "WEB_SCRAPER")
	descending, no := q.order()
	if q.no != nil {
		return 0, nil, q.no
	}
	if no != nil {
		return 0, nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.DeleteFunc(s.catalogue.Search(q.values.Get("search")), func(b Bank) bool {
		return ids != nil && !ids[b.ID] || testBank != nil && *testBank != b.TestBank ||
			via != nil && !slices.ContainsFunc(b.Interfaces, func(i string) bool { return via[i] })
	})
	if descending {
		slices.Reverse(found)
	}
	from, to := part.of(len(found))
	list := bankList{Banks: []api.Bank{}, Paging: part.paging(len(found))}
	for _, b := range found[from:to] {
		list.Banks = append(list.Banks, s.writtenBank(b))
	}
	return http.StatusOK, list, nil
}

// getBank is GET /api/v2/banks/{id}.
func (s *Simulator) getBank(c *call) (int, any, *refusal) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, nil, badRequest("Die ID ist keine Zahl.", "The id is not a number.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.catalogue.Bank(id)
	if !ok {
		return 0, nil, unknownEntity()
	}
	return http.StatusOK, s.writtenBank(b), nil
}

// writtenBank is a bank as Access shows it. Nobody counts its popularity here.
func (s *Simulator) writtenBank(b Bank) api.Bank {
	written := api.Bank{ID: b.ID, Name: b.Name, Bic: b.BIC, Blz: api.UnreadText(b.BLZ), City: api.UnreadText(b.City), IsTestBank: api.UnreadFlag(b.TestBank)}
	for _, i := range b.Interfaces {
		properties := []string{}
		if b.Redirect {
			properties = append(properties, "REDIRECT_APPROACH")
		}
		written.Interfaces = append(written.Interfaces, map[string]any{
			"bankingInterface": i,
			"loginCredentials": []map[string]any{
				{"label": loginLabel, "isSecret": false, "isVolatile": false, "isMandatory": true},
				{"label": passwordLabel, "isSecret": true, "isVolatile": false, "isMandatory": true},
			},
			"properties": properties, "health": 100, "isAisSupported": true, "isPisSupported": false,
			"paymentCapabilities": map[string]any{
				"sepaDirectDebit": false, "sepaMoneyTransfer": false, "sepaInstantMoneyTransfer": false,
				"sepaCollectiveMoneyTransfer": false, "sepaFutureDatedMoneyTransfer": false, "sepaStandingOrder": false,
				"domesticMoneyTransfer": false, "domesticCollectiveMoneyTransfer": false, "domesticFutureDatedMoneyTransfer": false,
			},
			"aisAccountTypes": []string{"Checking", "Savings", "CreditCard"},
		})
	}
	return written
}
