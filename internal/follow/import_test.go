package follow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bankimport/bankimport/schemas"
)

var began = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func second(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }

// at is an event that was published n seconds after the import began.
func at(n int, e schemas.Event) Record {
	return Record{Topic: e.Topic(), Time: second(n), Type: e.Type(), Event: e}
}

func status(run int, step schemas.Step, updated int) schemas.ImportStatus {
	return schemas.ImportStatus{ImportID: "i", Run: run, UserID: "u1", Step: step, StepNo: step.Number(), UpdatedAt: schemas.At(second(updated))}
}

func rows(s schemas.ImportStatus, read int) schemas.ImportStatus {
	s.TransactionsRead = &read
	return s
}

// TestImport_Apply applies records in their order and compares what is known
// after the last one.
func TestImport_Apply(t *testing.T) {
	t.Parallel()
	form := schemas.WebformCreated{ImportID: "i", Run: 1, UserID: "u1", URL: "http://form"}
	completed := schemas.ImportCompleted{ImportID: "i", Run: 1, UserID: "u1", Transactions: 3}
	completed2 := schemas.ImportCompleted{ImportID: "i", Run: 2, UserID: "u1", Transactions: 4}
	failed := schemas.ImportFailed{ImportID: "i", Run: 1, UserID: "u1", Reason: schemas.ReasonGaveUp}
	const reading = schemas.StepReadingTransactions

	for name, tc := range map[string]struct {
		records []Record
		news    []bool
		want    Import
		step    schemas.Step
		ended   bool
	}{
		"nothing": {want: Import{}, step: schemas.StepRequested},
		"in order": {
			records: []Record{at(0, status(1, schemas.StepRequested, 0)), at(1, form), at(1, status(1, schemas.StepFormOpen, 1))},
			news:    []bool{true, true, true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepFormOpen, 1), FormURL: "http://form", FirstSeen: second(0), LastSeen: second(1)},
			step:    schemas.StepFormOpen,
		},
		"the form before any status": {
			records: []Record{at(1, form), at(0, status(1, schemas.StepRequested, 0))},
			news:    []bool{true, true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepRequested, 0), FormURL: "http://form", FirstSeen: second(0), LastSeen: second(1)},
			step:    schemas.StepRequested,
		},
		"the final event before the last statuses": {
			records: []Record{at(9, completed), at(8, status(1, reading, 8)), at(9, status(1, schemas.StepCompleted, 9))},
			news:    []bool{true, true, true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepCompleted, 9), Completed: &completed, FirstSeen: second(8), LastSeen: second(9)},
			step:    schemas.StepCompleted, ended: true,
		},
		"an earlier step after a later one": {
			records: []Record{at(3, status(1, schemas.StepDownloading, 3)), at(2, status(1, schemas.StepFormOpen, 9))},
			news:    []bool{true, false},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepDownloading, 3), FirstSeen: second(2), LastSeen: second(3)},
			step:    schemas.StepDownloading,
		},
		"the clock goes back within a step": {
			records: []Record{at(3, rows(status(1, reading, 3), 100)), at(4, rows(status(1, reading, -60), 200))},
			news:    []bool{true, true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: rows(status(1, reading, -60), 200), FirstSeen: second(3), LastSeen: second(4)},
			step:    reading,
		},
		"failed, then the status": {
			records: []Record{at(4, failed), at(4, status(1, schemas.StepFailed, 4))},
			news:    []bool{true, true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepFailed, 4), Failed: &failed, FirstSeen: second(4), LastSeen: second(4)},
			step:    schemas.StepFailed, ended: true,
		},
		"a status says failed before the event does": {
			records: []Record{at(4, status(1, schemas.StepFailed, 4))},
			news:    []bool{true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepFailed, 4), FirstSeen: second(4), LastSeen: second(4)},
			step:    schemas.StepFailed,
		},
		"a new run drops the end and the form of the one before": {
			records: []Record{at(1, form), at(4, failed), at(4, status(1, schemas.StepFailed, 4)), at(60, rows(status(2, reading, 60), 2))},
			news:    []bool{true, true, true, true},
			want:    Import{ID: "i", Run: 2, UserID: "u1", Status: rows(status(2, reading, 60), 2), FirstSeen: second(1), LastSeen: second(60)},
			step:    reading,
		},
		"an older run says nothing": {
			records: []Record{at(60, status(2, reading, 60)), at(4, failed), at(1, form), at(99, status(1, schemas.StepFailed, 99))},
			news:    []bool{true, false, false, false},
			want:    Import{ID: "i", Run: 2, UserID: "u1", Status: status(2, reading, 60), FirstSeen: second(60), LastSeen: second(60)},
			step:    reading,
		},
		"a redrive ends well": {
			records: []Record{at(4, failed), at(70, completed2)},
			news:    []bool{true, true},
			want:    Import{ID: "i", Run: 2, UserID: "u1", Completed: &completed2, FirstSeen: second(4), LastSeen: second(70)},
			step:    schemas.StepCompleted, ended: true,
		},
		"a user that is not named stays": {
			records: []Record{at(0, status(1, schemas.StepRequested, 0)), at(4, schemas.ImportFailed{ImportID: "i", Run: 1})},
			news:    []bool{true, true},
			want:    Import{ID: "i", Run: 1, UserID: "u1", Status: status(1, schemas.StepRequested, 0), Failed: &schemas.ImportFailed{ImportID: "i", Run: 1}, FirstSeen: second(0), LastSeen: second(4)},
			step:    schemas.StepFailed, ended: true,
		},
		"other events and records without one": {
			records: []Record{at(0, schemas.ImportRequested{ImportID: "i", UserID: "u1"}), at(1, schemas.Transaction{ImportID: "i", Run: 1}), {Topic: "import-status", Time: second(2)}},
			news:    []bool{false, false, false},
			want:    Import{}, step: schemas.StepRequested,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got Import
			var news []bool
			for _, r := range tc.records {
				news = append(news, got.Apply(r))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("import (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.news, news); diff != "" {
				t.Errorf("what Apply reported (-want +got):\n%s", diff)
			}
			if got.Step() != tc.step || got.Ended() != tc.ended {
				t.Errorf("got step %s, ended %t; want %s, %t", got.Step(), got.Ended(), tc.step, tc.ended)
			}
		})
	}
}
