package pipeline

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var testTopicID = [16]byte{1, 2, 3, 15: 16}

func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := keyState{
			changed:     time.UnixMilli(rapid.Int64Range(1, 1<<43).Draw(t, "changed")),
			cause:       rapid.String().Draw(t, "cause"),
			traceparent: rapid.String().Draw(t, "traceparent"),
		}
		if rapid.Bool().Draw(t, "timer") {
			want.wake = time.UnixMilli(rapid.Int64Range(1, 1<<43).Draw(t, "wake"))
		}
		if rapid.Bool().Draw(t, "has value") {
			want.value = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "value")...)
		}
		b := want.encode(testTopicID)
		got, err := decodeState(b, testTopicID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.wake.Equal(want.wake) || !got.changed.Equal(want.changed) || got.cause != want.cause || got.traceparent != want.traceparent ||
			!bytes.Equal(got.value, want.value) || (got.value == nil) != (want.value == nil) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		cut := len(b) - len(want.value) - 1
		if _, err := decodeState(b[:rapid.IntRange(0, cut).Draw(t, "cut")], testTopicID); err == nil {
			t.Fatal("a truncated record was accepted")
		}
	})
}

func TestStateNext(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_000_000)
	later := now.Add(time.Hour)
	old := keyState{value: []byte("old"), wake: later, changed: now.Add(-time.Hour), cause: "c0"}
	for name, c := range map[string]struct {
		r       Result
		timer   bool
		value   string
		none    bool
		wake    time.Time
		changed bool
	}{
		"nothing leaves all":          {Result{}, false, "old", false, later, false},
		"a timer that fired is gone":  {Result{}, true, "old", false, time.Time{}, true},
		"state only keeps the timer":  {Result{State: SetState([]byte("new"))}, false, "new", false, later, true},
		"clear state keeps the timer": {Result{State: ClearState()}, false, "", true, later, true},
		"clear wake keeps the state":  {Result{Wake: ClearWake()}, false, "old", false, time.Time{}, true},
		"wake again":                  {Result{Wake: WakeAt(now)}, true, "old", false, now, true},
		"an empty state is a state":   {Result{State: SetState(nil)}, false, "", false, later, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, changed := old.next(c.r, c.timer, "c1", "", now)
			if changed != c.changed || string(got.value) != c.value || (got.value == nil) != c.none || !got.wake.Equal(c.wake) {
				t.Errorf("got %+v changed %v, want %+v", got, changed, c)
			}
			if changed && (got.cause != "c1" || !got.changed.Equal(now)) {
				t.Errorf("cause %q changed at %v, want c1 at %v", got.cause, got.changed, now)
			}
		})
	}
}
