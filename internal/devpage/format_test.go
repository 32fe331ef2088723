package devpage

import (
	"strings"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ got, want string }{
		"ago: the future":        {agoText(-time.Minute), "just now"},
		"ago: now":               {agoText(999 * time.Millisecond), "just now"},
		"ago: seconds":           {agoText(59*time.Second + 999*time.Millisecond), "59 s ago"},
		"ago: minutes":           {agoText(90 * time.Second), "1 min ago"},
		"ago: hours":             {agoText(47 * time.Hour), "47 h ago"},
		"ago: days":              {agoText(49 * time.Hour), "2 days ago"},
		"in: the past":           {inText(-time.Hour), "now"},
		"in: minutes":            {inText(20 * time.Minute), "in 20 min"},
		"took: backwards":        {took(-time.Second), ""},
		"took: tenths":           {took(3240 * time.Millisecond), "3.2 s"},
		"took: seconds":          {took(38 * time.Second), "38 s"},
		"took: minutes":          {took(125 * time.Second), "2 min 5 s"},
		"took: hours":            {took(2*time.Hour + 3*time.Minute), "2 h 3 min"},
		"money: one digit":       {money("4321.5"), "4,321.50"},
		"money: whole":           {money("1000000"), "1,000,000.00"},
		"money: negative":        {money("-13587.10"), "−13,587.10"},
		"money: many digits":     {money("0.12345"), "0.12345"},
		"money: not a number":    {money("1e5"), "1e5"},
		"money: nothing":         {money(""), ""},
		"money: only a sign":     {money("-"), "-"},
		"money: no whole":        {money(".5"), ".5"},
		"count: none":            {count(0, "account"), "0 accounts"},
		"count: one":             {count(1, "account"), "1 account"},
		"count: many":            {count(1612, "transaction"), "1,612 transactions"},
		"thousands: negative":    {thousands(-1000), "−1,000"},
		"IBAN":                   {groupedIBAN("DE89370400440532013000"), "DE89 3704 0044 0532 0130 00"},
		"IBAN: none":             {groupedIBAN(""), ""},
		"clip: short":            {clip("short"), "short"},
		"clip: long":             {clip(strings.Repeat("x", 161)), strings.Repeat("x", 160) + "…"},
		"clip: 160 of two bytes": {clip(strings.Repeat("ü", 160)), strings.Repeat("ü", 160)},
		"clip: 161 of two bytes": {clip(strings.Repeat("ü", 161)), strings.Repeat("ü", 160) + "…"},
		"web URL":                {webURL("https://bank.example/form?x=1"), "https://bank.example/form?x=1"},
		"web URL: script":        {webURL("javascript:alert(1)"), ""},
		"web URL: data":          {webURL("data:text/html,x"), ""},
		"web URL: no host":       {webURL("http:///x"), ""},
		"web URL: a path":        {webURL("/wf/1"), ""},
		"web URL: nonsense":      {webURL("http://[::1"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.got != tc.want {
				t.Errorf("got %q, want %q", tc.got, tc.want)
			}
		})
	}
}

func TestIdentOf(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]ident{
		"":                                     {},
		"0123456789abcdef":                     {Full: "0123456789abcdef", Head: "0123456789abcdef"},
		"0123456789abcdefg":                    {"0123456789abcdefg", "01234567", "89abc", "defg"},
		"00000000-0000-4000-8000-00000000a001": {"00000000-0000-4000-8000-00000000a001", "00000000", "-0000-4000-8000-00000000", "a001"},
	} {
		if got := identOf(id); got != want {
			t.Errorf("%q: got %+v, want %+v", id, got, want)
		}
	}
}

func TestMoment_OfNoTimeIsNone(t *testing.T) {
	t.Parallel()
	if got := until(noon, time.Time{}); got != (moment{}) {
		t.Errorf("got %+v, want none", got)
	}
	got := until(noon, noon.Add(90*time.Second))
	if got.Exact != "2026-01-31T12:01:30Z" || got.Text != "in 1 min" || got.Kind != "in" || got.Title == "" {
		t.Errorf("got %+v", got)
	}
}
