package check

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/e2e/judge"
)

// The topics, as design.md names them.
const (
	topicRequested    = "import-requested"
	topicCreated      = "webform-created"
	topicWebform      = "webform-completed"
	topicReady        = "connection-ready"
	topicFetched      = "accounts-fetched"
	topicCompleted    = "import-completed"
	topicFailed       = "import-failed"
	topicStatus       = "import-status"
	topicAccounts     = "accounts"
	topicTransactions = "transactions"
	topicDeadLetters  = "dead-letters"
)

// Topics are the topics that [Check] reads.
func Topics() []string {
	return []string{
		topicRequested, topicCreated, topicWebform, topicReady, topicFetched, topicCompleted,
		topicFailed, topicStatus, topicAccounts, topicTransactions, topicDeadLetters,
	}
}

// typesOn lists which events a topic carries.
func typesOn(topic string) []string {
	switch topic {
	case topicRequested:
		return []string{"import-requested", "import-cancel-requested"}
	case topicWebform:
		return []string{"webform-awaited", "webform-completed"}
	case topicAccounts:
		return []string{"account"}
	case topicTransactions:
		return []string{"transaction"}
	default:
		return []string{topic}
	}
}

// readBy lists the types that a stage reads: what can cause its events.
func readBy(source string) []string {
	switch source {
	case "webform":
		return typesOn(topicRequested)
	case "connection":
		return typesOn(topicWebform)
	case "accounts":
		return typesOn(topicReady)
	case "transactions":
		return typesOn(topicFetched)
	default:
		return nil
	}
}

// event is a record of the flow with what its headers say.
type event struct {
	judge.Record
	Type   string // without "bankimport." and ".v1"
	ID     string
	Cause  string
	Source string // without "/bankimport/"
}

func eventOf(r judge.Record) event {
	e := event{
		Record: r,
		ID:     r.Header("ce_id"),
		Cause:  r.Header("ce_causationid"),
		Source: strings.TrimPrefix(r.Header("ce_source"), "/bankimport/"),
	}
	e.Type = strings.TrimSuffix(strings.TrimPrefix(r.Header("ce_type"), "bankimport."), ".v1")
	if e.Type == "" && r.Topic == topicRequested {
		e.Type = "import-requested"
	}
	if e.ID == "" && r.Topic == topicRequested {
		// Upstream may leave the id out; the engine then names the record.
		e.ID = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%d/%d", r.Topic, r.Partition, r.Offset)).String()
	}
	return e
}

func (e event) String() string {
	return fmt.Sprintf("%s on %s partition %d offset %d", e.Type, e.Topic, e.Partition, e.Offset)
}

// common is in every event.
type common struct {
	ImportID string `json:"import_id"`
	Run      int    `json:"run"`
	UserID   string `json:"user_id"`
}

// run is what exactly one final event belongs to.
type run struct {
	ImportID string
	No       int
}

func (c common) run() run { return run{c.ImportID, c.Run} }

func (r run) String() string {
	if r.No == 1 {
		return "import " + r.ImportID
	}
	return fmt.Sprintf("import %s run %d", r.ImportID, r.No)
}

type webformCreated struct {
	common
	FormID string `json:"form_id"`
}

type importFailed struct {
	common
	Reason string `json:"reason"`
}

type importCompleted struct {
	common
	BankConnectionID int64              `json:"bank_connection_id"`
	Partial          bool               `json:"partial"`
	Accounts         []completedAccount `json:"accounts"`
	Transactions     int                `json:"transactions"`
}

type completedAccount struct {
	AccountKey        string `json:"account_key"`
	ProviderAccountID int64  `json:"provider_account_id"`
	Loaded            bool   `json:"loaded"`
	Read              int    `json:"read"`
	Count             int    `json:"count"`
	Sum               string `json:"sum"`
	ReportedCount     int    `json:"reported_count"`
	ReportedSum       string `json:"reported_sum"`
	Reconciled        bool   `json:"reconciled"`
}

type importStatus struct {
	common
	Step   string `json:"step"`
	StepNo int    `json:"step_no"`
	Reason string `json:"reason"`
}

type account struct {
	common
	AccountKey        string `json:"account_key"`
	ProviderAccountID int64  `json:"provider_account_id"`
	Loaded            bool   `json:"loaded"`
}

type transaction struct {
	common
	TransactionKey        string `json:"transaction_key"`
	AccountKey            string `json:"account_key"`
	Read                  int    `json:"read"`
	ProviderTransactionID int64  `json:"provider_transaction_id"`
	Amount                string `json:"amount"`
}

// decode reads the body of an event; ok is false, and the violation noted,
// where it is not what it should be.
func decode[T any](c *checker, e event) (body T, ok bool) {
	if err := json.Unmarshal(e.Value, &body); err != nil {
		c.violate("shape", "%v: %v", e, err)
		return body, false
	}
	return body, true
}
