package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Action is what applying a plan does with a topic.
type Action string

// The actions.
const (
	ActionCreate   Action = "create"   // it is missing
	ActionKeep     Action = "keep"     // it is as it must be
	ActionDiffers  Action = "differs"  // it works, but with other settings
	ActionConflict Action = "conflict" // its partitions do not fit: nothing can be applied
)

// Plan is the list of topics compared with a cluster.
type Plan struct {
	Topics []TopicPlan `json:"topics"` // in the order of [List]
}

// TopicPlan is one topic compared with the cluster.
type TopicPlan struct {
	Name        string            `json:"name"`
	Action      Action            `json:"action"`
	Partitions  int               `json:"partitions"`  // wanted
	Replication int               `json:"replication"` // wanted; -1: the broker's default
	Configs     map[string]string `json:"configs"`     // wanted
	Differences []Difference      `json:"differences,omitempty"`
}

// Difference is a setting that the cluster has otherwise.
type Difference struct {
	Setting string `json:"setting"`
	Want    string `json:"want"`
	Have    string `json:"have"`
}

// Compare reads from the cluster what there is of the topics. It changes
// nothing. The rights it needs are Describe and DescribeConfigs on the topics.
func Compare(ctx context.Context, adm *kadm.Client, s Settings) (Plan, error) {
	if err := s.Validate(); err != nil {
		return Plan{}, fmt.Errorf("topic settings: %w", err)
	}
	list := List(s)
	details, err := describe(ctx, adm, names(list))
	if err != nil {
		return Plan{}, fmt.Errorf("list topics: %w", err)
	}
	have, err := existing(list, details)
	if err != nil {
		return Plan{}, err
	}
	configs, err := configsOf(ctx, adm, have)
	if err != nil {
		return Plan{}, err
	}
	var plan Plan
	for _, t := range list {
		plan.Topics = append(plan.Topics, compare(t, details[t.Name], configs[t.Name], slices.Contains(have, t.Name)))
	}
	return plan, nil
}

// describe asks the cluster about topics. The client would answer from what it
// read up to 5 s ago, before somebody created a topic; asking for authorized
// operations as well is what makes it ask.
func describe(ctx context.Context, adm *kadm.Client, topics []string) (kadm.TopicDetails, error) {
	return adm.ListTopics(kadm.WithAuthorizedOps(ctx), topics...)
}

// existing returns the topics of list that the cluster has.
func existing(list []Topic, details kadm.TopicDetails) ([]string, error) {
	var have []string
	for _, t := range list {
		switch d, there := details[t.Name]; {
		case !there || errors.Is(d.Err, kerr.UnknownTopicOrPartition):
		case d.Err != nil:
			return nil, fmt.Errorf("describe topic %s: %w", t.Name, d.Err)
		default:
			have = append(have, t.Name)
		}
	}
	return have, nil
}

// configsOf returns the settings of topics that exist: by topic, by setting.
func configsOf(ctx context.Context, adm *kadm.Client, topics []string) (map[string]map[string]string, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	resources, err := adm.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("describe the settings of topics: %w", err)
	}
	byTopic := make(map[string]map[string]string, len(resources))
	for _, r := range resources {
		if r.Err != nil {
			return nil, fmt.Errorf("describe the settings of topic %s: %w", r.Name, r.Err)
		}
		values := make(map[string]string, len(r.Configs))
		for _, c := range r.Configs {
			values[c.Key] = c.MaybeValue()
		}
		byTopic[r.Name] = values
	}
	return byTopic, nil
}

func compare(t Topic, d kadm.TopicDetail, configs map[string]string, there bool) TopicPlan {
	p := TopicPlan{
		Name: t.Name, Action: ActionCreate,
		Partitions: t.Partitions, Replication: t.Replication, Configs: t.Configs,
	}
	if !there {
		return p
	}
	p.Action = ActionKeep
	for _, setting := range slices.Sorted(maps.Keys(t.Configs)) {
		if want, have := t.Configs[setting], configs[setting]; !sameValue(want, have) {
			p.differs(ActionDiffers, setting, want, have)
		}
	}
	if have := d.Partitions.NumReplicas(); t.Replication > 0 && have != t.Replication {
		p.differs(ActionDiffers, "replication", strconv.Itoa(t.Replication), strconv.Itoa(have))
	}
	if have := len(d.Partitions); have != t.Partitions {
		action := ActionDiffers
		if t.SamePartitions {
			action = ActionConflict
		}
		p.differs(action, "partitions", strconv.Itoa(t.Partitions), strconv.Itoa(have))
	}
	return p
}

func (p *TopicPlan) differs(action Action, setting, want, have string) {
	p.Action = action
	p.Differences = append(p.Differences, Difference{Setting: setting, Want: want, Have: have})
}

// sameValue compares two values of a setting; lists are sets.
func sameValue(a, b string) bool {
	set := func(s string) []string {
		return slices.Sorted(strings.SplitSeq(strings.ReplaceAll(s, " ", ""), ","))
	}
	return a == b || slices.Equal(set(a), set(b))
}

func names(list []Topic) []string {
	all := make([]string, len(list))
	for i, t := range list {
		all[i] = t.Name
	}
	return all
}

// With returns the names of the topics with this action.
func (p Plan) With(action Action) []string {
	var with []string
	for _, t := range p.Topics {
		if t.Action == action {
			with = append(with, t.Name)
		}
	}
	return with
}

// ConflictError says that topics which must have equally many partitions do
// not. Somebody must decide, because adding partitions moves keys and the state
// of imports that run would stay behind.
type ConflictError struct {
	Topics []TopicPlan
}

// Error names the topics, their partitions and what can be done.
func (e *ConflictError) Error() string {
	var b strings.Builder
	b.WriteString("partition counts do not fit: ")
	for i, t := range e.Topics {
		if i > 0 {
			b.WriteString(", ")
		}
		for _, d := range t.Differences {
			if d.Setting == "partitions" {
				fmt.Fprintf(&b, "%s has %s instead of %s", t.Name, d.Have, d.Want)
			}
		}
	}
	b.WriteString("; set BANKIMPORT_PARTITIONS to what the existing topics have, or another BANKIMPORT_TOPIC_PREFIX and start on new topics")
	return b.String()
}

// Err returns a [*ConflictError] when the plan cannot be applied, else nil.
func (p Plan) Err() error {
	var conflicts []TopicPlan
	for _, t := range p.Topics {
		if t.Action == ActionConflict {
			conflicts = append(conflicts, t)
		}
	}
	if len(conflicts) == 0 {
		return nil
	}
	return &ConflictError{Topics: conflicts}
}
