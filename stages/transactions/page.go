package transactions

import (
	"context"
	"errors"
	"fmt"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flow"
)

// readPage reads the next page of an account and publishes its rows.
func (h *handler) readPage(ctx context.Context, t pipeline.Trigger, st *state, a *account, user finapi.User) (pipeline.Result, error) {
	if a.Page == 0 {
		a.begin(t.Now)
	}
	page, err := h.provider.Transactions(ctx, user, a.ID, a.Page)
	if err != nil {
		return h.refused(t, st, err, "read transactions")
	}
	if err := check(page, a); err != nil {
		return pipeline.Result{}, fmt.Errorf("read transactions: %w", err)
	}
	out := flow.NewOutbox(Name, t)
	published, err := publish(out, page, st, a, t.Key)
	if err != nil {
		return pipeline.Result{}, pipeline.Permanent(flow.ClassUnexpectedAnswer, fmt.Errorf("read transactions: %w", err))
	}
	a.Reported, a.ReportedSum = page.TotalCount, page.Balance
	switch more := a.Page < page.PageCount; {
	case more && (published == 0 || a.Page >= h.config.MaxPages), !more && a.Count < page.TotalCount:
		return h.reread(t, st, a, out)
	case more:
		a.Page++
		out.Add(st.status(t))
		return out.Result(st, pipeline.WakeAt(t.Now))
	}
	return h.finish(t, st, a, out)
}

// check refuses a page that does not fit the question. Truncated or changed
// paging is a failure and never a quiet end.
func check(page finapi.TransactionPage, a *account) error {
	switch {
	case page.Page != a.Page && a.Page <= page.PageCount: // past the end there is nothing to compare with
		return fmt.Errorf("asked for page %d, got page %d", a.Page, page.Page)
	case page.PageCount < 0 || page.TotalCount < 0:
		return errors.New("the paging is negative")
	case page.PageCount == 0 && page.TotalCount > 0:
		return errors.New("the paging has rows but no pages")
	case page.TotalCount < len(page.Transactions):
		return errors.New("the page has more rows than all pages together")
	}
	return nil
}

// publish adds the rows that are new in this read. A row that has slipped in
// before shifts the pages, so one that was there already may come again.
func publish(out *flow.Outbox, page finapi.TransactionPage, st *state, a *account, importID string) (int, error) {
	sum, err := parseAmount(a.sum())
	if err != nil {
		return 0, err
	}
	published := 0
	for _, row := range page.Transactions {
		if row.AccountID != a.ID {
			return 0, errors.New("a row belongs to another account")
		}
		if row.ID <= a.Last {
			continue
		}
		amount, err := parseAmount(row.Amount)
		if err != nil {
			return 0, err
		}
		sum = sum.Add(amount)
		a.Last = row.ID
		a.span(row.BankBookingDate)
		out.Add(transaction(row, st, a, importID))
		published++
	}
	a.Count += published
	if a.Count > 0 {
		a.Sum = formatAmount(sum)
	}
	return published, nil
}

// span widens the account's booking dates.
func (a *account) span(date string) {
	if date == "" {
		return
	}
	if a.First == "" || date < a.First {
		a.First = date
	}
	a.Latest = max(a.Latest, date)
}

// reread begins the account's next read after a while, or ends the import if
// there were enough. What was published stays: it is true, but maybe not all.
func (h *handler) reread(t pipeline.Trigger, st *state, a *account, out *flow.Outbox) (pipeline.Result, error) {
	if a.Rereads >= maxRereads {
		end := flow.Ending{
			Reason: schemas.ReasonIncompleteRead,
			Error:  fmt.Sprintf("an account was read %d times, the last time %d of %d rows", a.Rereads+1, a.Count, a.Reported),
		}
		out.Fail(st.importOf(t.Key), end, st.Statuses+1)
		return out.Result(st.done(failed), pipeline.ClearWake())
	}
	a.Rereads++
	a.restart()
	out.Add(st.status(t))
	return out.Result(st, pipeline.WakeAt(t.Now.Add(h.config.RereadAfter)))
}

// finish ends the read of an account. Where its rows do not fit the provider's
// figures, one that was on an earlier page may have gone, and what stood behind it
// has moved to a page that was read already: so the account is read once more.
// Rows of a single page cannot move.
func (h *handler) finish(t pipeline.Trigger, st *state, a *account, out *flow.Outbox) (pipeline.Result, error) {
	sum, err := parseAmount(a.sum())
	if err != nil {
		return pipeline.Result{}, err
	}
	reported, err := parseAmount(a.ReportedSum)
	if err != nil {
		return pipeline.Result{}, pipeline.Permanent(flow.ClassUnexpectedAnswer, fmt.Errorf("read transactions: sum of all rows: %w", err))
	}
	reconciled := a.Count == a.Reported && sum.Equal(reported)
	if !reconciled && a.Page > 1 && a.Rereads == 0 {
		return h.reread(t, st, a, out)
	}
	a.Done, a.Page, a.Reconciled = true, 0, reconciled
	out.Add(st.status(t))
	return out.Result(st, pipeline.WakeAt(t.Now))
}
