package devpage

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"github.com/bankimport/bankimport/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time it is on the pages of most tests.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// newPage returns a page at noon that has read everything there is.
func newPage(change ...func(*Config)) *Page {
	cfg := Config{
		Banks:     []Bank{{280001, "finAPI Test Bank"}, {280002, "Sparkasse Musterstadt"}},
		KafkaAddr: "127.0.0.1:9092", SimulatorURL: "http://127.0.0.1:8081", MetricsURL: "http://127.0.0.1:9090/metrics",
		Publish: func(context.Context, schemas.Event) error { return nil },
	}
	for _, f := range change {
		f(&cfg)
	}
	p := New(cfg)
	p.now = func() time.Time { return noon }
	p.store.setReading(readingLive)
	return p
}

// sampled returns a page that has seen all samples.
func sampled() *Page {
	p := newPage()
	fillSamples(p.store, noon)
	return p
}

// get asks for a path as a browser on this machine does.
func get(t *testing.T, p *Page, path string) *httptest.ResponseRecorder {
	t.Helper()
	return send(p, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8080"+path, nil))
}

func send(p *Page, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// parsed is a page as a browser sees it.
type parsed struct {
	t    *testing.T
	root *html.Node
}

func parse(t *testing.T, body string) parsed {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return parsed{t, root}
}

// all returns the elements that a function chooses.
func (p parsed) all(choose func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && choose(n) {
			found = append(found, n)
		}
	}
	return found
}

func (p parsed) byTag(tag string) []*html.Node {
	return p.all(func(n *html.Node) bool { return n.Data == tag })
}

func (p parsed) byClass(class string) []*html.Node {
	return p.all(func(n *html.Node) bool { return slices.Contains(strings.Fields(attr(n, "class")), class) })
}

// byID returns the one element with an id.
func (p parsed) byID(id string) *html.Node {
	p.t.Helper()
	found := p.all(func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) != 1 {
		p.t.Fatalf("got %d elements with id %q, want 1", len(found), id)
	}
	return found[0]
}

// text returns what can be read in an element, with single spaces.
func (p parsed) text(n *html.Node) string {
	var b strings.Builder
	read(&b, n)
	return strings.Join(strings.Fields(b.String()), " ")
}

func read(b *strings.Builder, n *html.Node) {
	for c := range n.ChildNodes() {
		switch {
		case c.Type == html.TextNode:
			b.WriteString(c.Data)
		case c.Type == html.ElementNode && !hasAttr(c, "hidden"):
			read(b, c)
			if !inline[c.Data] {
				b.WriteByte(' ')
			}
		}
	}
}

// inline are elements that stand in a line without space around them.
var inline = map[string]bool{"a": true, "code": true, "span": true, "strong": true, "time": true}

// texts returns the texts of elements.
func (p parsed) texts(nodes []*html.Node) []string {
	all := make([]string, len(nodes))
	for i, n := range nodes {
		all[i] = p.text(n)
	}
	return all
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// wants checks that texts can be read on the page, and others cannot.
func (p parsed) wants(want, not []string) {
	p.t.Helper()
	all := p.text(p.root)
	for _, w := range want {
		if !strings.Contains(all, w) {
			p.t.Errorf("the page does not say %q; it says:\n%s", w, all)
		}
	}
	for _, w := range not {
		if strings.Contains(all, w) {
			p.t.Errorf("the page says %q; all of it:\n%s", w, all)
		}
	}
}
