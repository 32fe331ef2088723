package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// Simulator plays the provider. It is an [http.Handler] and safe for concurrent
// use. Close ends it.
type Simulator struct {
	config   Config
	clock    Clock
	log      *slog.Logger
	handler  http.Handler
	pages    *pages
	data     *bankdata.Generator
	agenda   *agenda
	courier  *courier
	calls    callCounter
	faults   faultSet
	kinds    []*faultKind  // all that there are
	changes  atomic.Uint64 // counts what a page about everything would show differently
	watchers atomic.Int64  // pages that are kept up to date

	stop context.CancelFunc
	done <-chan struct{} // closed by stop
	wait sync.WaitGroup

	mu          sync.Mutex // guards what follows, and everything that hangs on it
	catalogue   bankdata.Catalogue
	users       map[string]*user  // by id in lower case
	client      *token            // nil before the first login
	tokens      map[string]*token // by the token itself
	forms       map[string]*form  // by id
	open        int               // forms that are not final
	finished    []*form           // in the order in which they ended; some may have been deleted
	connections map[int64]*connection
	accounts    map[int64]*account // of those connections
	oldest      []*connection      // in the order of their making; some may be gone
	tasks       map[string]*task   // by id
	running     []*task            // in the order of their making; the others are final
	settled     []*task            // in the order in which they ended; some may be gone
	lastID      int64
}

// firstID is beyond 32 bits, as a client must not rely on small ids.
const firstID = 4_800_000_000

// New returns a simulator that serves right away. It fails on an invalid
// configuration.
func New(config Config) (*Simulator, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	config = config.withDefaults()
	pages, err := newPages()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Simulator{
		config: config, clock: config.Clock, log: config.Logger, pages: pages,
		data:   bankdata.NewGenerator(config.Seed),
		agenda: newAgenda(config.Clock), courier: newCourier(config),
		stop: stop, done: ctx.Done(),
		users: make(map[string]*user), tokens: make(map[string]*token),
		forms: make(map[string]*form), tasks: make(map[string]*task), connections: make(map[int64]*connection), accounts: make(map[int64]*account),
		lastID: firstID, kinds: faultKinds(),
	}
	for _, f := range append(modeFaults(config.Callbacks), config.Faults...) {
		s.faults.set(f)
	}
	for _, b := range append(bankdata.TestBanks(), config.Banks...) {
		if err := s.AddBank(b); err != nil {
			stop()
			return nil, err
		}
	}
	s.handler = s.routes()
	s.wait.Go(func() { s.agenda.run(ctx) })
	for range config.CallbackWorkers {
		s.wait.Go(func() { s.courier.work(ctx) })
	}
	return s, nil
}

// ServeHTTP serves both APIs, the web forms and the front page.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close ends everything that runs in the background and waits for it. Callbacks
// that have not left yet are lost. Requests that are being served are not
// interrupted: shut the server down for that, before or after, but let Close come
// first where live pages may be open, as those only end with it.
func (s *Simulator) Close() error {
	s.stop()
	s.wait.Wait()
	s.courier.close()
	return nil
}

// AddBank puts a bank into the catalogue. It fails when the bank makes no sense
// or its id is taken.
func (s *Simulator) AddBank(b Bank) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.catalogue.Add(b); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	s.changed()
	return nil
}

// Banks are the banks that users can connect, by id.
func (s *Simulator) Banks() []Bank {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.catalogue.Search("")
}

// SetCallbacks switches the faults of a mode on and those of the others off.
func (s *Simulator) SetCallbacks(mode CallbackMode) error {
	if mode == "" || !validMode(mode) {
		return errors.New("simulator: callbacks: want deliver, drop or double")
	}
	s.faults.clear(callbackLost, Scope{})
	s.faults.clear(callbackRepeated, Scope{})
	for _, f := range modeFaults(mode) {
		s.faults.set(f)
	}
	s.changed()
	return nil
}

const (
	callbackLost     = "callback-lost"
	callbackRepeated = "callback-repeated"
)

// modeFaults are what a mode of callbacks is short for.
func modeFaults(mode CallbackMode) []Fault {
	switch mode {
	case DropCallbacks:
		return []Fault{{Name: callbackLost}}
	case DoubleCallbacks:
		return []Fault{{Name: callbackRepeated}}
	default:
		return nil
	}
}

// changed tells pages that are open that there is something new.
func (s *Simulator) changed() { s.changes.Add(1) }

// id is a new one. The caller holds the mutex.
func (s *Simulator) id() int64 {
	s.lastID++
	return s.lastID
}

// ids are n new ones in a row, with some space behind them. The caller holds the
// mutex.
func (s *Simulator) ids(n int) (first int64) {
	first = s.lastID + 1
	s.lastID += int64(n) + 1000
	return first
}

// day is the calendar day of a time at the banks. A fixed offset: the simulator
// must not depend on a time zone database, and an hour in summer does not matter.
func day(t time.Time) time.Time { return t.In(bankTime()) }

func bankTime() *time.Location { return time.FixedZone("CET", 3600) }
