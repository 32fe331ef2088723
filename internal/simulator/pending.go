package simulator

import (
	"net/http"
	"slices"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// pendingTransaction is a row that the bank has announced. Its fields are not
// those of a booked row, and nothing links the two.
type pendingTransaction struct {
	ID               int64      `json:"id"`
	AccountID        int64      `json:"accountId"`
	ImportDate       api.Time   `json:"importDate"`
	ValueDate        api.Date   `json:"valueDate"` // when it came
	Amount           api.Number `json:"amount"`
	Currency         string     `json:"currency,omitempty"`
	Purpose          string     `json:"purpose,omitempty"`
	CounterpartyName string     `json:"counterpartyName,omitempty"`
	CounterpartyIBAN string     `json:"counterpartyIban,omitempty"`
	EndToEndID       string     `json:"endToEndId,omitempty"`
	Type             string     `json:"type,omitempty"`
}

type pendingList struct {
	Pending []pendingTransaction `json:"pendingTransactions"`
	Paging  api.Paging           `json:"paging"`
}

// listPending is GET /api/v2/pendingTransactions. There are some only with the
// fault pending-rows.
func (s *Simulator) listPending(c *call) (int, any, *refusal) {
	q := c.query()
	ids, accounts, part := q.ids("ids"), q.ids("accountIds"), q.page()
	descending, no := q.order()
	if q.no != nil {
		return 0, nil, q.no
	}
	if no != nil {
		return 0, nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []pendingTransaction{}
	for _, conn := range c.user().connections {
		for _, a := range conn.accounts {
			if accounts != nil && !accounts[a.id] || !a.loaded(c.now) {
				continue
			}
			for i := range a.pending {
				if id := a.firstPending + int64(i); ids == nil || ids[id] {
					all = append(all, a.announced(id, a.Ledger.Row(a.last()-i, day(a.importedAt()))))
				}
			}
		}
	}
	if descending {
		slices.Reverse(all)
	}
	from, to := part.of(len(all))
	return http.StatusOK, pendingList{all[from:to], part.paging(len(all))}, nil
}

// announced writes a row that looks like a booked one.
func (a *account) announced(id int64, like bankdata.Row) pendingTransaction {
	return pendingTransaction{
		ID: id, AccountID: a.id, ImportDate: accessTime(a.importedAt()), ValueDate: api.DayOf(day(a.importedAt())),
		Amount: number(like.Amount), Currency: like.Currency, Purpose: like.Purpose, Type: like.Type,
		CounterpartyName: like.Counterpart.Name, CounterpartyIBAN: like.Counterpart.IBAN, EndToEndID: like.EndToEnd,
	}
}
