package bridge

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/schemas"
)

// source is who publishes, as the records say.
const source = "bridge"

// hint is what a callback says. Two hints that are equal are one.
type hint struct {
	importID string
	run      int
	formID   string // empty: the body did not say
	status   string // empty: the body did not say
}

// statusWord is what a status looks like; the provider may get new ones.
var statusWord = regexp.MustCompile(`^[A-Za-z_]{1,32}$`)

const formIDSize = 36 // the provider's form ids are UUIDs

// read takes from a body what it says of the form. The provider's format may
// change, and nothing in it is believed: what is not understood is left out, and
// a body that cannot be read says nothing.
func (h *hint) read(body []byte) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return
	}
	text := func(name string) (s string) {
		if json.Unmarshal(fields[name], &s) != nil {
			return ""
		}
		return s
	}
	if id := text("webFormId"); len(id) == formIDSize && uuid.Validate(id) == nil {
		h.formID = id
	}
	if status := text("status"); statusWord.MatchString(status) {
		h.status = status
	}
}

func newHint(t callback.Token) hint { return hint{importID: t.ImportID, run: t.Run} }

// message is the record that carries the hint.
func (h hint) message(now time.Time) (kafka.Message, error) {
	event := schemas.WebformCompleted{
		ImportID:   h.importID,
		Run:        h.run,
		FormID:     h.formID,
		EndedBy:    schemas.EndedByCallback,
		ToldStatus: h.status,
		ObservedAt: schemas.At(now),
	}
	value, headers, err := schemas.Encode(event, schemas.Meta{Source: source, Time: now})
	if err != nil {
		return kafka.Message{}, err
	}
	m := kafka.Message{Key: []byte(event.Key()), Value: value, Time: now}
	for _, h := range headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	return m, nil
}
