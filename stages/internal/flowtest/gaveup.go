package flowtest

import (
	"errors"
	"fmt"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// GaveUpEverywhere gives up every trigger in every state: records that carry
// these events, damaged records and the timer; no state, these states, damaged
// ones; plain and redriven. It fails the test on a panic, on more than one final
// event, and where an import with state is ended although ends says no, or not
// ended although ends says yes.
func GaveUpEverywhere(t TB, machine func() *Machine, events []schemas.Event, states []string, ends func(state string, record bool) bool) {
	t.Helper()
	records := []func(m *Machine) *pipeline.Record{
		func(*Machine) *pipeline.Record { return nil },
		func(m *Machine) *pipeline.Record { return m.Raw(nil) },
		func(m *Machine) *pipeline.Record { return m.Raw([]byte("x")) },
		func(m *Machine) *pipeline.Record { return m.Raw([]byte(`{"import_id":"` + m.Key + `"}`)) },
		func(m *Machine) *pipeline.Record {
			r := m.Record(events[0])
			r.Key = []byte("another")
			return r
		},
		func(m *Machine) *pipeline.Record {
			r := m.Record(events[0])
			r.Key = nil
			return r
		},
	}
	for _, e := range events {
		records = append(records, func(m *Machine) *pipeline.Record { return m.Record(e) })
	}
	values := [][]byte{nil, {}, []byte("x"), []byte(`{"v":9}`), []byte(`{"v":1}`)}
	for _, s := range states {
		values = append(values, []byte(s))
	}
	causes := []error{nil, errors.New("x"), pipeline.Permanent("invalid_event", errors.New("x")), fmt.Errorf("wrapped: %w", errors.New("y"))}
	for _, value := range values {
		for i, record := range records {
			for redrive := range 2 {
				for _, cause := range causes {
					m := machine()
					m.Value = value
					trigger := m.Trigger(record(m))
					trigger.Redrive = redrive
					if trigger.Event != nil {
						trigger.Key = string(trigger.Event.Key)
					}
					finals := len(Of[schemas.ImportFailed](m.GiveUp(trigger, cause)))
					if finals > 1 {
						t.Errorf("record %d in state %s: %d final events", i, value, finals)
					}
					if known := len(value) > 30; known && ends(string(value), trigger.Event != nil) != (finals == 1) {
						t.Errorf("record %d (redrive %d) in state %s: %d final events", i, redrive, value, finals)
					}
				}
			}
		}
	}
}
