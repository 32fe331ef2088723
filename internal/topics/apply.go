package topics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	visibleWithin = 15 * time.Second
	visiblePoll   = 50 * time.Millisecond
)

// Apply creates the topics that are missing and waits until the cluster shows
// them with a leader for each partition. It changes no topic that exists, and
// creates nothing when the plan has a conflict. It returns the topics it
// created; one that another process created meanwhile is not among them and is
// no error.
//
// It may be called by several processes at once. The right it needs is Create
// on the topics or the cluster.
func (p Plan) Apply(ctx context.Context, adm *kadm.Client) (created []string, err error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	var errs []error
	for _, t := range p.Topics {
		if t.Action != ActionCreate {
			continue
		}
		switch err := create(ctx, adm, t); {
		case err == nil:
			created = append(created, t.Name)
		case errors.Is(err, kerr.TopicAlreadyExists):
		default:
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return created, errors.Join(errs...)
	}
	return created, p.awaitLeaders(ctx, adm)
}

func create(ctx context.Context, adm *kadm.Client, t TopicPlan) error {
	configs := make(map[string]*string, len(t.Configs))
	for setting, value := range t.Configs {
		configs[setting] = &value
	}
	r, err := adm.CreateTopic(ctx, int32(t.Partitions), int16(t.Replication), configs, t.Name)
	if err != nil && r.ErrMessage != "" {
		return fmt.Errorf("create topic %s: %w (%s)", t.Name, err, r.ErrMessage)
	}
	if err != nil {
		return fmt.Errorf("create topic %s: %w", t.Name, err)
	}
	return nil
}

// awaitLeaders asks until every topic that was missing has a leader on each
// partition. Without that a stage started right after would find no topic.
func (p Plan) awaitLeaders(ctx context.Context, adm *kadm.Client) error {
	missing := p.With(ActionCreate)
	if len(missing) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, visibleWithin,
		fmt.Errorf("the new topics have no leader after %s", visibleWithin))
	defer cancel()
	tick := time.NewTicker(visiblePoll)
	defer tick.Stop()
	for {
		details, err := describe(ctx, adm, missing)
		if err == nil && led(details, missing) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for new topics: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func led(details kadm.TopicDetails, topics []string) bool {
	for _, name := range topics {
		d, there := details[name]
		if !there || d.Err != nil || len(d.Partitions) == 0 {
			return false
		}
		for _, partition := range d.Partitions {
			if partition.Err != nil || partition.Leader < 0 {
				return false
			}
		}
	}
	return true
}

// Ensure compares, creates what is missing and compares again, so that a topic
// that another process created meanwhile with other partitions is noticed. It
// returns the second comparison.
func Ensure(ctx context.Context, adm *kadm.Client, s Settings) (Plan, error) {
	before, err := Compare(ctx, adm, s)
	if err != nil {
		return Plan{}, err
	}
	if _, err := before.Apply(ctx, adm); err != nil {
		return before, err
	}
	after, err := compareNew(ctx, adm, s)
	if err != nil {
		return before, err
	}
	return after, after.Err()
}

// compareNew compares right after topics were created. The nodes of a cluster
// hear of them one after the other, so the one that is asked for their settings
// may not know them yet.
func compareNew(ctx context.Context, adm *kadm.Client, s Settings) (Plan, error) {
	end := time.Now().Add(visibleWithin)
	for {
		p, err := Compare(ctx, adm, s)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Now().After(end) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, err
		case <-time.After(visiblePoll):
		}
	}
}
