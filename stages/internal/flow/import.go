package flow

import (
	"time"

	"github.com/bankimport/bankimport/schemas"
)

// Import says which import a stage works on. It is what every event of the flow
// repeats.
type Import struct {
	ID           string
	Run          int
	UserID       string          // upstream's; "" when the request's could not be read
	StartedAt    schemas.Instant // of the run; zero when it never started
	ConnectionID int64           // 0 while there is none
}

// Status returns an import-status of the import with all that can be derived
// filled in. The caller adds the counter and what else it knows.
func (i Import) Status(step schemas.Step, waiting schemas.WaitingFor, since, now time.Time) schemas.ImportStatus {
	return schemas.ImportStatus{
		ImportID:   i.ID,
		Run:        i.Run,
		UserID:     i.UserID,
		Step:       step,
		StepNo:     step.Number(),
		WaitingFor: waiting,
		SinceAt:    schemas.At(since),
		UpdatedAt:  schemas.At(now),
	}
}
