package pipeline

// GroupName is the consumer group of a stage.
func GroupName(prefix, group, stage string) string { return prefix + group + "." + stage }

// TransactionalID is the transactional id of one instance of a stage.
func TransactionalID(prefix, group, stage, instance string) string {
	return GroupName(prefix, group, stage) + "." + instance
}

// RedriveID is the transactional id under which dead letters are redriven. All
// that redrive share it, so that the newest one fences the others.
func RedriveID(prefix, group string) string { return prefix + group + ".redrive" }

// StateTopic is the compacted topic that holds the state of a stage's keys. It
// must have as many partitions as the stage's input.
func StateTopic(prefix, group, stage string) string {
	return GroupName(prefix, group, stage) + ".state"
}
