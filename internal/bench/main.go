// Command bench measures the engine against what people write without it, and
// against the targets that were set for it, on one real broker. It is what "make
// bench" runs. Nothing that is shipped uses it, and no test judges its figures.
//
// Each contestant is a process of its own (internal/bench/contest says how they
// talk; internal/bench/loops has the contestants, internal/bench/watermill
// another one). They run in turn, A B C A B C …, so that what else happens on the
// machine meets all of them; a figure is the median of the rounds' ratios, with
// the least and the most.
//
//	bench [-run regexp] [-quick] [-rounds n] [-window d] [-list]
//	bench contestant name        (the process of a contestant; task on stdin)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/internal/bench/loops"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == "contestant" {
		loop, ok := loops.All()[args[1]]
		if !ok {
			return fmt.Errorf("no contestant %q", args[1])
		}
		return contest.Run(ctx, stdin, stdout, loop)
	}
	s, err := parseSettings(args, getenv, stderr)
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(suite(s), func(sc scenario) bool {
		return !s.run.MatchString(sc.name) || s.quick && !sc.quick
	})
	if s.list {
		for _, sc := range chosen {
			fmt.Fprintf(stdout, "%-28s %s\n", sc.name, sc.about)
		}
		return nil
	}
	if len(chosen) == 0 {
		return errors.New("no scenario has such a name: -list shows them")
	}
	return measure(ctx, s, chosen, stdout, stderr)
}

// measure runs the scenarios on a fresh broker.
func measure(ctx context.Context, s settings, chosen []scenario, stdout, stderr io.Writer) (err error) {
	l, err := newLab(ctx, s, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := warm(ctx, l); err != nil {
		return fmt.Errorf("warm the broker up: %w", err)
	}
	var missed int
	for _, sc := range chosen {
		fmt.Fprintf(stdout, "\n%s: %s\n", sc.name, sc.about)
		res, err := sc.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		missed += res.write(stdout)
	}
	peak, err := contest.PeakRSS(l.broker.PID())
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nbroker: peak RSS %.0f MiB; targets missed: %d\n", mib(peak), missed)
	return nil
}
