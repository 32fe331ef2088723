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
	"time"

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
	a := &app{environ: environ, stdout: stdout, stderr: stderr, reach: reachTimeout}
	return a.run(ctx, args)
}

// app is what every command is given.
type app struct {
	environ        []string
	stdout, stderr io.Writer
	reach          time.Duration // how long a short command waits for the cluster
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return a.exit(root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bankimport",
		Short: "carry bank imports from a request to every account and transaction",
		Long: "bankimport carries imports of bank connections through finAPI Web Form 2.0,\n" +
			"from a request on a Kafka topic to every account and transaction delivered.\n\n" +
			"Start with: bankimport dev\n\n" +
			"Settings are environment variables: see bankimport config help. Exit codes: 0 done, 1 failed,\n" +
			"2 wrong usage or configuration, 3 the import ended badly, 130 interrupted.",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.devCommand(), a.runCommand(), a.importCommand(), a.cancelCommand(), a.watchCommand(),
		a.topicsCommand(), a.deadLettersCommand(), a.configCommand(), a.simulatorCommand(), a.versionCommand(),
	)
	root.InitDefaultCompletionCmd()
	groups(root)
	return root
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
	case errors.As(err, &usage), errors.As(err, &cfg):
		code = exitUsage
	}
	fmt.Fprintln(a.stderr, "bankimport:", err)
	return code
}

// endedError says that an import was followed to a bad end.
type endedError struct{ reason string }

func (e *endedError) Error() string { return "the import ended badly: " + e.reason }

var errInterrupted = errors.New("interrupted")
