package flow

import (
	"github.com/bankimport/bankimport/schemas"
)

// maxErrorText bounds the words that a status carries about an error.
const maxErrorText = 512

// Fail adds the final event of an import that ends badly, and its status.
// Counter tells the status from the others of the stage.
func (o *Outbox) Fail(i Import, end Ending, counter int) {
	status := i.Status(schemas.StepFailed, schemas.WaitingForNobody, o.Now(), o.Now())
	status.Counter = counter
	status.Reason = end.Reason
	status.LastError = bounded(end.Error)
	o.Add(schemas.ImportFailed{
		ImportID:         i.ID,
		Run:              i.Run,
		UserID:           i.UserID,
		Reason:           end.Reason,
		ProviderCode:     end.Code,
		BankConnectionID: i.ConnectionID,
		Retryable:        end.Reason.Retryable(),
		StartedAt:        i.StartedAt,
		FailedAt:         schemas.At(o.Now()),
	}, status)
}

// GaveUp adds the final event of an import that the engine gave up on, and its
// status. The dead letter beside them has the whole story.
func (o *Outbox) GaveUp(i Import, cause error, counter int) {
	o.Fail(i, ofGivingUp(cause), counter)
}

// bounded cuts s where it is too long for a status, at a character's border.
func bounded(s string) string {
	if len(s) <= maxErrorText {
		return s
	}
	cut := 0
	for i := range s {
		if i > maxErrorText {
			break
		}
		cut = i
	}
	return s[:cut] + "…"
}
