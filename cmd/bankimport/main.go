// Command bankimport imports bank connections: it carries each import from a
// request on a Kafka topic to every account and transaction delivered.
//
// "bankimport dev" runs everything in one process; "bankimport -h" lists the
// rest. Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 failed, 2
// wrong usage or configuration, 3 the import ended badly, 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/internal/config"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEndedBadly  = 3
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run is the whole program. It is called by tests too.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return a.exit(root.ExecuteContext(ctx))
}

// app is what every command is given.
type app struct {
	environ        []string
	stdout, stderr io.Writer
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bankimport",
		Short: "carry bank imports from a request to every account and transaction",
		Long: "bankimport carries imports of bank connections through finAPI Web Form 2.0,\n" +
			"from a request on a Kafka topic to every account and transaction delivered.\n\n" +
			"Start with: bankimport dev",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s -h", err, cmd.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.devCommand(), a.runCommand(), a.importCommand(), a.watchCommand(),
		a.topicsCommand(), a.configCommand(), a.simulatorCommand(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes complaints about arguments usage errors, like those about flags.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%w; see %s -h", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// exit turns how a command ended into an exit code and a message.
func (a *app) exit(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var usage *usageError
	var cfg *config.Error
	var ended *endedError
	switch {
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &ended):
		return exitEndedBadly // it has been told
	case errors.As(err, &usage), errors.As(err, &cfg), isUnknownCommand(err):
		code = exitUsage
	}
	fmt.Fprintln(a.stderr, "bankimport:", err)
	return code
}

// usageError is a mistake of whoever called the program.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// endedError says that an import was followed to a bad end.
type endedError struct{ reason string }

func (e *endedError) Error() string { return "the import ended badly: " + e.reason }

var errInterrupted = errors.New("interrupted")

// isUnknownCommand knows the one usage error that cobra makes without asking.
func isUnknownCommand(err error) bool {
	const want = "unknown command "
	return len(err.Error()) >= len(want) && err.Error()[:len(want)] == want
}
