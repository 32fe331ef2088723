package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a mistake of whoever called the program.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// groups makes each command that only has others beneath it show its help, and
// refuse what is none of them: cobra would show the help and succeed.
func groups(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	c.Args = noArgs
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	for _, sub := range c.Commands() {
		groups(sub)
	}
}

// noArgs is for commands without arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.HasSubCommands():
		return usagef("%q is too much: %s takes no arguments; see %[2]s -h", args[0], cmd.CommandPath())
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q: did you mean %s %s?", args[0], cmd.CommandPath(), near[0])
	}
	return usagef("unknown command %q; see %s -h", args[0], cmd.CommandPath())
}

// oneArg is for commands that need one argument.
func oneArg(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("an argument is missing: %s; see %s -h", cmd.UseLine(), cmd.CommandPath())
	}
	return maybeOneArg(cmd, args)
}

// maybeOneArg is for commands with an argument that may be left out.
func maybeOneArg(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%q is too much: %s takes one argument at most; see %[2]s -h", args[1], cmd.CommandPath())
	}
	return nil
}

// flagError says what is wrong with a flag, in our words where the parser would
// quote a Go function.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() { // the flag may well be one of the command that was meant
		if err := noArgs(cmd, cmd.Flags().Args()); err != nil {
			return err
		}
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %q: want %s", bad.GetFlag().Name, bad.GetValue(), wanted(bad))
	}
	return usagef("%w; see %s -h", err, cmd.CommandPath())
}

func wanted(bad *pflag.InvalidValueError) string {
	switch bad.GetFlag().Value.Type() {
	case "int", "int64":
		return "a whole number"
	case "duration":
		return "a duration with its unit, like 500ms, 30s or 15m"
	case "bool":
		return "true or false"
	default:
		return "another value: " + bad.Unwrap().Error()
	}
}

// helpCommand is cobra's, but fails where there is no such command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "say how a command is used, like -h",
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil {
				return usagef("%w", err)
			}
			if len(rest) > 0 {
				if err := of.ValidateArgs(rest); err != nil {
					return err
				}
			}
			of.InitDefaultHelpFlag() // what -h would show
			of.InitDefaultVersionFlag()
			return of.Help()
		},
	}
}
