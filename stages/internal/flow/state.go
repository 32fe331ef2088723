package flow

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/bankimport/bankimport/pipeline"
)

// StateVersion is the version of all states that this release writes. A change
// that an older release would misread needs the next one.
const StateVersion = 1

// Version stands in front of every stage's state.
type Version struct {
	V int `json:"v"`
}

// EncodeState returns the change that makes state, a struct that embeds
// [Version], the state of the key. The version is filled in by NewVersion.
func EncodeState(state any) (pipeline.StateChange, error) {
	b, err := json.Marshal(state)
	if err != nil {
		return pipeline.StateChange{}, fmt.Errorf("encode state: %w", err)
	}
	return pipeline.SetState(b), nil
}

// NewVersion is the version of a state made now.
func NewVersion() Version { return Version{V: StateVersion} }

// DecodeState reads what the stage remembers of a key. Nothing remembered gives
// nil. A state of another version is not guessed at: the trigger goes to the
// dead letters and the state stays, for the release that can read it.
func DecodeState[T any](b []byte) (*T, error) {
	if b == nil {
		return nil, nil
	}
	var version Version
	state := new(T)
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, pipeline.Permanent(ClassInvalidState, fmt.Errorf("read state: %d bytes that this release cannot read", len(b)))
	}
	if version.V != StateVersion {
		return nil, pipeline.Permanent(ClassInvalidState, fmt.Errorf(
			"read state: it has version %d and this release reads %d; run the release that wrote it and redrive this dead letter", version.V, StateVersion))
	}
	if err := json.Unmarshal(b, state); err != nil {
		return nil, pipeline.Permanent(ClassInvalidState, fmt.Errorf("read state: %d bytes that this release cannot read", len(b)))
	}
	return state, nil
}
