package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// decoders are both packages that meet these types.
func decoders() map[string]func([]byte, any) error {
	return map[string]func([]byte, any) error{
		"encoding/json":   func(b []byte, v any) error { return json.Unmarshal(b, v) },
		"json-experiment": func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) },
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2021, 3, 2, 13, 51, 8, 973e6, time.UTC)
	type values struct {
		N Number
		D Day
		T Time
		F FormInstant
	}
	for _, test := range []struct {
		in   string
		want values
		bad  bool
	}{
		{in: `{}`},
		{in: `{"N":null,"D":null,"T":null,"F":null}`},
		{in: `{"D":"","T":"","F":""}`},
		{in: `{"N":0.0}`, want: values{N: "0.0"}},
		{in: `{"N":-135.890}`, want: values{N: "-135.890"}},
		{in: `{"N":12345678901234567890.123}`, want: values{N: "12345678901234567890.123"}},
		{in: `{"N":1e400}`, want: values{N: "1e400"}},
		{in: `{"N":1.5E+2}`, want: values{N: "1.5E+2"}},
		{in: `{"N":"1.5"}`, bad: true},
		{in: `{"N":true}`, bad: true},
		{in: `{"N":[]}`, bad: true},
		{in: `{"D":"2024-02-29"}`, want: values{D: "2024-02-29"}},
		{in: `{"D":"2023-02-29"}`, bad: true},
		{in: `{"D":"2023-2-9"}`, bad: true},
		{in: `{"D":"2023-02-09T00:00:00Z"}`, bad: true},
		{in: `{"D":"0001-01-01"}`, want: values{D: "0001-01-01"}},
		{in: `{"D":"0000-01-01"}`, bad: true},
		{in: `{"D":20230209}`, bad: true},
		{in: `{"D":"\u0032023-02-09"}`, bad: true},
		{in: `{"F":"2021-03-02T13:51:08.973+0000"}`, want: values{F: FormInstant{at}}},
		{in: `{"F":"2021-03-02T13:51:08.973+00:00"}`, want: values{F: FormInstant{at}}},
		{in: `{"F":"2021-03-02T13:51:08.973Z"}`, want: values{F: FormInstant{at}}},
		{in: `{"F":"2021-03-02T14:51:08.973+0100"}`, want: values{F: FormInstant{at}}},
		{in: `{"F":"2021-03-02T13:51:08Z"}`, want: values{F: FormInstant{at.Truncate(time.Second)}}},
		{in: `{"F":"2021-03-02T13:51:08+0000"}`, want: values{F: FormInstant{at.Truncate(time.Second)}}},
		{in: `{"T":"2021-03-02T13:51:08.973+0000","F":"2021-03-02T13:51:08.973000000+0000"}`, want: values{T: Time{at}, F: FormInstant{at}}},
		{in: `{"T":"2021-03-02T15:51:08.973+02:00"}`, want: values{T: Time{at}}},
		{in: `{"T":"2021-03-02T13:51:08.973"}`, bad: true},
		{in: `{"T":"2021-03-02 13:51:08.973"}`, bad: true},
		{in: `{"T":"10000-03-02T13:51:08Z"}`, bad: true},
		{in: `{"T":"0000-03-02T13:51:08Z"}`, bad: true},
		{in: `{"F":"0000-12-31T23:59:59+0000"}`, bad: true},
		{in: `{"T":"0001-01-01T00:59:59+01:00"}`, bad: true}, // in UTC it is the year 0
		{in: `{"T":"0000-12-31T23:30:00-01:00"}`, want: values{T: Time{time.Date(1, 1, 1, 0, 30, 0, 0, time.UTC)}}},
		{in: `{"T":"9999-12-31T23:59:59.999Z"}`, want: values{T: Time{time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)}}},
		{in: `{"T":"9999-12-31T23:00:00-01:00"}`, bad: true}, // in UTC it is the year 10000
		{in: `{"T":"2021-02-30T13:51:08Z"}`, bad: true},
		{in: `{"T":1614693068}`, bad: true},
		{in: `{"T":{}}`, bad: true},
	} {
		for name, decode := range decoders() {
			var got values
			err := decode([]byte(test.in), &got)
			if test.bad {
				if err == nil {
					t.Errorf("%s: %s: got %+v, want an error", name, test.in, got)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", name, test.in, err)
				continue
			}
			if got.N != test.want.N || got.D != test.want.D || !got.T.Equal(test.want.T.Time) || !got.F.Equal(test.want.F.Time) {
				t.Errorf("%s: %s: got %+v, want %+v", name, test.in, got, test.want)
			}
		}
	}
}

func TestValuesAreWrittenAsTheProviderDoes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 8, 13, 18, 12, 22, 11e6, time.FixedZone("", 2*3600))
	for _, test := range []struct {
		v    any
		want string // empty: an error
	}{
		{Number("-13587.10"), `-13587.10`},
		{Number("0.0"), `0.0`},
		{Number(""), `null`},
		{Number("NaN"), ""},
		{Number("1,5"), ""},
		{Number("01"), ""},
		{Number("1."), ""},
		{Number("-"), ""},
		{Number("1e"), ""},
		{Number(".5"), ""},
		{Day("2026-01-31"), `"2026-01-31"`},
		{DayOf(at), `"2026-08-13"`},
		{Day(""), `null`},
		{Day("tomorrow"), ""},
		{Time{at}, `"2026-08-13T18:12:22.011+02:00"`},
		{Time{}, `null`},
		{FormInstant{at}, `"2026-08-13T18:12:22.011+0200"`},
		{FormInstant{at.UTC()}, `"2026-08-13T16:12:22.011+0000"`},
		{FormInstant{}, `null`},
		{struct {
			N Number `json:",omitzero"`
			T Time   `json:",omitzero"`
		}{}, `{}`},
	} {
		for name, encode := range map[string]func(any) ([]byte, error){
			"encoding/json":   json.Marshal,
			"json-experiment": func(v any) ([]byte, error) { return jsonv2.Marshal(v) },
		} {
			got, err := encode(test.v)
			if (err != nil) != (test.want == "") || string(got) != test.want {
				t.Errorf("%s: %#v: got %s, %v, want %s", name, test.v, got, err, test.want)
			}
		}
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		new(Number).UnmarshalJSON([]byte(`"canary"`)), new(Day).UnmarshalJSON([]byte(`"canary"`)),
		new(Time).UnmarshalJSON([]byte(`"canary"`)), new(FormInstant).UnmarshalJSON([]byte(`canary`)),
	} {
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v, want an error without the value", err)
		}
	}
}
