package pipeline

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawCompletion makes any completion that the tracker can be in.
func drawCompletion(t *rapid.T) completion {
	base := rapid.Int64Range(0, 1<<40).Draw(t, "base")
	c := completion{base: base, end: base}
	finished := []int64{1, 2, 127, 128, 129, 16384} // what a run length makes of them
	if rapid.Bool().Draw(t, "dense") {
		finished = []int64{1, 2, 3} // bits are shorter
	}
	for range rapid.IntRange(0, 200).Draw(t, "runs") {
		open := rapid.Int64Range(1, 5).Draw(t, "open")
		for j := range open {
			c.unfinished = append(c.unfinished, c.end+j)
		}
		c.end += open
		c.end += rapid.SampledFrom(finished).Draw(t, "finished")
	}
	return c
}

func TestMetadataRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := metadata{instance: "i-1", seq: "abc-7", topicID: [16]byte{1, 2, 3}, done: drawCompletion(t)}
		s, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeMetadata(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.instance != want.instance || got.seq != want.seq || got.topicID != want.topicID ||
			got.done.base != want.done.base || got.done.end != want.done.end || !slices.Equal(got.done.unfinished, want.done.unfinished) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// TestMapBound finishes records in a random order and checks that the map
// never takes more than admission was promised.
func TestMapBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawCompletion(t)
		n, w := len(c.unfinished), c.end-c.base
		for len(c.unfinished) > 0 {
			s, err := metadata{done: c}.encode()
			if err != nil {
				t.Fatal(err)
			}
			b := s[strings.LastIndexByte(s, '|')+1:]
			if got, want := len(b)*3/4, mapBound(n, w); got > want {
				t.Fatalf("map of %d unfinished in %d takes %d bytes, bound %d", n, w, got, want)
			}
			i := rapid.IntRange(0, len(c.unfinished)-1).Draw(t, "finish")
			c.unfinished = slices.Delete(c.unfinished, i, i+1)
			if len(c.unfinished) > 0 {
				c.base = c.unfinished[0]
			}
		}
	})
}

// The shorter form is taken: neither alone would do for both.
func TestMapTakesTheShorterForm(t *testing.T) {
	t.Parallel()
	var dense, sparse completion
	for i := range int64(10_000) {
		dense.unfinished = append(dense.unfinished, 2*i)
	}
	dense.end = 20_000
	for i := range int64(1000) {
		sparse.unfinished = append(sparse.unfinished, i*1000)
	}
	sparse.end = 1_000_000
	for name, c := range map[string]struct {
		done  completion
		bytes int
	}{"every second of 20,000": {dense, 1 + 3 + 2500}, "a thousand in a million": {sparse, 1 + 1000 + 2*1000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := metadata{done: c.done}.encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := decodeMetadata(text)
			if err != nil || !slices.Equal(back.done.unfinished, c.done.unfinished) || back.done.end != c.done.end {
				t.Fatalf("it comes back as %d to %d with %d unfinished, %v", back.done.base, back.done.end, len(back.done.unfinished), err)
			}
			if got := len(text[strings.LastIndexByte(text, '|')+1:]) * 3 / 4; got != c.bytes {
				t.Errorf("the map takes %d bytes, want %d", got, c.bytes)
			}
		})
	}
}

func TestDecodeMetadataRefuses(t *testing.T) {
	t.Parallel()
	good, err := metadata{instance: "i", seq: "s", done: completion{base: 3, end: 9, unfinished: []int64{3, 7}}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Split(good, "|")
	with := func(i int, s string) string {
		g := slices.Clone(f)
		g[i] = s
		return strings.Join(g, "|")
	}
	form := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		text    string
		foreign bool
	}{
		"empty":          {"", true},
		"of another":     {"my own notes", true},
		"newer version":  {with(0, "pipeline/2"), false},
		"field missing":  {strings.Join(f[:5], "|"), false},
		"base":           {with(3, "x"), false},
		"negative base":  {with(3, "-1"), false},
		"topic id":       {with(4, "AAAA"), false},
		"map not base64": {with(5, "*"), false},
		"unknown form":   {with(5, form("x")), false},
		"zero run":       {with(5, form("r\x00")), false},
		"cut varint":     {with(5, form("r\x80")), false},
		"bits missing":   {with(5, form("b\x09\x01")), false},
		"bits too many":  {with(5, form("b\x08\x01\x01")), false},
		"endless bits":   {with(5, form("b\xff\xff\xff\xff\x0f\x01")), false},
		"no length":      {with(5, form("b")), false},
		"base finished":  {with(5, form("b\x08\x02")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeMetadata(c.text)
			if err == nil || errors.Is(err, errForeignMetadata) != c.foreign {
				t.Errorf("decodeMetadata(%q) = %v, foreign want %v", c.text, err, c.foreign)
			}
		})
	}
}
