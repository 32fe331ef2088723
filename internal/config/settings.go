package config

import (
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/secret"
)

// Setting is one variable.
type Setting struct {
	Name        string // with prefix
	Default     string // as it would be written; empty: none
	Description string
	Secret      bool // it is never shown
	File        bool // it may be given as a file, by its name and _FILE

	required bool
	use      Need // the parts that need it; 0: all
	min, max string
	oneof    []string
	index    []int // of the field in Config
}

// FileName is the name of the variable that names a file with the setting.
func (s Setting) FileName() string { return s.Name + fileSuffix }

const fileSuffix = "_FILE"

// Settings returns every setting, in the order of [Config].
func Settings() []Setting {
	return settingsOf(reflect.TypeFor[Config](), nil)
}

func settingsOf(t reflect.Type, index []int) []Setting {
	var all []Setting
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		switch {
		case f.Tag.Get("env") != "":
			all = append(all, settingOf(f, at))
		case f.IsExported():
			all = append(all, settingsOf(f.Type, at)...)
		}
	}
	return all
}

func settingOf(f reflect.StructField, index []int) Setting {
	name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
	s := Setting{
		Name:        Prefix + name,
		Default:     strings.TrimPrefix(options, "default="),
		Description: f.Tag.Get("desc"),
		Secret:      f.Type == reflect.TypeFor[secret.Text](),
		required:    f.Tag.Get("required") == "true",
		min:         f.Tag.Get("min"),
		max:         f.Tag.Get("max"),
		index:       index,
	}
	s.File = s.Secret || f.Type == reflect.TypeFor[PEM]()
	if use := f.Tag.Get("use"); use != "" {
		for word := range strings.SplitSeq(use, ",") {
			s.use |= needNamed(word)
		}
	}
	if words := f.Tag.Get("oneof"); words != "" {
		s.oneof = strings.Split(words, ",")
	}
	return s
}

// usedBy reports whether a process that runs these parts uses the setting.
func (s Setting) usedBy(need Need) bool { return s.use == 0 || s.use&need != 0 }

// field returns the field of c that holds the setting.
func (s Setting) field(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(s.index)
}

// want says what may be in the setting, for somebody who wrote something else.
func (s Setting) want() string {
	switch t := reflect.TypeFor[Config]().FieldByIndex(s.index).Type; {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration with its unit, like 500ms, 30s or 15m"
	case t == reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case t.Kind() == reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}
