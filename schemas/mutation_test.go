package schemas_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/schemas"
)

// canary is a value that must never stand in an error.
const canary = "DE77533700080111111100-canary"

// TestMutatedExamplesAreRefused breaks every field of every example in every
// way that its type allows.
func TestMutatedExamplesAreRefused(t *testing.T) {
	t.Parallel()
	v := validator(t)
	for _, x := range schemas.Examples() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			schema := parse(t, schemas.JSONSchema(x.Type))
			properties := schema["properties"].(object)
			required := schema["required"].([]any)
			for name, value := range parse(t, x.Value) {
				for _, wrong := range wrongValues(value) {
					refusedBySchema(t, v, x, name, with(t, x, name, wrong))
					if wrong != "" { // an empty text has the right type
						refusedByGo(t, x, name, with(t, x, name, wrong))
					}
				}
				refusedBySchema(t, v, x, name+" null", with(t, x, name, nil))
				if f := properties[name].(object); f["format"] != nil || f["pattern"] != nil && f["minLength"] == nil {
					refusedBySchema(t, v, x, name, with(t, x, name, canary+" "))
				}
				if properties[name].(object)["enum"] != nil {
					refusedBySchema(t, v, x, name, with(t, x, name, canary))
				}
				if slices.Contains(required, any(name)) {
					refusedBySchema(t, v, x, name+" removed", without(t, x, name))
					refusedByGo(t, x, name+" removed", without(t, x, name))
					refusedByGo(t, x, name+" null", with(t, x, name, nil))
				}
			}
		})
	}
}

// wrongValues returns values of other JSON types, and the empty ones.
func wrongValues(v any) []any {
	switch v.(type) {
	case string:
		return []any{7, true, []any{canary}, object{canary: canary}, ""}
	case json.Number:
		return []any{canary, "7", true, []any{}, -1.5}
	case bool:
		return []any{canary, "true", 0, object{}}
	default:
		return []any{canary, 7, object{}}
	}
}

// TestUnknownFields: everybody tolerates them but import-requested.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	v := validator(t)
	for _, x := range schemas.Examples() {
		changed := with(t, x, "field_of_v9", object{"a": []any{nil}})
		if x.Type == schemas.TypeImportRequested {
			refusedBySchema(t, v, x, "unknown field", changed)
			refusedByGo(t, x, "unknown field", changed)
			continue
		}
		if err := v.Validate(x.Type, changed); err != nil {
			t.Errorf("%s: the schema refuses an unknown field: %v", x.Name, err)
		}
		if _, err := decode(x.Type, changed); err != nil {
			t.Errorf("%s: Go refuses an unknown field: %v", x.Name, err)
		}
	}
}

// TestRulesBetweenFields breaks what the schemas say about several fields.
func TestRulesBetweenFields(t *testing.T) {
	t.Parallel()
	v := validator(t)
	examples := make(map[string]schemas.Example)
	for _, x := range schemas.Examples() {
		examples[x.Name] = x
	}
	account := func(index int, change func(object)) func(object) {
		return func(o object) { change(o["accounts"].([]any)[index].(object)) }
	}
	for _, c := range []struct {
		name, example string
		change        func(object)
	}{
		{"two banks", "import-requested", func(o object) { o["bank_search"] = "Sparkasse" }},
		{"bank and connection", "import-requested", func(o object) { o["bank_connection_id"] = 5 }},
		{"form field and connection", "import-requested.reread", func(o object) { o["max_days"] = 30 }},
		{"same account type twice", "import-requested", func(o object) { o["account_types"] = []any{"loan", "loan"} }},
		{"unknown account type", "import-requested", func(o object) { o["account_types"] = []any{"Checking"} }},
		{"no account type", "import-requested", func(o object) { o["account_types"] = []any{} }},
		{"too few days", "import-requested", func(o object) { o["max_days"] = 13 }},
		{"too many days", "import-requested", func(o object) { o["max_days"] = 3651 }},
		{"long user", "import-requested", func(o object) { o["user_id"] = strings.Repeat("u", 129) }},
		{"user with line feed", "import-requested", func(o object) { o["user_id"] = "u\n" }},
		{"upper-case import", "import-requested", func(o object) { o["import_id"] = "7F3A0C1E-5B7D-4C55-9E0A-2F6D1F0B91C2" }},
		{"form and connection", "webform-awaited", func(o object) { o["bank_connection_id"] = 1 }},
		{"neither form nor connection", "webform-awaited", func(o object) { delete(o, "form_id") }},
		{"run 0", "webform-awaited", func(o object) { o["run"] = 0 }},
		{"status with spaces", "webform-completed", func(o object) { o["told_status"] = "a b" }},
		{"loaded with failure", "connection-ready", account(0, func(a object) { a["failure"] = "deprecated" })},
		{"none loaded", "connection-ready", func(o object) { o["accounts"] = o["accounts"].([]any)[2:] }},
		{"no account", "connection-ready", func(o object) { o["accounts"] = []any{} }},
		{"loaded with failure", "accounts-fetched", account(0, func(a object) { a["failure"] = "deprecated" })},
		{"loaded without count", "import-completed", account(0, func(a object) { delete(a, "count") })},
		{"not loaded with count", "import-completed", account(2, func(a object) { a["count"] = 1 })},
		{"float as sum", "import-completed", account(0, func(a object) { a["sum"] = "1,5" })},
		{"all loaded yet partial", "import-completed", func(o object) { o["accounts"] = o["accounts"].([]any)[:2] }},
		{"one missing yet not partial", "import-completed", func(o object) { o["partial"] = false }},
		{"instant without milliseconds", "import-failed", func(o object) { o["failed_at"] = "2026-11-22T09:18:31Z" }},
		{"instant with offset", "import-failed", func(o object) { o["failed_at"] = "2026-11-22T09:18:31.000+01:00" }},
		{"no such day", "transaction", func(o object) { o["booking_date"] = "2026-02-30" }},
		{"wrong number of step", "import-status", func(o object) { o["step_no"] = 4 }},
		{"failed without reason", "import-status.failed", func(o object) { delete(o, "reason") }},
		{"failed but waiting", "import-status.failed", func(o object) { o["waiting_for"] = "user" }},
		{"reason without failure", "import-status", func(o object) { o["reason"] = "gave_up" }},
		{"amount as number", "transaction", func(o object) { o["amount"] = 1.5 }},
		{"amount with plus", "transaction", func(o object) { o["amount"] = "+1.5" }},
		{"amount with huge exponent", "transaction", func(o object) { o["amount"] = "1e999999999" }},
		{"lower-case currency", "transaction", func(o object) { o["currency"] = "eur" }},
		{"category's owner without category", "transaction", func(o object) { delete(o, "category_name") }},
	} {
		x, ok := examples[c.example]
		if !ok {
			t.Fatalf("%s: no example %s", c.name, c.example)
		}
		o := parse(t, x.Value)
		c.change(o)
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		refusedBySchema(t, v, x, c.name, b)
		if x.Type == schemas.TypeImportRequested {
			refusedByGo(t, x, c.name, b)
		}
	}
}

func refusedBySchema(t *testing.T, v interface{ Validate(string, []byte) error }, x schemas.Example, what string, value []byte) {
	t.Helper()
	if v.Validate(x.Type, value) == nil {
		t.Errorf("%s, %s: the schema takes %s", x.Name, what, value)
	}
}

func refusedByGo(t *testing.T, x schemas.Example, what string, value []byte) {
	t.Helper()
	_, err := decode(x.Type, value)
	if err == nil {
		t.Errorf("%s, %s: Go takes %s", x.Name, what, value)
		return
	}
	if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "DE77") {
		t.Errorf("%s, %s: the error quotes the value: %v", x.Name, what, err)
	}
}

func with(t *testing.T, x schemas.Example, name string, value any) []byte {
	t.Helper()
	o := maps.Clone(parse(t, x.Value))
	o[name] = value
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func without(t *testing.T, x schemas.Example, name string) []byte {
	t.Helper()
	o := parse(t, x.Value)
	delete(o, name)
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
