package pipeline

import (
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
	for i := range rapid.IntRange(0, 200).Draw(t, "runs") {
		open := rapid.Int64Range(1, 5).Draw(t, "open")
		for j := range open {
			c.unfinished = append(c.unfinished, c.end+j)
		}
		c.end += open
		_ = i
		c.end += rapid.SampledFrom([]int64{1, 2, 127, 128, 129, 16384}).Draw(t, "finished")
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
		"zero run":       {with(5, "AA"), false},
		"cut varint":     {with(5, "gA"), false},
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
