package schemas

import (
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Event is one event of the flow. All implementations are in this package and
// are plain values: safe to copy, to compare field by field and to share.
type Event interface {
	// Type is the name of the event, like "import-requested".
	Type() string
	// Topic is the topic it travels on, without the configured prefix.
	Topic() string
	// Key is the key of its record.
	Key() string
	// Subject is the id of the import it belongs to.
	Subject() string
	// ID is the event id (ce_id). It is computed from what the event says, so
	// the same fact has the same id however often it is published.
	ID() string
}

// The names of the events, as [Event.Type] gives them.
const (
	TypeImportRequested       = "import-requested"
	TypeImportCancelRequested = "import-cancel-requested"
	TypeWebformCreated        = "webform-created"
	TypeWebformAwaited        = "webform-awaited"
	TypeWebformCompleted      = "webform-completed"
	TypeConnectionReady       = "connection-ready"
	TypeAccountsFetched       = "accounts-fetched"
	TypeImportCompleted       = "import-completed"
	TypeImportFailed          = "import-failed"
	TypeImportStatus          = "import-status"
	TypeAccount               = "account"
	TypeTransaction           = "transaction"
)

// Events returns an empty value of every event, in the order data flows.
func Events() []Event {
	return []Event{
		ImportRequested{}, ImportCancelRequested{},
		WebformCreated{}, WebformAwaited{}, WebformCompleted{},
		ConnectionReady{}, AccountsFetched{},
		ImportCompleted{}, ImportFailed{}, ImportStatus{},
		Account{}, Transaction{},
	}
}

// namespace is the UUIDv5 namespace of all ids made here. It never changes:
// event ids and transaction keys would change with it.
var namespace = uuid.UUID{0x6a, 0x1d, 0x3c, 0x52, 0x0f, 0x7e, 0x4b, 0x0a, 0x9c, 0x41, 0x5e, 0x83, 0x2b, 0xd7, 0x90, 0x16}

// eventID is the UUIDv5 of import id, type, run and subject.
func eventID(importID, eventType string, run int, subject ...string) string {
	parts := append([]string{"event", importID, CloudEventType(eventType), strconv.Itoa(run)}, subject...)
	return name5(parts...)
}

// TransactionKey is the key of a transaction: the UUIDv5 of the key of its
// account and the provider's id of it.
func TransactionKey(accountKey string, providerTransactionID int64) string {
	return name5("transaction", accountKey, strconv.FormatInt(providerTransactionID, 10))
}

// name5 is the UUIDv5 of parts. Each part is preceded by its length, so that
// no two lists of parts have the same name.
func name5(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strconv.Itoa(len(p)))
		b.WriteByte(':')
		b.WriteString(p)
	}
	return uuid.NewSHA1(namespace, []byte(b.String())).String()
}
