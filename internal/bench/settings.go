package main

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"
)

// settings are how much is measured.
type settings struct {
	run       *regexp.Regexp // names of the scenarios
	list      bool
	quick     bool // a look, no measurement
	rounds    int
	window    time.Duration // what is measured of a run
	warmup    time.Duration // what is not, before it
	warming   time.Duration // how long the broker gets small batches before all of it
	records   int           // in an input topic
	rows      int           // of the account whose memory is measured
	watermill string        // path of its program
	other     string        // path of another build of this program; empty: none
	profiles  string        // directory for CPU profiles of the contestants; empty: none
}

func parseSettings(args []string, getenv func(string) string, stderr io.Writer) (settings, error) {
	s := settings{run: regexp.MustCompile("")}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Func("run", "run the scenarios whose `name` matches this regular expression; default all", func(v string) (err error) {
		s.run, err = regexp.Compile(v)
		return err
	})
	fs.BoolVar(&s.list, "list", false, "list the scenarios")
	fs.BoolVar(&s.quick, "quick", getenv("BENCH_QUICK") != "", "one short round of the most important scenarios; also BENCH_QUICK=1")
	rounds := fs.Int("rounds", 0, "`rounds` of each comparison; default 5, quick 1")
	window := fs.Duration("window", 0, "how long to measure a run; default 5s, quick 1s")
	fs.StringVar(&s.watermill, "watermill", "bin/bench-watermill", "`path` of the program built from internal/bench/watermill")
	fs.StringVar(&s.other, "other", "", "`path` of another build of this program, whose engine is then the only opponent of this one's")
	fs.StringVar(&s.profiles, "profiles", "", "`directory` for CPU profiles of the contestants")
	if err := fs.Parse(args); err != nil {
		return settings{}, err
	}
	if fs.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	s.rounds, s.window, s.warmup, s.records, s.rows = 5, 5*time.Second, 2*time.Second, 1_000_000, 1_000_000
	s.warming = 40 * time.Second
	if s.quick {
		s.rounds, s.window, s.warmup, s.records, s.rows = 1, time.Second, time.Second/2, 600_000, 200_000
		s.warming = 3 * time.Second
	}
	if *rounds > 0 {
		s.rounds = *rounds
	}
	if *window > 0 {
		s.window = *window
	}
	return s, nil
}
