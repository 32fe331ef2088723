package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/localkafka"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

// refusing stands for the webform stage: it gives up what was never redriven.
type refusing struct{}

func (refusing) Handle(_ context.Context, t pipeline.Trigger, _ pipeline.State) (pipeline.Result, error) {
	if t.Redrive == 0 {
		return pipeline.Result{}, pipeline.Permanent("invalid_event", errors.New("not yet"))
	}
	return pipeline.Result{Events: []pipeline.Event{{Topic: schemas.TopicImportFailed, Key: []byte(t.Key)}}}, nil
}

func (refusing) GaveUp(pipeline.Trigger, pipeline.State, error) pipeline.Result {
	return pipeline.Result{}
}

const deadPrefix = "dead."

// deadLetters starts a cluster with a dead letter for each key, in this order,
// and a stage that takes them back. It returns the environment of the commands,
// a client, and the ids.
func deadLetters(t *testing.T, keys ...string) (environ []string, cl *kgo.Client, ids []string) {
	t.Helper()
	kafka, err := localkafka.Start(localkafka.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	environ = append(brokers(kafka.Addr()), "BANKIMPORT_TOPIC_PREFIX="+deadPrefix, "BANKIMPORT_PARTITIONS=2")
	call(t, environ, "topics", "apply").check(t, exitOK)
	seeds := kgo.SeedBrokers(kafka.Addr())
	runner, err := pipeline.NewRunner(pipeline.Stage{
		Name: "webform", Input: schemas.TopicImportRequested, Outputs: []string{schemas.TopicImportFailed},
		Classes: []string{"invalid_event"}, Handler: refusing{},
	}, pipeline.Config{KafkaOpts: []kgo.Opt{seeds}, TopicPrefix: deadPrefix})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := runner.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	if cl, err = kgo.NewClient(seeds); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	for n, key := range keys {
		r := &kgo.Record{Topic: deadPrefix + schemas.TopicImportRequested, Key: []byte(key), Value: []byte("secret of " + key),
			Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("event of " + key)}}}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, awaitRows(t, environ, n+1)[n].ID)
	}
	return environ, cl, ids
}

// awaitRows lists dead letters until there are n.
func awaitRows(t *testing.T, environ []string, n int) []deadLetterRow {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if rows := listed(t, environ); len(rows) == n {
			return rows
		} else if time.Now().After(end) {
			t.Fatalf("%d dead letters, want %d", len(rows), n)
		}
	}
}

func listed(t *testing.T, environ []string, args ...string) (rows []deadLetterRow) {
	t.Helper()
	got := call(t, environ, append([]string{"dead-letters", "list", "-o", "json"}, args...)...)
	got.check(t, exitOK)
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil {
		t.Fatalf("%v in\n%s", err, got.stdout)
	}
	return rows
}

func TestDeadLetters_List(t *testing.T) {
	t.Parallel()
	environ, _, ids := deadLetters(t, "k1", "k2", "k\x1b[2J", "\xff")

	got := call(t, environ, "dead-letters", "list")
	got.check(t, exitOK, "4 dead letters; look into one with: bankimport dead-letters show ID")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "ID ") {
		t.Fatalf("got\n%s", got.stdout)
	}
	for i, want := range []string{"k1", "k2", `"k\x1b[2J"`, "base64:/w=="} {
		if !strings.HasPrefix(lines[i+1], ids[i]) || !strings.Contains(lines[i+1], "webform  invalid_event  "+want+" ") || !strings.HasSuffix(lines[i+1], " no") {
			t.Errorf("line %d is %q, want %s with %s", i+1, lines[i+1], ids[i], want)
		}
	}
	if strings.Contains(got.stdout, "secret") {
		t.Error("the list shows values")
	}

	now := time.Now()
	for args, want := range map[string]int{
		"--stage webform": 4, "--stage accounts": 0, "--class invalid_event": 4, "--class panicked": 0, "--import k2": 1, "--import k": 0,
		"--since 1h": 4, "--until 1h": 0, "--since " + now.Add(time.Hour).Format(time.RFC3339): 0,
		"--until " + now.Add(time.Hour).Format(time.RFC3339): 4, "--limit 2": 2, "--stage webform --import k1 --since 1h": 1,
	} {
		rows := listed(t, environ, strings.Fields(args)...)
		if len(rows) != want {
			t.Errorf("list %s: got %d, want %d", args, len(rows), want)
		}
		if args == "--limit 2" && len(rows) == 2 && (rows[0].ID != ids[2] || rows[1].ID != ids[3]) {
			t.Errorf("list %s: not the newest, the newest last: %v", args, rows)
		}
	}
	call(t, environ, "dead-letters", "list", "--limit", "2").check(t, exitOK, "the newest 2 of 4 dead letters")
	none := call(t, environ, "dead-letters", "list", "--stage", "accounts")
	if none.check(t, exitOK, "no dead letter matches"); none.stdout != "" {
		t.Errorf("got stdout %q, want none", none.stdout)
	}
	lines = strings.Split(strings.TrimSpace(call(t, environ, "dead-letters", "list", "-o", "jsonl").stdout), "\n")
	if len(lines) != 4 {
		t.Errorf("%d lines of JSON, want 4", len(lines))
	}
}

func TestDeadLetters_Show(t *testing.T) {
	t.Parallel()
	environ, _, ids := deadLetters(t, "k1")
	got := call(t, environ, "dead-letters", "show", ids[0])
	got.check(t, exitOK, "put it back with: bankimport dead-letters redrive "+ids[0])
	for _, want := range []string{ids[0], "webform", "invalid_event", "not yet", "k1", "a record; topic dead.import-requested, partition", "offset 0", "ce_id: event of k1", "12 bytes; shown with --value"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing in\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout+got.stderr, "secret of k1") {
		t.Error("the value is shown without --value")
	}
	if got := call(t, environ, "dead-letters", "show", ids[0], "--value"); !strings.HasSuffix(got.stdout, "\nsecret of k1\n") {
		t.Errorf("with --value got\n%s", got.stdout)
	}
	for _, value := range []bool{false, true} {
		var body map[string]any
		got := call(t, environ, "dead-letters", "show", ids[0], "-o", "json", fmt.Sprint("--value=", value))
		if err := json.Unmarshal([]byte(got.stdout), &body); err != nil {
			t.Fatal(err)
		}
		if body["id"] != ids[0] || body["value_bytes"] != 12.0 || (body["value"] == "secret of k1") != value {
			t.Errorf("--value=%v: got %v", value, body)
		}
	}
	call(t, environ, "dead-letters", "show", "00000000-0000-5000-8000-000000000000").check(t, exitFailed, "there is no dead letter", "dead-letters list")
}

func TestDeadLetters_Redrive(t *testing.T) {
	t.Parallel()
	environ, cl, ids := deadLetters(t, "k1", "k2", "k3")
	const nobody = "00000000-0000-5000-8000-000000000000"

	got := call(t, environ, "dead-letters", "redrive", "--all", "--dry-run")
	got.check(t, exitOK, "3 dead letters would be redriven; run it again without --dry-run")
	if strings.Count(got.stdout, "would redrive  ") != 3 {
		t.Errorf("got\n%s", got.stdout)
	}
	for _, r := range listed(t, environ) {
		if !r.RedrivenAt.IsZero() {
			t.Errorf("%s: a dry run has redriven it", r.ID)
		}
	}

	got = call(t, environ, "dead-letters", "redrive", ids[0], nobody)
	got.check(t, exitFailed, "1 dead letter could not be redriven, 1 could")
	if !strings.Contains(got.stdout, "redriven  "+ids[0]+"  webform  invalid_event  k1\n") || !strings.Contains(got.stdout, "cannot redrive  "+nobody+": there is no such") {
		t.Errorf("got\n%s", got.stdout)
	}
	got = call(t, environ, "dead-letters", "redrive", ids[0])
	if got.check(t, exitOK, "nothing to do: redriven already"); !strings.HasPrefix(got.stdout, "redriven already  "+ids[0]) {
		t.Errorf("got\n%s", got.stdout)
	}
	if got := call(t, environ, "dead-letters", "show", ids[0], "--value"); !strings.Contains(got.stdout, "not kept: the record is back on its topic") {
		t.Errorf("got\n%s", got.stdout)
	}
	got = call(t, environ, "dead-letters", "redrive", "--import", "k2", "-o", "json")
	got.check(t, exitOK, "1 dead letter redriven")
	var rows []deadLetterRow
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || len(rows) != 1 || rows[0].ID != ids[1] || rows[0].Result != resultRedriven {
		t.Errorf("got %v and\n%s", err, got.stdout)
	}
	if got := call(t, environ, "dead-letters", "redrive", "--all", "-o", "jsonl"); strings.Count(got.stdout, "\n") != 1 || !strings.Contains(got.stdout, ids[2]) {
		t.Errorf("the rest: got\n%s", got.stdout)
	}
	got = call(t, environ, "dead-letters", "redrive", "--all", "-o", "json")
	if got.check(t, exitOK, "nothing to redrive"); got.stdout != "[]\n" {
		t.Errorf("got stdout %q, want an empty list", got.stdout)
	}
	for _, r := range listed(t, environ) {
		if r.RedrivenAt.IsZero() {
			t.Errorf("%s is not redriven", r.ID)
		}
	}
	cl.AddConsumeTopics(deadPrefix + schemas.TopicImportFailed)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for seen := 0; seen < 3; seen += len(cl.PollFetches(ctx).Records()) {
		if ctx.Err() != nil {
			t.Fatalf("the stage took %d back, want 3", seen)
		}
	}
}

// TestDeadLetters_Usage: every mistake is one line that says what to do.
func TestDeadLetters_Usage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"dead-letters list x":                                "list takes no arguments",
		"dead-letters list --stage bridge":                   "want one of webform, connection, accounts, transactions",
		"dead-letters list --since yesterday":                `--since "yesterday": want a duration ago like 2h`,
		"dead-letters list --since 1h --until 2h":            "--since 1h is not before --until 2h",
		"dead-letters list --since -1h":                      "want a duration",
		"dead-letters list --limit 0":                        "--limit 0: want 1 to",
		"dead-letters list -o yaml":                          "want one of text, json, jsonl",
		"dead-letters show":                                  "an argument is missing",
		"dead-letters show x":                                "is no id of a dead letter",
		"dead-letters redrive":                               "which dead letters?",
		"dead-letters redrive X":                             "is no id of a dead letter",
		"dead-letters redrive --all x":                       "ids and filters",
		"dead-letters redrive --dry-run":                     "which dead letters?",
		"dead-letters redrive --all -o table":                "want one of text, json, jsonl",
		"dead-letters redrive --stage connection --until no": "--until",
		"dead-letters redrive --stage webform --import=":     "--import is empty",
		"dead-letters list --class=":                         "--class is empty",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			got := call(t, nil, strings.Fields(args)...)
			got.check(t, exitUsage, "bankimport: ", want)
			if got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got stdout %q and stderr %q, want one line on stderr", got.stdout, got.stderr)
			}
		})
	}
}

// TestDeadLetters_Reach: a cluster that is not there, or without the topic.
func TestDeadLetters_Reach(t *testing.T) {
	t.Parallel()
	kafka, err := localkafka.Start(localkafka.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	for _, args := range []string{"list", "show 00000000-0000-5000-8000-000000000000", "redrive --all"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			command := append([]string{"dead-letters"}, strings.Fields(args)...)
			call(t, brokers(kafka.Addr()), command...).check(t, exitFailed, "topic dead-letters does not exist", "topics apply")
			var stdout, stderr strings.Builder
			silent := listening(t)
			a := &app{environ: brokers(silent), stdout: &stdout, stderr: &stderr, reach: 100 * time.Millisecond}
			code := a.run(t.Context(), command)
			ended{code, stdout.String(), stderr.String()}.check(t, exitFailed, "no answer from Kafka at "+silent)
			start(t, brokers(silent), command...).interrupt(t).check(t, exitInterrupted)
		})
	}
}
