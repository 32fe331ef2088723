package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// Forms of output.
const (
	outputText  = "text"
	outputJSON  = "json"
	outputJSONL = "jsonl"
)

func outputFlag(cmd *cobra.Command, output *string, forms ...string) {
	cmd.Flags().StringVarP(output, "output", "o", forms[0], "form of the output: "+strings.Join(forms, ", "))
	// An error here would mean that the flag of the line above does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
}

func badOutput(got string, forms ...string) error {
	return usagef("--output %q: want one of %s", got, strings.Join(forms, ", "))
}
