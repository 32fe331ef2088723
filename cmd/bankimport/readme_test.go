package main

import (
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/ops"
	"github.com/bankimport/bankimport/schemas"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The README names settings, metrics, reasons and dead letter classes: all of
// them must exist, and of the closed sets none may be missing.
func TestReadme_NamesWhatExists(t *testing.T) {
	t.Parallel()
	text := readme(t)

	settings := map[string]bool{}
	for _, s := range config.Settings() {
		settings[s.Name] = true
		settings[s.FileName()] = s.File
	}
	for _, name := range regexp.MustCompile(`BANKIMPORT_[A-Z_]+\b`).FindAllString(text, -1) {
		if family := strings.HasSuffix(name, "_TLS") || strings.HasSuffix(name, "_SASL_"); !settings[name] && !family && !strings.HasPrefix(name, "BANKIMPORT_TEST_") {
			t.Errorf("the README names %s, which is no setting", name)
		}
	}

	families := everything(t)
	var metrics []string
	for _, f := range families {
		metrics = append(metrics, f.GetName())
	}
	for _, name := range regexp.MustCompile(`\bbankimport_[a-z_]+\b`).FindAllString(text, -1) {
		if !slices.Contains(metrics, name) {
			t.Errorf("the README names %s, which is no metric", name)
		}
	}

	for _, reason := range schemas.Reasons() {
		if !strings.Contains(text, "| `"+string(reason)+"` |") {
			t.Errorf("the README's table of endings has no reason %s", reason)
		}
	}
	classes := deadLetterClasses(families)
	if len(classes) < 8 {
		t.Errorf("only %v: the metric has lost classes", classes)
	}
	for _, class := range classes {
		if !strings.Contains(text, "`"+class+"`") {
			t.Errorf("the README does not explain dead letters of class %s", class)
		}
	}
	for _, topic := range schemas.Topics() {
		if !strings.Contains(text, topic.Name) {
			t.Errorf("the README does not name topic %s", topic.Name)
		}
	}
}

// The commands that the README shows must be there, with the flags it gives them.
func TestReadme_CommandsExist(t *testing.T) {
	t.Parallel()
	a := &app{}
	for _, line := range regexp.MustCompile(`(?m)^bin/bankimport .*$|bin/bankimport [a-z][^`+"`"+`\n]*`).FindAllString(readme(t), -1) {
		line, _, _ = strings.Cut(line, "#")
		args := strings.Fields(line)[1:]
		cmd, rest, err := a.root().Find(args)
		if err != nil || cmd == cmd.Root() {
			t.Errorf("%s: no such command: %v", line, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// everything gathers the metrics of a process with all parts, as they are
// before it has done anything.
func everything(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	l, err := (&devAddrs{page: anyPort, simulator: anyPort, bridge: anyPort, admin: anyPort, kafka: anyPort}).bind(config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	world, err := newDevWorld(nil, l, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	s := &service{
		parts: parts(), cfg: world.cfg, logger: slog.New(slog.DiscardHandler), metrics: reg, admin: l.admin, public: l.bridge,
	}
	_, undo, err := s.prepare(ops.New(ops.Config{Registry: reg}))
	if err := errors.Join(err, undoAll(undo)); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

const anyPort = "127.0.0.1:0"

// deadLetterClasses are those that the metric has from the start.
func deadLetterClasses(families []*dto.MetricFamily) []string {
	var classes []string
	for _, f := range families {
		if f.GetName() != "bankimport_stage_dead_letters_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "class" && !slices.Contains(classes, l.GetValue()) {
					classes = append(classes, l.GetValue())
				}
			}
		}
	}
	return classes
}
