package config

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
)

// Origin is where the value of a setting came from.
type Origin string

// The origins.
const (
	FromDefault     Origin = "default"
	FromEnvironment Origin = "environment"
	FromFile        Origin = "file"
)

// Load reads the configuration from variables "NAME=value", as os.Environ
// gives them; where one name occurs twice the last one counts. Settings that
// none of the needed parts uses may be missing; their secrets are not read.
//
// The error is an *[Error] with everything that is wrong. The Config returned
// beside it is as complete as can be, for printing.
func Load(environ []string, need Need) (Config, error) {
	settings := Settings()
	vars := variables(environ)
	var wrong problems

	values, origin := collect(vars, settings, need, &wrong)
	cfg := decode(values, origin, settings, &wrong)
	checkBounds(&cfg, settings, &wrong)
	checkRequired(origin, settings, need, &wrong)
	cfg.check(&wrong)

	all := append(wrong.list(settings), unknown(vars, settings)...)
	if len(all) > 0 {
		return cfg, &Error{Problems: all}
	}
	return cfg, nil
}

// variables returns our variables by name. Empty ones count as not set: that
// is what templates make of a value they do not have.
func variables(environ []string) map[string]string {
	vars := make(map[string]string)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) {
			continue
		}
		delete(vars, name)
		if value != "" {
			vars[name] = value
		}
	}
	return vars
}

// collect returns the texts of the settings by name, those in files included,
// and where each is from.
func collect(vars map[string]string, settings []Setting, need Need, wrong *problems) (values map[string]string, origin map[string]Origin) {
	values, origin = make(map[string]string), make(map[string]Origin)
	for _, s := range settings {
		value, set := vars[s.Name]
		if !s.File {
			if set {
				values[s.Name], origin[s.Name] = value, FromEnvironment
			}
			continue
		}
		path, inFile := vars[s.FileName()]
		switch {
		case set && inFile:
			wrong.addf(s.Name, "and %s are both set: keep one of them", s.FileName())
			continue
		case !s.usedBy(need):
			continue
		case !set && !inFile:
			continue
		}
		from := FromEnvironment
		if inFile {
			text, err := readFile(path)
			if err != nil {
				wrong.addf(s.Name, "cannot be read: %s %v", s.FileName(), err)
				continue
			}
			value, from = text, FromFile
		}
		if s.Secret {
			value = strings.TrimRight(value, "\r\n")
			if problem := secretProblem(value); problem != "" {
				wrong.addf(s.Name, "%s", problem)
				continue
			}
		}
		values[s.Name], origin[s.Name] = value, from
	}
	return values, origin
}

// decode writes the texts, or the defaults, into a Config. One that cannot be
// read is a problem, is taken out of values and origin and leaves the default.
func decode(values map[string]string, origin map[string]Origin, settings []Setting, wrong *problems) Config {
	for {
		cfg := Config{origin: origin}
		// The decoder stops at the first text it cannot read, and its error
		// may quote it. So remember what it asked for last, take that away and
		// begin again: in the end everything is decoded and every problem known.
		last := ""
		err := envconfig.ProcessWith(context.Background(), &envconfig.Config{
			Target: &cfg,
			Lookuper: envconfig.LookuperFunc(func(key string) (string, bool) {
				last = Prefix + key
				value, set := values[last]
				return value, set
			}),
		})
		if err == nil {
			return cfg
		}
		value, set := values[last]
		if !set {
			panic("config: the default of " + last + ": " + err.Error())
		}
		for _, s := range settings {
			if s.Name == last {
				wrong.addf(last, "is %q: want %s", bounded(value), s.want())
			}
		}
		delete(values, last)
		delete(origin, last)
	}
}

// checkBounds compares with the min, max and oneof tags.
func checkBounds(cfg *Config, settings []Setting, wrong *problems) {
	for _, s := range settings {
		field := s.field(cfg)
		switch {
		case s.min != "":
			if n := field.Int(); n < bound(field.Type(), s.min) || n > bound(field.Type(), s.max) {
				wrong.addf(s.Name, "is %s: want %s to %s", show(field), s.min, s.max)
			}
		case s.oneof != nil:
			if !slices.Contains(s.oneof, field.String()) {
				wrong.addf(s.Name, "is %q: want one of %s", bounded(field.String()), strings.Join(s.oneof, ", "))
			}
		}
	}
}

// bound reads the text of a min or max tag.
func bound(t reflect.Type, text string) int64 {
	var n int64
	var err error
	if t == reflect.TypeFor[time.Duration]() {
		var d time.Duration
		d, err = time.ParseDuration(text)
		n = int64(d)
	} else {
		n, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		panic("config: a min or max tag: " + err.Error())
	}
	return n
}

// bounded cuts a text that is quoted in a problem.
func bounded(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func checkRequired(origin map[string]Origin, settings []Setting, need Need, wrong *problems) {
	for _, s := range settings {
		if _, set := origin[s.Name]; s.required && s.usedBy(need) && !set && !wrong.has(s.Name) {
			also := ""
			if s.File {
				also = ", nor is " + s.FileName()
			}
			wrong.addf(s.Name, "is not set%s: %s", also, s.Description)
		}
	}
}
