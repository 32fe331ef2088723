package contest

import (
	"strconv"

	"github.com/bankimport/bankimport/pipeline"
)

// DeadLetters is the topic for what the engine gives up on.
const DeadLetters = "dead-letters"

// Stage is the name of stage i of a task, from 0.
func (t Task) Stage(i int) string { return "hop-" + strconv.Itoa(i+1) }

// Hop is the topic that stage i reads: Input, then what lies between the stages,
// and at last Output, which none reads.
func (t Task) Hop(i int) string {
	switch i {
	case 0:
		return t.Input
	case max(t.Hops, 1):
		return t.Output
	default:
		return t.Output + "-" + strconv.Itoa(i)
	}
}

// Topics are those that must exist beside the input: what is written, and the
// state of the stages, which is compacted.
func (t Task) Topics() (plain, compacted []string) {
	for i := range max(t.Hops, 1) {
		plain = append(plain, t.Hop(i+1))
		compacted = append(compacted, pipeline.StateTopic("", t.Group, t.Stage(i)))
	}
	return plain, compacted
}
