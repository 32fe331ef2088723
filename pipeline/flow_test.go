package pipeline

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPauseAndResumeDoNotOvertake: the poll decides that a partition can take no
// more while a commit decides that it can again. If the pause reached the client
// behind the resume, nobody would fetch from the partition any more.
func TestPauseAndResumeDoNotOvertake(t *testing.T) {
	t.Parallel()
	cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"), kgo.ConsumeTopics("in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	s := &session{topic: "in", consumer: cl, tracker: newTracker(limits{records: 1})}
	paused := func() int { return len(cl.PauseFetchPartitions(nil)["in"]) }

	deciding, decide, resumed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.flow(func() (start []*job, pause, resume []int32) {
			close(deciding)
			<-decide
			return nil, []int32{0}, nil
		})
	}()
	<-deciding
	go func() {
		defer close(resumed)
		s.flow(func() (start []*job, pause, resume []int32) { return nil, nil, []int32{0} })
	}()
	select {
	case <-resumed:
		t.Error("a resume was decided between a pause and its effect")
	case <-time.After(50 * time.Millisecond): // nothing else tells that it waits
	}
	close(decide)
	<-done
	<-resumed
	if n := paused(); n != 0 {
		t.Errorf("%d partitions remain paused", n)
	}
}
