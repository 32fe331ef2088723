package devpage

import (
	"sync"
	"time"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

const (
	maxImports     = 200
	maxForgotten   = 20_000
	maxDeadLetters = 5 // whose places are kept
)

// reading says how up to date the page is.
type reading int

const (
	readingStarts reading = iota // what is there already is still being read
	readingLive
	readingBroken
)

// store is what the page has seen of the topics: the newest imports, each of
// bounded size. It is safe for concurrent use.
type store struct {
	mu      sync.Mutex // guards all below
	imports map[string]*entry
	reading reading

	// next is the offset after the last record taken in, by partition: reading
	// that starts over skips what came before.
	next map[place]int64

	// forgotten are imports that had to make room, in the order they went. Their
	// late events must not bring half of them back.
	forgotten   []string
	isForgotten map[string]bool // by import id

	dead      []place // of the newest dead letters
	deadTotal int
}

// place is a partition, or with its offset a record.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// changes says what looks different after records were taken in.
type changes struct {
	list    bool
	imports map[string]bool // by import id
}

func newStore() *store {
	return &store{imports: map[string]*entry{}, next: map[place]int64{}, isForgotten: map[string]bool{}}
}

// setReading reports whether that is news.
func (s *store) setReading(r reading) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.reading != r
	s.reading = r
	return news
}

// take takes records in.
func (s *store) take(recs []follow.Record) changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := changes{imports: map[string]bool{}}
	for _, r := range recs {
		partition := place{topic: r.Topic, partition: r.Partition}
		if r.Offset < s.next[partition] {
			continue
		}
		s.next[partition] = r.Offset + 1
		switch {
		case r.Topic == schemas.TopicDeadLetters && r.Redriven:
			// The same one again: it says that it went back.
		case r.Topic == schemas.TopicDeadLetters:
			s.deadTotal++
			s.dead = append(s.dead, place{r.Topic, r.Partition, r.Offset})
			if len(s.dead) > maxDeadLetters {
				s.dead = s.dead[1:]
			}
			c.list = true
		case r.Event != nil && r.Event.Subject() != "":
			s.takeEvent(r, &c)
		}
	}
	return c
}

func (s *store) takeEvent(r follow.Record, c *changes) {
	id := r.Event.Subject()
	e, known := s.imports[id]
	if !known {
		if e = s.add(id, r.Time); e == nil {
			return
		}
	}
	if e.apply(r) || !known {
		c.list = true
	}
	c.imports[id] = true
}

// expect notes a request that was just published, so that its page is there
// before its record comes back.
func (s *store) expect(r schemas.ImportRequested, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.imports[r.ImportID]
	if e == nil {
		e = s.add(r.ImportID, now)
	}
	if e != nil {
		e.ask(r)
	}
}

// add makes room for an import and returns it, or nil if it is an old one that
// had to make room before, or would at once.
func (s *store) add(id string, at time.Time) *entry {
	if s.isForgotten[id] {
		return nil
	}
	e := newEntry(id, at)
	s.imports[id] = e
	if len(s.imports) <= maxImports {
		return e
	}
	oldest := e
	for _, other := range s.imports {
		if other.first.Before(oldest.first) {
			oldest = other
		}
	}
	delete(s.imports, oldest.id)
	s.forget(oldest.id)
	if oldest == e {
		return nil
	}
	return e
}

func (s *store) forget(id string) {
	s.isForgotten[id] = true
	s.forgotten = append(s.forgotten, id)
	if len(s.forgotten) > maxForgotten {
		delete(s.isForgotten, s.forgotten[0])
		s.forgotten = s.forgotten[1:]
	}
}
