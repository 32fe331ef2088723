package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/pipeline"
)

func (a *app) deadLetterShowCommand() *cobra.Command {
	var output string
	var value bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "show one dead letter: why, where it came from, its headers",
		Long: "Shows one dead letter. The record's value is left out unless asked for with --value: it may hold\n" +
			"personal data.",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != outputText && output != outputJSON {
				return badOutput(output, outputText, outputJSON)
			}
			if err := checkDeadLetterIDs(args); err != nil {
				return err
			}
			return a.showDeadLetter(cmd.Context(), args[0], value, output)
		},
	}
	cmd.Flags().BoolVar(&value, "value", false, "show the record's value too, which may hold personal data")
	outputFlag(cmd, &output, outputText, outputJSON)
	return cmd
}

func (a *app) showDeadLetter(ctx context.Context, id string, value bool, output string) error {
	var found *pipeline.DeadLetter
	err := a.withDeadLetters(ctx, 0, func(d *pipeline.DeadLetters) error {
		return d.Each(ctx, func(l pipeline.DeadLetter) bool { return l.ID == id }, func(l pipeline.DeadLetter) error {
			found = &l
			return nil
		})
	})
	switch {
	case err != nil:
		return err
	case found == nil:
		return fmt.Errorf("there is no dead letter %s; see bankimport dead-letters list", id)
	case output == outputJSON:
		return showDeadLetterJSON(a.stdout, *found, value)
	}
	if err := showDeadLetterText(a.stdout, *found, value); err != nil {
		return err
	}
	if found.RedrivenAt.IsZero() && (!found.Truncated || found.Timer) {
		fmt.Fprintf(a.stderr, "put it back with: bankimport dead-letters redrive %s\n", id)
	}
	return nil
}

func showDeadLetterText(w io.Writer, l pipeline.DeadLetter, value bool) error {
	r := rowOf(l)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("dead letter", "%s", r.ID)
	line("time", "%s, first tried %s", moment(r.Time), moment(r.FirstAt))
	line("stage", "%s", printable(r.Stage))
	line("class", "%s", printable(r.Class))
	line("error", "%s", printable(r.Error))
	line("attempts", "%d", r.Attempts)
	line("import", "%s", r.key())
	where := fmt.Sprintf("topic %s, partition %d", printable(l.Topic), l.Partition)
	if l.Offset >= 0 {
		where += fmt.Sprintf(", offset %d", l.Offset)
	}
	if l.Timer {
		line("came from", "a timer, due %s; %s", moment(l.Due), where)
	} else {
		line("came from", "a record; %s", where)
	}
	line("redriven before", "%s", times(l.Redrives))
	line("redriven", "%s", r.redriven())
	for _, h := range l.Headers {
		line("header", "%s: %s", printable(h.Key), printable(string(h.Value)))
	}
	if !value || l.Value == nil {
		line("value", "%s", aboutValue(l))
	}
	if err := table.Flush(); err != nil || !value || l.Value == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printableText(l.Value))
	return err
}

// aboutValue says what there is of a value without showing it.
func aboutValue(l pipeline.DeadLetter) string {
	switch {
	case l.Timer:
		return "none, as it is a timer"
	case l.Truncated:
		return "lost: it was too large for the topic of dead letters"
	case !l.RedrivenAt.IsZero():
		return "not kept: the record is back on its topic"
	case l.Value == nil:
		return "none"
	default:
		return fmt.Sprintf("%s; shown with --value, may hold personal data", count(len(l.Value), "byte"))
	}
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	default:
		return thousands(n) + " times"
	}
}

// printableText is printable for text of several lines.
func printableText(b []byte) string {
	bad := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	if s := string(b); utf8.Valid(b) && !strings.ContainsFunc(s, bad) {
		return s
	}
	return strconv.Quote(string(b))
}

func showDeadLetterJSON(w io.Writer, l pipeline.DeadLetter, value bool) error {
	type header struct {
		Key    string `json:"key"`
		Value  string `json:"value,omitzero"`
		Base64 []byte `json:"value_base64,omitzero"`
	}
	out := struct {
		deadLetterRow
		Headers []header `json:"headers"`
		Bytes   int      `json:"value_bytes"`
		Value   *string  `json:"value,omitzero"`
		Base64  []byte   `json:"value_base64,omitzero"`
	}{deadLetterRow: rowOf(l), Headers: []header{}, Bytes: len(l.Value)}
	for _, h := range l.Headers {
		if utf8.Valid(h.Value) {
			out.Headers = append(out.Headers, header{Key: h.Key, Value: string(h.Value)})
		} else {
			out.Headers = append(out.Headers, header{Key: h.Key, Base64: h.Value})
		}
	}
	switch {
	case !value || l.Value == nil:
	case utf8.Valid(l.Value):
		out.Value = new(string(l.Value))
	default:
		out.Base64 = l.Value
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
