package schemas

import "time"

// Topics, without the configured prefix.
const (
	TopicImportRequested  = "import-requested"
	TopicWebformCreated   = "webform-created"
	TopicWebformCompleted = "webform-completed"
	TopicConnectionReady  = "connection-ready"
	TopicAccountsFetched  = "accounts-fetched"
	TopicImportCompleted  = "import-completed"
	TopicImportFailed     = "import-failed"
	TopicImportStatus     = "import-status"
	TopicAccounts         = "accounts"
	TopicTransactions     = "transactions"
	// TopicDeadLetters holds what a stage gave up on. Its records are written
	// by the engine and are described in asyncapi.yaml; they are no [Event].
	TopicDeadLetters = "dead-letters"
)

// Values of a topic's cleanup.policy.
const (
	CleanupDelete        = "delete"
	CleanupCompactDelete = "compact,delete"
)

const day = 24 * time.Hour

// TopicSpec is what a topic of the flow must look like.
type TopicSpec struct {
	Name string
	// Kind is the cleanup.policy: [CleanupDelete] or [CleanupCompactDelete].
	Kind string
	// Retention is how long records stay (retention.ms).
	Retention time.Duration
	// MaxMessageBytes is the largest record batch; 0 means the broker's default.
	MaxMessageBytes int
	// FlowPartitions says that the topic is keyed by import id, so it must have
	// as many partitions as every other topic keyed so.
	FlowPartitions bool
}

// Topics returns the topics that carry events, in the order data flows. What
// the engine needs besides (dead letters, state) is listed by internal/topics.
func Topics() []TopicSpec {
	flow := func(name, kind string, retention time.Duration) TopicSpec {
		return TopicSpec{Name: name, Kind: kind, Retention: retention, FlowPartitions: true}
	}
	return []TopicSpec{
		flow(TopicImportRequested, CleanupDelete, 7*day),
		flow(TopicWebformCreated, CleanupDelete, 7*day),
		flow(TopicWebformCompleted, CleanupDelete, 7*day),
		flow(TopicConnectionReady, CleanupDelete, 7*day),
		flow(TopicAccountsFetched, CleanupDelete, 7*day),
		flow(TopicImportCompleted, CleanupDelete, 30*day),
		flow(TopicImportFailed, CleanupDelete, 30*day),
		flow(TopicImportStatus, CleanupCompactDelete, 30*day),
		{Name: TopicAccounts, Kind: CleanupCompactDelete, Retention: 30 * day},
		{Name: TopicTransactions, Kind: CleanupCompactDelete, Retention: 30 * day},
	}
}
