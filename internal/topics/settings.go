package topics

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bankimport/bankimport/pipeline"
)

// Defaults of [Settings].
const (
	DefaultPartitions     = 12
	DefaultReplication    = -1 // the broker's default
	DefaultStateRetention = 30 * 24 * time.Hour
)

const (
	defaultGroup   = "bankimport"
	maxTopicName   = 249 // Kafka's own limit
	minRetention   = time.Hour
	maxPartitions  = 10_000
	maxReplication = 32
)

// Settings say which topics there are and how they are made. Zero values mean
// the defaults.
type Settings struct {
	// Prefix goes before every topic. Default: none.
	Prefix string
	// Group is the first part of the names of the state topics. Default
	// "bankimport". It must be the engine's.
	Group string
	// Stages are the names of the stages: each has a state topic. Required.
	Stages []string
	// Partitions is the number of partitions of every topic. Default 12. It
	// cannot change later: a key must stay on its partition.
	Partitions int
	// Replication is the replication factor. Default -1: the broker's own.
	Replication int
	// StateRetention is how long the engine remembers a finished import, at
	// least an hour. Default 30 days. The state topics keep 5 days more.
	StateRetention time.Duration
}

func (s Settings) withDefaults() Settings {
	if s.Group == "" {
		s.Group = defaultGroup
	}
	if s.Partitions == 0 {
		s.Partitions = DefaultPartitions
	}
	if s.Replication == 0 {
		s.Replication = DefaultReplication
	}
	if s.StateRetention == 0 {
		s.StateRetention = DefaultStateRetention
	}
	return s
}

// Validate reports everything that is wrong with the settings.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(len(s.Stages) == 0, "Stages is empty: name the stages, each has a state topic")
	wrong(s.Partitions < 1 || s.Partitions > maxPartitions, "Partitions is %d, want 1 to %d", s.Partitions, maxPartitions)
	wrong(s.Replication < -1 || s.Replication > maxReplication, "Replication is %d, want 1 to %d, or -1 for the broker's default", s.Replication, maxReplication)
	wrong(s.StateRetention < minRetention, "StateRetention is %s, want at least %s", s.StateRetention, minRetention)
	wrong(strings.ContainsFunc(s.Prefix+s.Group, illegal), "Prefix and Group make topic names: want letters, digits, '.', '_' and '-' only")
	for _, stage := range s.Stages {
		wrong(stage == "" || strings.ContainsFunc(stage, illegal), "Stages: %q is no name of a stage", stage)
		wrong(len(pipeline.StateTopic(s.Prefix, s.Group, stage)) > maxTopicName, "Prefix is too long: a topic name has at most %d characters", maxTopicName)
	}
	return errors.Join(errs...)
}

func illegal(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}
