package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/schemas"
)

func (a *app) cancelCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "cancel an import whose web form is not finished yet",
		Long: "Publishes import-cancel-requested, as an upstream service does. An import that is not there yet ends\n" +
			"as soon as it comes; one whose form is open ends with the form. Later it changes nothing: what the\n" +
			"user has finished is delivered.",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != outputText && output != outputJSON {
				return badOutput(output, outputText, outputJSON)
			}
			if err := validImportID(args[0]); err != nil {
				return err
			}
			return a.cancelImport(cmd.Context(), args[0], output)
		},
	}
	outputFlag(cmd, &output, outputText, outputJSON)
	return cmd
}

func (a *app) cancelImport(ctx context.Context, id, output string) error {
	cfg, conn, err := a.cluster()
	if err != nil {
		return err
	}
	reach, _, reached := a.reaching(ctx, 0)
	defer reached()
	cancel := schemas.ImportCancelRequested{ImportID: id, RequestedAt: schemas.At(time.Now())}
	if err := publish(reach, conn, cfg.Kafka.TopicPrefix, cancel); err != nil {
		return a.unreachable(ctx, reach, err, cfg)
	}
	if output == outputJSON {
		return json.NewEncoder(a.stdout).Encode(map[string]string{"import_id": id})
	}
	fmt.Fprintln(a.stdout, id)
	fmt.Fprintf(a.stderr, "cancel requested; see what becomes of it with: bankimport watch %s\n", id)
	return nil
}

// validImportID refuses what no import can be named.
func validImportID(s string) error {
	if id, err := uuid.Parse(s); err != nil || id.String() != s {
		return usagef("%q is no id of an import, a lower-case UUID; bankimport watch without one shows all imports", s)
	}
	return nil
}
