package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

type importOptions struct {
	id, user, search, name, profile string
	bank, connection                int64
	types                           []string
	maxDays                         int
	wait                            bool
	timeout                         time.Duration
	output                          string
}

func (a *app) importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import --user USER [--bank ID | --bank-search TEXT | --connection ID]",
		Short: "request an import, and follow it with --wait",
		Long: "Publishes import-requested, as an upstream service does. Without settings it talks to\n" +
			"bankimport dev on this machine.",
		Example: "  bankimport import --user u1 --bank 280001 --wait",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var days *int
			if cmd.Flags().Changed("max-days") {
				days = &o.maxDays
			}
			return a.importBank(cmd.Context(), o, days)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.user, "user", "", "your own id of the user (required)")
	f.Int64Var(&o.bank, "bank", 0, "the provider's id of the bank; without it the user picks one in the form")
	f.StringVar(&o.search, "bank-search", "", "text that leads to one bank: IBAN, bank code, BIC or name")
	f.Int64Var(&o.connection, "connection", 0, "the provider's id of a connection of this user, to be read again without a form")
	f.StringSliceVar(&o.types, "account-types", nil, "kinds of account to import, with commas between")
	f.IntVar(&o.maxDays, "max-days", 0, "history to load in days: 0 (all) or 14 to 3650")
	f.StringVar(&o.name, "connection-name", "", "name of the new connection")
	f.StringVar(&o.profile, "profile", "", "id of the web form profile")
	f.StringVar(&o.id, "id", "", "id of the import, a lower-case UUID (default: a new one); a request that repeats an id changes nothing")
	f.BoolVar(&o.wait, "wait", false, "follow the import until it has ended; exit code 3 if it ends badly")
	f.DurationVar(&o.timeout, "timeout", 0, "with --wait: stop following after this time (default: never)")
	outputFlag(cmd, &o.output, outputText, outputJSON, outputJSONL)
	return cmd
}

func (a *app) importBank(ctx context.Context, o importOptions, days *int) error {
	if o.output != outputText && o.output != outputJSON && o.output != outputJSONL {
		return badOutput(o.output, outputText, outputJSON, outputJSONL)
	}
	if o.user == "" {
		return usagef("--user is required: your own id of the user whose bank is imported")
	}
	if o.timeout < 0 || o.timeout > 0 && !o.wait {
		return usagef("--timeout %s: want a duration above 0, with --wait", o.timeout)
	}
	past := o.id != "" // there may be an import with it
	if !past {
		o.id = uuid.NewString()
	}
	request := schemas.ImportRequested{
		ImportID: o.id, UserID: o.user, BankID: o.bank, BankSearch: o.search, BankConnectionID: o.connection, AccountTypes: o.types, MaxDays: days,
		ConnectionName: o.name, ProfileID: o.profile, RequestedAt: schemas.At(time.Now()),
	}
	if err := request.Validate(); err != nil {
		return requestError(err)
	}
	cfg, conn, err := a.cluster()
	if err != nil {
		return err
	}
	reach, client, reached := a.reaching(ctx, 0)
	defer reached()
	var f *follow.Follower
	if o.wait { // before the request, so that nothing is missed
		if f, err = follow.Open(reach, follow.Config{Kafka: append(conn.Options(), client), Prefix: cfg.Kafka.TopicPrefix, Topics: follow.Topics(), FromStart: past}); err != nil {
			return a.unreachable(ctx, reach, err, cfg)
		}
		defer f.Close()
	}
	if err := publish(reach, conn, cfg.Kafka.TopicPrefix, request); err != nil {
		return fmt.Errorf("%w (it may have been written all the same: to request it again, add --id %s)", a.unreachable(ctx, reach, err, cfg), o.id)
	}
	reached()
	if !o.wait {
		if o.output != outputText {
			return json.NewEncoder(a.stdout).Encode(map[string]string{"import_id": o.id})
		}
		fmt.Fprintln(a.stdout, o.id)
		fmt.Fprintf(a.stderr, "requested; follow it with: bankimport watch %s\n", o.id)
		return nil
	}
	if o.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, o.timeout)
		defer stop()
	}
	return a.follow(ctx, f, o.id, past, o.output)
}

// follow shows an import until it has ended; see followOne.
func (a *app) follow(ctx context.Context, f *follow.Follower, id string, past bool, output string) error {
	fmt.Fprintln(a.stderr, "import", id)
	im, err := a.followOne(ctx, f, id, past, a.progressFor(output))
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("import %s has not ended in time; it goes on, follow it with: bankimport watch %[1]s", id)
	case errors.Is(err, errInterrupted):
		fmt.Fprintf(a.stderr, "no longer following; the import goes on, see: bankimport watch %s\n", id)
		return err
	default:
		return err
	}
	if output == outputJSON {
		if err := a.finalJSON(im); err != nil {
			return err
		}
	}
	return a.result(im, output)
}

// progressFor writes to stdout what is data, and to stderr what is talk.
func (a *app) progressFor(output string) progress {
	if output == outputJSONL {
		return jsonProgress{a.stdout}
	}
	return a.newTextProgress() // with json too: somebody must open the form
}

// requestError says what is wrong with a request in terms of the flags that it
// was made of.
func requestError(err error) error {
	bad, ok := errors.AsType[*schemas.InvalidError](err)
	if !ok {
		return usagef("%w", err)
	}
	flags := strings.NewReplacer("import_id", "--id", "user_id", "--user", "bank_connection_id", "--connection", "bank_id", "--bank", "bank_search", "--bank-search",
		"account_types", "--account-types", "max_days", "--max-days", "connection_name", "--connection-name", "profile_id", "--profile")
	var texts []string
	for _, p := range bad.Problems {
		texts = append(texts, flags.Replace(p.String()))
	}
	return usagef("%s; see bankimport import -h", strings.Join(texts, "; "))
}
