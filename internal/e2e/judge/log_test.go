package judge

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLog_UntilSeesWhatArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newLog(Config{Prefix: "p."}, nil)
		waited := make(chan error)
		go func() {
			waited <- log.Until(t.Context(), "two facts", func() bool { return len(log.Topic("facts")) == 2 })
		}()
		log.add(Record{Topic: "p.facts", Offset: 4})
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatalf("got %v after the first record, want to wait on", err)
		default:
		}
		log.add(Record{Topic: "p.facts", Offset: 9})
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
}

func TestLog_UntilSaysWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	log := newLog(Config{}, nil)
	log.add(Record{Topic: "facts"})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("out of time"))
	err := log.Until(ctx, "the second coming", func() bool { return false })
	for _, want := range []string{"the second coming", "out of time", "facts 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want it to contain %q", err, want)
		}
	}
}

func TestLog_ReaderThatFailsEndsTheWait(t *testing.T) {
	t.Parallel()
	log := newLog(Config{}, nil)
	log.fail(errors.New("gone"))
	log.fail(errors.New("later"))
	err := log.Until(t.Context(), "anything", func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got error %v, want the first failure", err)
	}
}

// A reader that hands out an offset twice would make everything look doubled.
func TestLog_ReaderThatGoesBackIsNoJudge(t *testing.T) {
	t.Parallel()
	log := newLog(Config{}, nil)
	log.add(Record{Topic: "facts", Partition: 1, Offset: 5})
	log.add(Record{Topic: "facts", Partition: 2, Offset: 5})
	log.add(Record{Topic: "other", Partition: 1, Offset: 5})
	if log.err != nil {
		t.Fatalf("three places: got error %v, want none", log.err)
	}
	log.add(Record{Topic: "facts", Partition: 1, Offset: 5})
	if log.err == nil {
		t.Error("the same offset again: got no error, want one")
	}
	if got := len(log.Topic("facts")); got != 2 {
		t.Errorf("got %d records, want 2", got)
	}
}

// A reader that was started anew hands out again what is known, and then goes on.
func TestLog_ReadAgain(t *testing.T) {
	t.Parallel()
	log := newLog(Config{Prefix: "p."}, nil)
	read := func(offsets ...int64) {
		for _, o := range offsets {
			log.add(Record{Topic: "p.facts", Offset: o})
		}
	}
	log.add(Record{Topic: "p.other", Offset: 5})
	read(3, 5, 8)
	log.readAgain("p.facts")
	read(3, 5)
	log.readAgain("p.facts") // before it came as far as the first one
	read(3, 5, 8, 9, 11)
	if got := len(log.Topic("facts")); got != 5 || log.err != nil {
		t.Errorf("got %d records and error %v, want 5 and none", got, log.err)
	}
	log.add(Record{Topic: "p.other", Offset: 5})
	if log.err == nil {
		t.Error("the same offset again of a topic that is not read again: got no error, want one")
	}
}
