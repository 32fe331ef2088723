package topics

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cluster starts an empty cluster and returns it with clients of its own.
func cluster(t *testing.T, clients int) (*kfake.Cluster, []*kadm.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var adms []*kadm.Client
	for range clients {
		client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		adms = append(adms, kadm.NewClient(client))
	}
	return c, adms
}

var fourStageSettings = Settings{Prefix: "test.", Stages: fourStages, Partitions: 4}

func TestApplyCreatesWhatIsMissingOnce(t *testing.T) {
	t.Parallel()
	_, adms := cluster(t, 1)
	adm := adms[0]

	plan, err := Compare(t.Context(), adm, fourStageSettings)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(plan.With(ActionCreate)); got != 15 {
		t.Fatalf("empty cluster: got %d topics to create, want 15", got)
	}
	created, err := plan.Apply(t.Context(), adm)
	if err != nil || len(created) != 15 {
		t.Fatalf("apply: got %d created and %v, want 15 and no error", len(created), err)
	}
	plan, err = Compare(t.Context(), adm, fourStageSettings)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(plan.With(ActionKeep)); got != 15 {
		t.Errorf("after apply: got %d topics as they must be, want 15:\n%s", got, render(t, plan.WriteText))
	}
	if created, err = plan.Apply(t.Context(), adm); err != nil || len(created) != 0 {
		t.Errorf("second apply: got %v and %v, want nothing", created, err)
	}
}

func TestApplyLeavesOtherSettingsAlone(t *testing.T) {
	t.Parallel()
	_, adms := cluster(t, 1)
	adm := adms[0]
	mine := map[string]*string{"retention.ms": new("1000"), "cleanup.policy": new("delete,compact"), "segment.ms": new("86400000")}
	if _, err := adm.CreateTopic(t.Context(), 4, -1, mine, "test.import-status"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(t.Context(), 9, 1, nil, "test.transactions"); err != nil {
		t.Fatal(err)
	}
	settings := fourStageSettings
	settings.Replication = 3
	plan, err := Ensure(t.Context(), adm, settings)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plan.With(ActionDiffers), []string{"test.import-status", "test.transactions"}; !slices.Equal(got, want) {
		t.Fatalf("got %v with other settings, want %v", got, want)
	}
	want := map[string][]Difference{
		"test.import-status": {{"retention.ms", "2592000000", "1000"}},
		"test.transactions": {
			{"cleanup.policy", "compact,delete", "delete"},
			{"retention.ms", "2592000000", "604800000"},
			{"segment.ms", "86400000", "604800000"},
			{"replication", "3", "1"},
			{"partitions", "4", "9"},
		},
	}
	for _, topic := range plan.Topics {
		if !slices.Equal(topic.Differences, want[topic.Name]) {
			t.Errorf("%s: got differences %v, want %v", topic.Name, topic.Differences, want[topic.Name])
		}
	}
	if got := len(plan.With(ActionKeep)); got != 13 {
		t.Errorf("got %d topics as they must be, want 13", got)
	}
}

func TestOtherPartitionsOfAFlowTopicStopEverything(t *testing.T) {
	t.Parallel()
	_, adms := cluster(t, 1)
	adm := adms[0]
	if _, err := adm.CreateTopic(t.Context(), 7, -1, nil, "test.webform-completed"); err != nil {
		t.Fatal(err)
	}
	plan, err := Ensure(t.Context(), adm, fourStageSettings)
	conflict, ok := errors.AsType[*ConflictError](err)
	if !ok {
		t.Fatalf("got error %v, want a *ConflictError", err)
	}
	if len(conflict.Topics) != 1 || !strings.Contains(err.Error(), "test.webform-completed has 7 instead of 4") {
		t.Errorf("got %q, want it to name test.webform-completed, 7 and 4", err)
	}
	if got := plan.With(ActionConflict); !slices.Equal(got, []string{"test.webform-completed"}) {
		t.Errorf("got conflicts %v, want test.webform-completed", got)
	}
	topics, err := adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(topics) != 1 {
		t.Errorf("got topics %v, want that nothing was created", topics.Names())
	}
}

func TestManyProcessesApplyAtOnce(t *testing.T) {
	t.Parallel()
	_, adms := cluster(t, 5)
	plans := make([]Plan, len(adms))
	for i, adm := range adms { // all see an empty cluster
		var err error
		if plans[i], err = Compare(t.Context(), adm, fourStageSettings); err != nil {
			t.Fatal(err)
		}
	}
	created := make([][]string, len(adms))
	errs := make([]error, len(adms))
	var wg sync.WaitGroup
	for i, adm := range adms {
		wg.Go(func() { created[i], errs[i] = plans[i].Apply(t.Context(), adm) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := slices.Concat(created...); len(got) != 15 {
		t.Errorf("got %d topics created by all together, want each of 15 once: %v", len(got), got)
	}
	plan, err := Compare(t.Context(), adms[0], fourStageSettings)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(plan.With(ActionKeep)); got != 15 {
		t.Errorf("got %d topics as they must be, want 15", got)
	}
}

func TestEnsureNoticesThatAnotherCreatedOtherPartitions(t *testing.T) {
	t.Parallel()
	c, adms := cluster(t, 2)
	// Between our comparison and our creation somebody else creates one.
	var once atomic.Bool
	c.ControlKey(int16(kmsg.CreateTopics), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !once.CompareAndSwap(false, true) {
			return nil, nil, false
		}
		var err error
		c.SleepControl(func() {
			_, err = adms[1].CreateTopic(t.Context(), 5, -1, nil, "test.import-requested")
		})
		return nil, err, false
	})
	_, err := Ensure(t.Context(), adms[0], fourStageSettings)
	if _, ok := errors.AsType[*ConflictError](err); !ok {
		t.Errorf("got error %v, want a *ConflictError", err)
	}
}

func TestApplyReportsEveryRefusal(t *testing.T) {
	t.Parallel()
	c, adms := cluster(t, 1)
	plan, err := Compare(t.Context(), adms[0], fourStageSettings)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"test.accounts", "test.dead-letters"} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: 1})
	}
	created, err := plan.Apply(t.Context(), adms[0])
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Fatalf("got error %v, want TOPIC_AUTHORIZATION_FAILED", err)
	}
	for _, topic := range []string{"test.accounts", "test.dead-letters"} {
		if !strings.Contains(err.Error(), "create topic "+topic) {
			t.Errorf("got %q, want it to name %s", err, topic)
		}
	}
	if len(created) != 13 {
		t.Errorf("got %d topics created, want the 13 others", len(created))
	}
}

func TestCompareRefusesBadSettings(t *testing.T) {
	t.Parallel()
	_, adms := cluster(t, 1)
	if _, err := Compare(t.Context(), adms[0], Settings{}); err == nil || !strings.Contains(err.Error(), "Stages") {
		t.Errorf("got error %v, want one that names Stages", err)
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	plan := Plan{Topics: []TopicPlan{
		{Name: "a", Action: ActionCreate, Partitions: 12, Replication: -1, Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "604800000"}},
		{Name: "bb", Action: ActionDiffers, Partitions: 12, Replication: 3, Configs: map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "1500"},
			Differences: []Difference{{"retention.ms", "1500", ""}}},
	}}
	const wantText = `ACTION   TOPIC  PARTITIONS  REPLICATION  CLEANUP         RETENTION
create   a      12          broker's     delete          7 d
differs  bb     12          3            compact,delete  1500 ms
bb: retention.ms is not set, want 1500
1 to create, 0 as they must be, 1 with other settings (left as they are)
`
	if got := render(t, plan.WriteText); got != wantText {
		t.Errorf("text: got\n%s\nwant\n%s", got, wantText)
	}
	var back Plan
	if err := json.Unmarshal([]byte(render(t, plan.WriteJSON)), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Topics) != 2 || back.Topics[1].Differences[0].Setting != "retention.ms" {
		t.Errorf("JSON: got %+v, want the plan back", back)
	}
}

func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
