package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// frontFaults is what the front page shows of faults.
type frontFaults struct {
	On     []frontFault
	Groups []faultGroup
	Users  []string // that can be picked
}

type frontFault struct {
	Spec, What string
	Off        string // what switches it off
	Hits       int
}

type faultGroup struct {
	Name, Slug string
	Open       bool
	OnCount    int
	Kinds      []frontKind
	// What somebody typed that made no sense, and why.
	Problem, Scope, Params string
}

type frontKind struct {
	FaultKind
	On  bool // for somebody
	All bool // for all
}

// viewOfFaults shows all faults. The problem is about what was posted last.
func (s *Simulator) viewOfFaults(open string, problem error, posted url.Values) frontFaults {
	var v frontFaults
	on, all := make(map[string]bool), make(map[string]bool) // by name
	for _, state := range s.Faults() {
		f := state.Fault
		on[f.Name], all[f.Name] = true, all[f.Name] || f.Scope == Scope{}
		v.On = append(v.On, frontFault{Spec: f.String(), What: kindOf(f.Name).what, Off: f.Name + f.Scope.String(), Hits: state.Hits})
	}
	for _, k := range faultKinds() {
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Name != k.group {
			v.Groups = append(v.Groups, faultGroup{Name: k.group, Slug: slug(k.group), Open: slug(k.group) == open})
		}
		g := &v.Groups[len(v.Groups)-1]
		g.Kinds = append(g.Kinds, frontKind{FaultKind: k.described(), On: on[k.name], All: all[k.name]})
		if on[k.name] {
			g.OnCount++
		}
		if problem != nil && k.name == posted.Get("on") {
			g.Open, g.Problem, g.Scope, g.Params = true, problem.Error(), posted.Get("scope"), posted.Get("params")
		}
	}
	return v
}

func slug(group string) string { return strings.ReplaceAll(strings.ToLower(group), " ", "-") }

// usersShown are the users on the page, to pick one from.
func (v front) usersShown() []string {
	var users []string
	for _, f := range v.Forms {
		users = append(users, f.User)
	}
	for _, c := range v.Connections {
		users = append(users, c.User)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// switchFaults is POST /faults, for the front page and for programs:
//
//	fault=SPEC                            switch on; may be repeated
//	on=NAME&params=KEY=VALUE,…&scope=@…   the same in parts
//	off=NAME[@…]                          switch off; "all" for all
//
// It changes all or nothing.
func (s *Simulator) switchFaults(w http.ResponseWriter, r *http.Request) {
	if !parseFields(w, r) {
		return
	}
	err := s.applyFaults(r.PostForm)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.answerFaults(w, err)
		return
	}
	if err != nil {
		v := s.viewOfFront("")
		v.Faults = s.viewOfFaults("", err, r.PostForm)
		v.Faults.Users = v.usersShown()
		s.show(w, http.StatusUnprocessableEntity, "front", v)
		return
	}
	to := "/#faults"
	if k := kindOf(nameOf(r.PostForm)); k != nil && r.URL.Query().Get("from") == "group" {
		to = "/?group=" + slug(k.group) + "#faults-" + slug(k.group)
	}
	pageHeaders(w.Header())
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func nameOf(posted url.Values) string {
	name, _, _ := strings.Cut(posted.Get("on")+posted.Get("off"), "@")
	return name
}

func (s *Simulator) applyFaults(posted url.Values) error {
	specs := slices.Clone(posted["fault"])
	if on := posted.Get("on"); on != "" {
		if params := strings.TrimSpace(posted.Get("params")); params != "" {
			on += ":" + params
		}
		specs = append(specs, on+posted.Get("scope"))
	}
	var faults []Fault
	for _, spec := range specs {
		f, err := ParseFault(spec)
		if err != nil {
			return err
		}
		faults = append(faults, f)
	}
	var off []Fault
	for _, spec := range posted["off"] {
		if spec == "all" {
			continue
		}
		f, err := ParseFault(spec)
		if err != nil {
			return err
		}
		off = append(off, f)
	}
	if slices.Contains(posted["off"], "all") {
		s.faults.clearAll()
	}
	for _, f := range off {
		s.ClearFault(f.Name, f.Scope)
	}
	for _, f := range faults {
		s.faults.set(f)
	}
	s.changed()
	return nil
}

// faultsDocument is /faults.json.
type faultsDocument struct {
	On    []faultOn      `json:"on"`
	Hits  map[string]int `json:"hits"` // since the start, by name
	Known []FaultKind    `json:"known"`
	Error string         `json:"error,omitempty"`
}

type faultOn struct {
	Fault string `json:"fault"`
	Hits  int    `json:"hits"`
}

// listFaults is GET /faults.json.
func (s *Simulator) listFaults(w http.ResponseWriter, _ *http.Request) { s.answerFaults(w, nil) }

func (s *Simulator) answerFaults(w http.ResponseWriter, problem error) {
	d := faultsDocument{On: []faultOn{}, Hits: s.faults.counts(), Known: FaultKinds()}
	for _, state := range s.Faults() {
		d.On = append(d.On, faultOn{state.Fault.String(), state.Hits})
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if problem != nil {
		d.Error = problem.Error()
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		s.log.Debug("list of faults was not read to its end", "err", err)
	}
}
