package schematest

import (
	"strings"
	"testing"

	"github.com/bankimport/bankimport/schemas"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	v, err := New()
	if err != nil {
		t.Fatal(err)
	}
	const cancel = `{"import_id":"7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2"}`
	for _, c := range []struct{ name, event, value, want string }{
		{"good", schemas.TypeImportCancelRequested, cancel, ""},
		{"another event", schemas.TypeWebformCreated, cancel, "missing properties"},
		{"format", schemas.TypeImportCancelRequested, `{"import_id":"x"}`, "uuid"},
		{"no such event", "import", cancel, `no event is named "import"`},
		{"not JSON", schemas.TypeImportCancelRequested, cancel + "x", "is not JSON"},
	} {
		err := v.Validate(c.event, []byte(c.value))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}
