package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// check compares the cluster with what the engine needs, before anything is
// read. What a person must mend is a fatal error that says so, all at once.
func (s *session) check(ctx context.Context) error {
	if err := s.checkVersion(ctx); err != nil {
		return err
	}
	topics, err := s.describe(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		err := s.checkTopic(name, topics[name])
		if err != nil && !isFatal(err) {
			return err // it may pass
		}
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	in, state := topics[s.topic], topics[s.state]
	if len(in.Partitions) != len(state.Partitions) {
		return fatalf("topic %s has %d partitions and %s has %d, they must be equal: the state of a key lives in its input partition; see the README on changing partition counts", s.topic, len(in.Partitions), s.state, len(state.Partitions))
	}
	s.topicID = in.TopicID
	return nil
}

// checkVersion makes sure of transactions in which a zombie is fenced by the
// producer's epoch alone (KIP-890).
func (s *session) checkVersion(ctx context.Context) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "bankimport", "1"
	resp, err := req.RequestWith(ctx, s.admin)
	if err != nil {
		return fmt.Errorf("ask the brokers what they can do: %w", err)
	}
	var level int16
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			level = f.MaxVersionLevel
		}
	}
	if level < 2 {
		return fatalf("the cluster has finalized transaction.version %d, at least 2 is needed: upgrade to Kafka 4.0 or later and run kafka-features.sh upgrade --feature transaction.version=2", level)
	}
	return nil
}

// describe asks for the stage's topics and for what this user may do with them.
func (s *session) describe(ctx context.Context) (map[string]kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for name := range s.needs() {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, s.admin)
	if err != nil {
		return nil, fmt.Errorf("ask for the topics: %w", err)
	}
	topics := map[string]kmsg.MetadataResponseTopic{}
	for _, t := range resp.Topics {
		if t.Topic != nil {
			topics[*t.Topic] = t
		}
	}
	for name := range s.needs() {
		if _, ok := topics[name]; !ok {
			return nil, fmt.Errorf("ask for the topics: no answer about %s", name)
		}
	}
	return topics, nil
}

// needs are the operations that the stage does on each topic.
func (s *session) needs() map[string][]kmsg.ACLOperation {
	needs := map[string][]kmsg.ACLOperation{
		s.topic: {kmsg.ACLOperationRead},
		s.state: {kmsg.ACLOperationRead, kmsg.ACLOperationWrite},
	}
	for _, o := range s.outputs {
		if !slices.Contains(needs[o], kmsg.ACLOperationWrite) {
			needs[o] = append(needs[o], kmsg.ACLOperationWrite)
		}
	}
	return needs
}

func (s *session) checkTopic(name string, t kmsg.MetadataResponseTopic) error {
	switch err := kerr.ErrorForCode(t.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fatalf("topic %s does not exist: create the topics first (bankimport topics apply)", name)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fatalf("topic %s: the Kafka user may not see it: grant it DESCRIBE and %s", name, inWords(s.needs()[name]))
	case err != nil:
		return fmt.Errorf("topic %s: %w", name, err)
	}
	if missing := notIn(t.AuthorizedOperations, s.needs()[name]); len(missing) > 0 {
		return fatalf("topic %s: the Kafka user lacks a permission: grant it %s", name, inWords(missing))
	}
	return nil
}

// explained makes a fatal error of a refusal that only a person can mend. The
// group and the transactional id cannot be asked about before they are used.
func (s *session) explained(err error) error {
	switch {
	case isFatal(err):
		return err
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return fatalf("the Kafka user may not use the transactional id: grant it WRITE and DESCRIBE on it, or on all that begin with %q: %w", strings.TrimSuffix(s.transactionalID(), s.instance), err)
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return fatalf("group %s: the Kafka user may not be a member: grant it READ on the group: %w", s.group, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fatalf("the Kafka user lost a permission on a topic: grant it READ on %s, WRITE on the outputs, and both on %s: %w", s.topic, s.state, err)
	default:
		return err
	}
}

// notIn returns the operations that a broker's answer does not allow. Brokers
// without permissions allow all or say nothing.
func notIn(allowed int32, need []kmsg.ACLOperation) []kmsg.ACLOperation {
	if allowed == math.MinInt32 || allowed == 0 {
		return nil
	}
	var missing []kmsg.ACLOperation
	for _, op := range need {
		if allowed&(1<<op) == 0 {
			missing = append(missing, op)
		}
	}
	return missing
}

func inWords(ops []kmsg.ACLOperation) string {
	words := make([]string, len(ops))
	for i, op := range ops {
		words[i] = op.String()
	}
	return strings.Join(words, " and ")
}
