package loops

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/finapi"
)

// instant is a provider with one bank, whose connections have one account.
type instant struct {
	rows  int
	calls atomic.Int64
}

func (*instant) User(id string) finapi.User { return finapi.User{ID: id} }

// EnsureUser is no call: a client asks once for each user.
func (*instant) EnsureUser(context.Context, finapi.User) error { return nil }

func (*instant) connection(user finapi.User) (id int64) {
	return int64(uuid.NewSHA1(uuid.Nil, []byte(user.ID)).ID()) + 1
}

func (*instant) form(status finapi.FormStatus, id string) finapi.Form {
	now := time.Now()
	return finapi.Form{ID: id, URL: "https://webform.bankimport.test/" + id, Status: status, CreatedAt: now, ExpiresAt: now.Add(20 * time.Minute)}
}

func (p *instant) CreateForm(context.Context, finapi.User, finapi.FormRequest) (finapi.Form, error) {
	p.calls.Add(1)
	return p.form(finapi.FormNotYetOpened, uuid.NewString()), nil
}

func (p *instant) Form(_ context.Context, user finapi.User, id string) (finapi.Form, error) {
	p.calls.Add(1)
	f := p.form(finapi.FormCompleted, id)
	f.ConnectionID = p.connection(user)
	return f, nil
}

func (p *instant) CancelForm(_ context.Context, _ finapi.User, id string) (finapi.Form, error) {
	p.calls.Add(1)
	return p.form(finapi.FormCancelled, id), nil
}

func (p *instant) Connection(_ context.Context, _ finapi.User, id int64) (finapi.Connection, error) {
	p.calls.Add(1)
	return finapi.Connection{
		ID: id, Bank: finapi.Bank{ID: 1, Name: "Bank"}, UpdateStatus: finapi.StatusReady, CategorizationStatus: finapi.StatusReady, AccountIDs: []int64{id},
	}, nil
}

func (p *instant) Accounts(_ context.Context, _ finapi.User, connectionID int64) ([]finapi.Account, error) {
	p.calls.Add(1)
	return []finapi.Account{{
		ID: connectionID, ConnectionID: connectionID, Type: "checking", Name: "Account", IBAN: "DE02120300000000202051", Currency: "EUR", Balance: strconv.Itoa(p.rows),
		Interfaces: []finapi.AccountInterface{{Status: finapi.InterfaceUpdated, LastSuccessfulUpdate: time.Now()}},
	}}, nil
}

func (p *instant) Transactions(_ context.Context, _ finapi.User, accountID int64, page int) (finapi.TransactionPage, error) {
	p.calls.Add(1)
	rows := finapi.TransactionPage{Page: page, PageCount: 1, TotalCount: p.rows, Balance: strconv.Itoa(p.rows)}
	for i := range p.rows {
		rows.Transactions = append(rows.Transactions, finapi.Transaction{
			ID: accountID<<10 + int64(i), AccountID: accountID, Amount: "1", Purpose: "purpose",
			ImportedAt: time.Unix(1, 0), BankBookingDate: "2026-11-26", ValueDate: "2026-11-26", FinapiBookingDate: "2026-11-26",
		})
	}
	return rows, nil
}
