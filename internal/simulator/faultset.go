package simulator

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// target is what a fault may hit.
type target struct {
	user      string // "": nobody in particular
	bank      int64  // 0: none
	operation string // "": no call

	connection int64 // that the call is about; 0: none in particular
	account    int64 // likewise
}

func (s Scope) has(t target) bool {
	return (s.User == "" || strings.EqualFold(s.User, t.user)) && (s.Bank == 0 || s.Bank == t.bank)
}

// narrowness sorts what is meant for few before what is meant for all.
func (s Scope) narrowness() int {
	n := 0
	if s.User != "" {
		n += 2
	}
	if s.Bank != 0 {
		n++
	}
	return n
}

// faultSet is the faults that are on. It is safe for concurrent use and costs
// next to nothing while it is empty.
type faultSet struct {
	n atomic.Int64 // of those that are on

	mu   sync.Mutex
	on   []*activeFault // narrow ones first
	hits map[string]int // by name, of all time
}

type activeFault struct {
	fault      Fault
	asked, hit int
	due        float64 // what share has added up to
}

// set switches a fault on. It replaces one of the same name and scope.
func (s *faultSet) set(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(f.Name, f.Scope)
	s.on = append(s.on, &activeFault{fault: f})
	slices.SortStableFunc(s.on, func(a, b *activeFault) int {
		return cmp.Compare(b.fault.Scope.narrowness(), a.fault.Scope.narrowness())
	})
	s.n.Store(int64(len(s.on)))
}

// clear switches a fault off and reports whether it was on.
func (s *faultSet) clear(name string, scope Scope) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(name, scope)
}

func (s *faultSet) remove(name string, scope Scope) bool {
	before := len(s.on)
	s.on = slices.DeleteFunc(s.on, func(a *activeFault) bool {
		return a.fault.Name == name && a.fault.Scope.Bank == scope.Bank && strings.EqualFold(a.fault.Scope.User, scope.User)
	})
	s.n.Store(int64(len(s.on)))
	return len(s.on) != before
}

func (s *faultSet) clearAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = nil
	s.n.Store(0)
}

func (s *faultSet) none() bool { return s.n.Load() == 0 }

// take asks whether a fault hits now, and counts it. The fault that it gives has
// all its values.
func (s *faultSet) take(k *faultKind, t target) (f Fault, hit bool) {
	if s.none() {
		return Fault{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.on {
		if a.fault.Name != k.name || !a.fault.Scope.has(t) {
			continue
		}
		f := a.fault.filled(k.standard)
		if f.Operation != "" && f.Operation != t.operation || !a.strikes(f) {
			continue
		}
		if s.hits == nil {
			s.hits = make(map[string]int)
		}
		s.hits[k.name]++
		if f.Count > 0 && a.hit >= f.Count {
			s.remove(a.fault.Name, a.fault.Scope)
		}
		return f, true
	}
	return Fault{}, false
}

// strikes counts that the fault could hit and reports whether it does.
func (a *activeFault) strikes(f Fault) bool {
	if a.asked++; a.asked <= f.After {
		return false
	}
	if f.Share > 0 {
		if a.due += f.Share; a.due < 1-1e-9 {
			return false
		}
		a.due--
	}
	a.hit++
	return true
}

// FaultState is a fault that is on.
type FaultState struct {
	Fault Fault
	Hits  int
}

func (s *faultSet) states() []FaultState {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]FaultState, 0, len(s.on))
	for _, a := range s.on {
		all = append(all, FaultState{a.fault, a.hit})
	}
	slices.SortStableFunc(all, func(a, b FaultState) int { return cmp.Compare(a.Fault.Name, b.Fault.Name) })
	return all
}

// counts are the hits of all time by name, nil for none.
func (s *faultSet) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hits) == 0 {
		return nil
	}
	all := make(map[string]int, len(s.hits))
	maps.Copy(all, s.hits)
	return all
}

// SetFault switches a fault on. It replaces one of the same name and scope, with
// its count of hits. It fails on a fault that makes no sense.
func (s *Simulator) SetFault(f Fault) error {
	if err := f.Validate(); err != nil {
		return err
	}
	s.faults.set(f)
	s.changed()
	return nil
}

// ClearFault switches the fault of this name and scope off and reports whether it
// was on. What it has done stays done.
func (s *Simulator) ClearFault(name string, scope Scope) bool {
	defer s.changed()
	return s.faults.clear(name, scope)
}

// ClearFaults switches all faults off.
func (s *Simulator) ClearFaults() {
	s.faults.clearAll()
	s.changed()
}

// Faults are those that are on, by name.
func (s *Simulator) Faults() []FaultState { return s.faults.states() }

// hits asks whether a fault hits now. It may be called with the mutex or without.
func (s *Simulator) hits(k *faultKind, t target) (Fault, bool) {
	f, hit := s.faults.take(k, t)
	if hit {
		s.changed()
		s.log.Debug("fault hits", "fault", f.Name, "user", t.user, "bank", t.bank, "operation", t.operation)
	}
	return f, hit
}
