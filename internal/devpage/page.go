package devpage

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/schemas"
)

// Config of a [Page].
type Config struct {
	// Kafka says how to reach the cluster. Required.
	Kafka []kgo.Opt
	// Prefix of the topics.
	Prefix string
	// Publish publishes a request and returns when it is safe. Required. It may
	// be called by several goroutines.
	Publish func(ctx context.Context, e schemas.Event) error
	// Banks to choose from in the start form, the first one preselected.
	Banks []Bank
	// KafkaAddr, SimulatorURL and MetricsURL are shown in the header.
	KafkaAddr, SimulatorURL, MetricsURL string
	// Host is a name, without port, under which the page may be asked for
	// besides those of loopback. Default: none.
	Host string
	// Logger takes what the reader has to say. Default: none.
	Logger *slog.Logger
}

// Bank is one a person can start an import of.
type Bank struct {
	ID   int64
	Name string
}

// Page is the page as an [http.Handler]. It may be asked before, while and after
// [Page.Run] runs; only while it runs does it see anything new.
type Page struct {
	cfg     Config
	now     func() time.Time
	store   *store
	hub     *hub
	pages   map[string]*template.Template // by file name without ending
	handler http.Handler
}

// New returns a page that has seen nothing yet.
func New(cfg Config) *Page {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Page{cfg: cfg, now: time.Now, store: newStore(), hub: newHub(), pages: parsePages()}
	p.handler = p.guard(p.routes())
	return p
}

// ServeHTTP serves the page and what belongs to it.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }
