package devpage

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/schemas"
)

const (
	maxForm        = 16 << 10
	publishTimeout = 10 * time.Second
)

//go:embed templates assets
var files embed.FS

// parsePages panics on a template that is wrong: they are part of the program.
func parsePages() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, name := range []string{"list", "import", "missing"} {
		all[name] = template.Must(template.ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"))
	}
	return all
}

func (p *Page) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		p.render(w, http.StatusOK, "list", p.list(p.freshForm(r)))
	})
	mux.HandleFunc("GET /imports", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /imports", p.start)
	mux.HandleFunc("GET /imports/{id}", p.showImport)
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { p.stream(w, r, everyImport) })
	mux.HandleFunc("GET /imports/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		if !validID(r.PathValue("id")) {
			p.missing(w)
			return
		}
		p.stream(w, r, r.PathValue("id"))
	})
	mux.Handle("GET /assets/{name}", newAssets())
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { p.missing(w) })
	return mux
}

// freshForm is the start form as a person first sees it.
func (p *Page) freshForm(r *http.Request) formView {
	f := formView{User: "u1"}
	if len(p.cfg.Banks) > 0 {
		f.Bank = strconv.FormatInt(p.cfg.Banks[0].ID, 10)
	}
	if q := r.URL.Query(); q.Has("user") {
		f.User, f.Bank = clip(q.Get("user")), clip(q.Get("bank"))
	}
	return f
}

func (p *Page) showImport(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !validID(id) {
		p.missing(w)
		return
	}
	v, known := p.one(id)
	if !known {
		p.render(w, http.StatusNotFound, "missing", v)
		return
	}
	p.render(w, http.StatusOK, "import", v)
}

func (p *Page) missing(w http.ResponseWriter) {
	p.render(w, http.StatusNotFound, "missing", importView{frame: p.frame("Not found", "", readingLive)})
}

// validID says whether id is written as imports are named.
func validID(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && u.String() == id
}

// start publishes a request and leads to its page.
func (p *Page) start(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read, or is too large", http.StatusBadRequest)
		return
	}
	form := formView{User: strings.TrimSpace(r.PostForm.Get("user")), Bank: strings.TrimSpace(r.PostForm.Get("bank"))}
	req := schemas.ImportRequested{ImportID: uuid.NewString(), UserID: form.User, RequestedAt: schemas.At(p.now())}
	if form.Bank != "" {
		id, err := strconv.ParseInt(form.Bank, 10, 64)
		if err != nil || id < 1 {
			form.Problems = append(form.Problems, "bank: must be the id of a bank, a number from 1 on")
		}
		req.BankID = max(id, 0)
	}
	form.Problems = append(form.Problems, problemsOf(req.Validate())...)
	if len(form.Problems) > 0 {
		p.render(w, http.StatusUnprocessableEntity, "list", p.list(form))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishTimeout)
	defer cancel()
	if err := p.cfg.Publish(ctx, req); err != nil {
		p.cfg.Logger.Error("import not requested", "import_id", req.ImportID, "err", err)
		form.Problems = []string{"Kafka did not take the request, so nothing was started. Try again; the log says more."}
		p.render(w, http.StatusServiceUnavailable, "list", p.list(form))
		return
	}
	p.store.expect(req, p.now())
	p.hub.tell(changes{list: true, imports: map[string]bool{req.ImportID: true}})
	http.Redirect(w, r, "/imports/"+req.ImportID, http.StatusSeeOther)
}

// problemsOf puts what is wrong with a request into the words of the form.
func problemsOf(err error) []string {
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*schemas.InvalidError](err)
	if !ok {
		return []string{err.Error()}
	}
	var all []string
	for _, pr := range invalid.Problems {
		name := pr.Field
		switch name {
		case "user_id":
			name = "user"
		case "bank_id":
			name = "bank"
		}
		all = append(all, name+": "+pr.Rule)
	}
	return all
}

// render writes a whole page or, if it cannot be rendered, none of it.
func (p *Page) render(w http.ResponseWriter, status int, name string, view any) {
	var b bytes.Buffer
	if err := p.pages[name].ExecuteTemplate(&b, "layout.html", view); err != nil {
		p.cfg.Logger.Error("page not rendered", "page", name, "err", err)
		http.Error(w, "this page could not be rendered; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}
