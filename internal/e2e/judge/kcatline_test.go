package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseKcat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, line string
		want       Record
	}{
		{
			name: "everything",
			line: `{"topic":"facts","partition":3,"offset":17,"tstype":"create","ts":1700000000123,"broker":1,"headers":["a","x=1,\"y\"\n","none",null],"key":"k","payload":"{\"n\":1.50}"}`,
			want: Record{
				Topic: "facts", Partition: 3, Offset: 17, Time: time.UnixMilli(1700000000123),
				Key: []byte("k"), Value: []byte(`{"n":1.50}`),
				Headers: []Header{{"a", []byte("x=1,\"y\"\n")}, {"none", nil}},
			},
		},
		{
			name: "nulls",
			line: `{"topic":"facts","partition":0,"offset":0,"tstype":"create","ts":0,"broker":1,"key":null,"payload":null}`,
			want: Record{Topic: "facts", Time: time.UnixMilli(0)},
		},
		{
			name: "empty is not null",
			line: `{"topic":"facts","partition":0,"offset":0,"ts":0,"key":"","payload":""}`,
			want: Record{Topic: "facts", Time: time.UnixMilli(0), Key: []byte{}, Value: []byte{}},
		},
		{
			name: "bytes that are not UTF-8, and escapes",
			line: "{\"topic\":\"facts\",\"partition\":0,\"offset\":0,\"ts\":0,\"key\":\"\xff\xfe\",\"payload\":\"\\u0000\\b\\f\\r\\t\\/\\\\\xc3\xbc\\u00fc\"}",
			want: Record{Topic: "facts", Time: time.UnixMilli(0), Key: []byte{0xff, 0xfe}, Value: []byte("\x00\b\f\r\t/\\üü")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseKcat([]byte(tc.line))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("record (-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseKcat_Refuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ line, want string }{
		"no JSON":           {`% Reached end of topic`, "read kcat's line"},
		"half a line":       {`{"topic":"facts","payload":"ab`, "read kcat's line"},
		"a number as key":   {`{"topic":"facts","key":12}`, "not a string"},
		"odd headers":       {`{"topic":"facts","headers":["a"]}`, "without value"},
		"a list as header":  {`{"topic":"facts","headers":["a",[]]}`, "header a"},
		"an object as name": {`{"topic":"facts","headers":[{},"b"]}`, "header's name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseKcat([]byte(tc.line))
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %q, want it to contain %q", err, tc.want)
			}
		})
	}
}
