package schemas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
)

const deadLetter = "dead-letter"

type ref struct {
	Ref string `yaml:"$ref"`
}

type asyncAPI struct {
	AsyncAPI string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address  string         `yaml:"address"`
		Messages map[string]ref `yaml:"messages"`
		Bindings struct {
			Kafka struct {
				Topic      string `yaml:"topic"`
				Partitions int    `yaml:"partitions"`
				Config     struct {
					Cleanup   []string `yaml:"cleanup.policy"`
					Retention int64    `yaml:"retention.ms"`
					MaxBytes  int      `yaml:"max.message.bytes"`
				} `yaml:"topicConfiguration"`
			} `yaml:"kafka"`
		} `yaml:"bindings"`
	} `yaml:"channels"`
	Operations map[string]struct {
		Action   string              `yaml:"action"`
		Channel  ref                 `yaml:"channel"`
		Messages []ref               `yaml:"messages"`
		Tags     []map[string]string `yaml:"tags"`
	} `yaml:"operations"`
	Components struct {
		Messages map[string]struct {
			Name    string `yaml:"name"`
			Headers any    `yaml:"headers"`
			Payload struct {
				Schema ref `yaml:"schema"`
			} `yaml:"payload"`
			Bindings struct {
				Kafka struct {
					Key struct {
						Description string `yaml:"description"`
					} `yaml:"key"`
				} `yaml:"kafka"`
			} `yaml:"bindings"`
		} `yaml:"messages"`
		Schemas map[string]any `yaml:"schemas"`
	} `yaml:"components"`
}

func readAsyncAPI(t *testing.T) asyncAPI {
	t.Helper()
	var doc asyncAPI
	if err := yaml.Unmarshal(schemas.AsyncAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestAsyncAPIChannelsAreTheTopics(t *testing.T) {
	t.Parallel()
	doc := readAsyncAPI(t)
	if doc.AsyncAPI != "3.1.0" {
		t.Errorf("got asyncapi %s, want 3.1.0", doc.AsyncAPI)
	}
	specs := append(schemas.Topics(), schemas.TopicSpec{
		Name: schemas.TopicDeadLetters, Kind: schemas.CleanupCompactDelete, Retention: 30 * 24 * time.Hour, MaxMessageBytes: 2 << 20,
	})
	events := map[string][]string{schemas.TopicDeadLetters: {deadLetter}} // by topic
	for _, e := range schemas.Events() {
		events[e.Topic()] = append(events[e.Topic()], e.Type())
	}
	for _, spec := range specs {
		c, ok := doc.Channels[spec.Name]
		if !ok {
			t.Errorf("%s: no channel", spec.Name)
			continue
		}
		k := c.Bindings.Kafka
		if c.Address != spec.Name || k.Topic != spec.Name || k.Partitions != 12 {
			t.Errorf("%s: got address %s, topic %s, %d partitions", spec.Name, c.Address, k.Topic, k.Partitions)
		}
		if got := strings.Join(k.Config.Cleanup, ","); got != spec.Kind {
			t.Errorf("%s: got cleanup.policy %s, want %s", spec.Name, got, spec.Kind)
		}
		if k.Config.Retention != spec.Retention.Milliseconds() || k.Config.MaxBytes != spec.MaxMessageBytes {
			t.Errorf("%s: got retention.ms %d and max.message.bytes %d, want %d and %d",
				spec.Name, k.Config.Retention, k.Config.MaxBytes, spec.Retention.Milliseconds(), spec.MaxMessageBytes)
		}
		if got, want := slices.Sorted(maps.Keys(c.Messages)), slices.Sorted(slices.Values(events[spec.Name])); !slices.Equal(got, want) {
			t.Errorf("%s: got messages %v, want %v", spec.Name, got, want)
		}
		for name, m := range c.Messages {
			if want := "#/components/messages/" + name; m.Ref != want {
				t.Errorf("%s: message %s is %s, want %s", spec.Name, name, m.Ref, want)
			}
		}
	}
	if got, want := len(doc.Channels), len(specs); got != want {
		t.Errorf("got %d channels, want %d", got, want)
	}
}

func TestAsyncAPIMessagesAreTheEvents(t *testing.T) {
	t.Parallel()
	doc := readAsyncAPI(t)
	for _, e := range schemas.Events() {
		m, ok := doc.Components.Messages[e.Type()]
		if !ok {
			t.Errorf("%s: no message", e.Type())
			continue
		}
		if want := "./json/" + e.Type() + ".json"; m.Name != e.Type() || m.Payload.Schema.Ref != want {
			t.Errorf("%s: got name %s and payload %s, want payload %s", e.Type(), m.Name, m.Payload.Schema.Ref, want)
		}
		wantKey := "Id of the import."
		switch e.Type() {
		case schemas.TypeAccount:
			wantKey = "Key of the account, equal to account_key."
		case schemas.TypeTransaction:
			wantKey = "Key of the transaction, equal to transaction_key."
		}
		if got := m.Bindings.Kafka.Key.Description; got != wantKey {
			t.Errorf("%s: got key %q, want %q", e.Type(), got, wantKey)
		}
	}
	if got, want := len(doc.Components.Messages), len(schemas.Events())+1; got != want {
		t.Errorf("got %d messages, want %d: the events and %s", got, want, deadLetter)
	}
}

// TestAsyncAPIOperations: every event but those of upstream is sent by somebody,
// each stage reads one topic, and a message is only used on its own channel.
func TestAsyncAPIOperations(t *testing.T) {
	t.Parallel()
	doc := readAsyncAPI(t)
	sent, received := make(map[string]bool), make(map[string]bool) // by event
	inputs := make(map[string][]string)                            // by part
	for id, op := range doc.Operations {
		channel := path.Base(op.Channel.Ref)
		if want := fmt.Sprintf("%s-%ss-%s", op.Tags[0]["name"], op.Action, channel); id != want {
			t.Errorf("operation %s: want it to be named %s", id, want)
		}
		if op.Action == "receive" {
			inputs[op.Tags[0]["name"]] = append(inputs[op.Tags[0]["name"]], channel)
		}
		for _, m := range op.Messages {
			name := path.Base(m.Ref)
			if m.Ref != "#/channels/"+channel+"/messages/"+name {
				t.Errorf("operation %s: message %s is not of its channel", id, m.Ref)
			}
			if _, ok := doc.Channels[channel].Messages[name]; !ok {
				t.Errorf("operation %s: channel %s has no message %s", id, channel, name)
			}
			if op.Action == "send" {
				sent[name] = true
			} else {
				received[name] = true
			}
		}
	}
	for _, e := range schemas.Events() {
		upstreams := e.Topic() == schemas.TopicImportRequested
		if sent[e.Type()] == upstreams {
			t.Errorf("%s: got sent %v, want %v", e.Type(), sent[e.Type()], !upstreams)
		}
	}
	want := map[string][]string{
		"webform":      {schemas.TopicImportRequested},
		"connection":   {schemas.TopicWebformCompleted},
		"accounts":     {schemas.TopicConnectionReady},
		"transactions": {schemas.TopicAccountsFetched},
	}
	if !maps.EqualFunc(inputs, want, slices.Equal) {
		t.Errorf("got inputs %v, want %v", inputs, want)
	}
	for _, name := range []string{schemas.TypeImportCancelRequested, schemas.TypeWebformCompleted} {
		if !received[name] {
			t.Errorf("%s is received by nobody", name)
		}
	}
}

func TestAsyncAPIReferencesResolve(t *testing.T) {
	t.Parallel()
	var doc any
	if err := yaml.Unmarshal(schemas.AsyncAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case object:
			if r, ok := v["$ref"].(string); ok {
				checkReference(t, doc, r)
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
}

func checkReference(t *testing.T, doc any, r string) {
	t.Helper()
	if file, ok := strings.CutPrefix(r, "./json/"); ok {
		schemas.JSONSchema(strings.TrimSuffix(file, ".json")) // panics if there is none
		return
	}
	at := doc
	for name := range strings.SplitSeq(strings.TrimPrefix(r, "#/"), "/") {
		o, ok := at.(object)
		if !ok || o[name] == nil {
			t.Errorf("%s leads nowhere", r)
			return
		}
		at = o[name]
	}
}

// TestEncodedHeadersAreThoseOfAsyncAPI checks what Encode writes against the
// document, and that the document is no empty promise.
func TestEncodedHeadersAreThoseOfAsyncAPI(t *testing.T) {
	t.Parallel()
	doc := readAsyncAPI(t)
	for _, x := range schemas.Examples() {
		event, err := decode(x.Type, x.Value)
		if err != nil {
			t.Fatal(err)
		}
		schema := headerSchema(t, doc, x.Type)
		_, headers, err := schemas.Encode(event, schemas.Meta{
			Source: "webform", Time: time.Unix(1_790_000_000, 0), CauseID: "cause",
			Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		})
		if err != nil {
			t.Fatal(err)
		}
		values := make(object)
		for _, h := range headers {
			values[h.Key] = string(h.Value)
		}
		if err := schema.Validate(values); err != nil {
			t.Errorf("%s: %v", x.Name, err)
		}
		for name, wrong := range map[string]string{"ce_specversion": "0.3", "ce_type": "other", "ce_subject": "x", "ce_time": "now", "traceparent": "x"} {
			changed := maps.Clone(values)
			changed[name] = wrong
			if schema.Validate(changed) == nil {
				t.Errorf("%s: the headers of AsyncAPI take %s %q", x.Name, name, wrong)
			}
		}
	}
}

func headerSchema(t *testing.T, doc asyncAPI, eventType string) *jsonschema.Schema {
	t.Helper()
	root := object{"components": object{"schemas": doc.Components.Schemas}}
	maps.Copy(root, doc.Components.Messages[eventType].Headers.(object))
	b, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("headers.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("headers.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestAsyncAPIDescribesTheHeadersOfDeadLetters(t *testing.T) {
	t.Parallel()
	want := []string{
		pipeline.HeaderDeadLetterStage, pipeline.HeaderDeadLetterClass, pipeline.HeaderDeadLetterError,
		pipeline.HeaderDeadLetterAttempts, pipeline.HeaderDeadLetterFirstAt, pipeline.HeaderDeadLetterLastAt,
		pipeline.HeaderDeadLetterTrigger, pipeline.HeaderDeadLetterTopic, pipeline.HeaderDeadLetterPartition,
		pipeline.HeaderDeadLetterOffset, pipeline.HeaderDeadLetterDue, pipeline.HeaderDeadLetterKey,
		pipeline.HeaderDeadLetterTruncated, pipeline.HeaderDeadLetterRedrives,
		pipeline.HeaderDeadLetterNoValue, pipeline.HeaderDeadLetterRedrivenAt,
	}
	slices.Sort(want)
	schema := readAsyncAPI(t).Components.Schemas["deadLetterHeaders"].(object)
	if got := slices.Sorted(maps.Keys(schema["properties"].(object))); !slices.Equal(got, want) {
		t.Errorf("got headers %v, want %v", got, want)
	}
}
