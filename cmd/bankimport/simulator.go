package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/ops"
	"github.com/bankimport/bankimport/internal/simulator"
)

type simulatorOptions struct {
	addr, clientID, clientSecret, baseURL string
	dial                                  []string
	ca                                    string
	callbacks                             string
	banks                                 []string
	faults                                faultFlag
	listFaults                            bool
	tls                                   string
	formLife, download, categorizing      time.Duration
}

func (a *app) simulatorCommand() *cobra.Command {
	var o simulatorOptions
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "run the simulated provider alone",
		Long: "Serves what bankimport uses of finAPI Access and Web Form 2.0, with web forms that a person can\n" +
			"fill in, at one address: set BANKIMPORT_FINAPI_ACCESS_URL and BANKIMPORT_FINAPI_WEBFORM_URL to it.\n" +
			"Everything is in memory. Its page switches faults on and off, too.",
		Example: "  bankimport simulator --callback-dial bridge.bankimport.test=127.0.0.1:8443 --callback-ca bridge.crt\n" +
			"  bankimport simulator --fault callback-late:delay=3m --fault status-503:share=0.2@bank=280001",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.listFaults {
				return a.listFaults()
			}
			return a.simulate(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.addr, "addr", "", "address to listen on (default: BANKIMPORT_SIMULATOR_ADDR, 127.0.0.1:8081)")
	f.StringVar(&o.baseURL, "base-url", "", "where it is reached, if not at its address")
	f.StringVar(&o.clientID, "client-id", "dev", "client id that it accepts")
	f.StringVar(&o.clientSecret, "client-secret", "dev-secret", "client secret that it accepts; it protects nothing")
	f.StringArrayVar(&o.dial, "callback-dial", nil, "HOST=ADDR: send callbacks for this host to this address; may be repeated")
	f.StringVar(&o.ca, "callback-ca", "", "file with the certificates to trust when sending callbacks, PEM (default: the system's)")
	f.StringVar(&o.callbacks, "callbacks", string(simulator.DeliverCallbacks), "what becomes of callbacks: deliver, drop or double")
	f.StringArrayVar(&o.banks, "bank", nil, "one more bank as ID:ACCOUNTSxROWS, like 300001:4x250; may be repeated")
	o.faults.add(f)
	f.BoolVar(&o.listFaults, "list-faults", false, "list the faults that there are, and exit")
	f.StringVar(&o.tls, "tls-failure", "", "serve https in such a way that every client must fail: "+strings.Join(simulator.TLSFailures(), ", "))
	f.DurationVar(&o.formLife, "form-life", 20*time.Minute, "how long a web form is valid")
	f.DurationVar(&o.download, "download-time", 3*time.Second, "how long a bank's download takes")
	f.DurationVar(&o.categorizing, "categorization-time", 2*time.Second, "how long categorising then takes")
	return cmd
}

// faultFlag is --fault, of the commands that run a simulator.
type faultFlag []string

func (o *faultFlag) add(f *pflag.FlagSet) {
	f.StringArrayVar((*[]string)(o), "fault", nil,
		"NAME[:KEY=VALUE,…][@user=ID][@bank=ID]: something that goes wrong at the provider; may be repeated (see bankimport simulator --list-faults)")
}

func (o faultFlag) parse() ([]simulator.Fault, error) {
	var faults []simulator.Fault
	for _, text := range o {
		f, err := simulator.ParseFault(text)
		if err != nil {
			return nil, usagef("--fault: %w; see bankimport simulator --list-faults", err)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// listFaults prints all faults, group by group.
func (a *app) listFaults() error {
	group := ""
	for _, k := range simulator.FaultKinds() {
		if k.Group != group {
			if group != "" {
				fmt.Fprintln(a.stdout)
			}
			group = k.Group
			fmt.Fprintln(a.stdout, group)
		}
		params := ""
		if k.Params != "" {
			params = " [" + k.Params + "]"
		}
		fmt.Fprintf(a.stdout, "  %-26s %s%s\n", k.Name, k.What, params)
	}
	_, err := fmt.Fprint(a.stdout, "\nAll take count=N (hits, then off), after=N (lets N pass first) and share=0.5 (every other time),\n"+
		"and @user=ID or @bank=ID for whom they hit. In brackets: what else, with its own value.\n")
	return err
}

func (a *app) simulate(ctx context.Context, o simulatorOptions) error {
	cfg, err := config.Load(a.environ, 0)
	if err != nil {
		return err
	}
	if o.addr == "" {
		o.addr = cfg.Dev.SimulatorAddr
	}
	settings := simulator.Config{
		BaseURL: o.baseURL, ClientID: o.clientID, ClientSecret: o.clientSecret,
		FormLife: o.formLife, DownloadTime: instantly(o.download), CategorizationTime: instantly(o.categorizing),
		Callbacks: simulator.CallbackMode(o.callbacks), CallbackDial: map[string]string{},
		Logger: ops.NewLogger(a.stderr, cfg.Log.Level, cfg.Log.Format),
	}
	for _, d := range o.dial {
		host, addr, ok := strings.Cut(d, "=")
		if !ok {
			return usagef("--callback-dial %q: want HOST=ADDR, like bridge.bankimport.test=127.0.0.1:8443", d)
		}
		settings.CallbackDial[host] = addr
	}
	if o.ca != "" {
		text, err := os.ReadFile(o.ca)
		if err != nil {
			return usagef("--callback-ca: %w", err)
		}
		settings.CallbackCA = x509.NewCertPool()
		if !settings.CallbackCA.AppendCertsFromPEM(text) {
			return usagef("--callback-ca %s: no certificate in it; want PEM", o.ca)
		}
	}
	if settings.Faults, err = o.faults.parse(); err != nil {
		return err
	}
	for _, b := range o.banks {
		bank, err := simulator.ParseBank(b)
		if err != nil {
			return usagef("--bank: %w", err)
		}
		settings.Banks = append(settings.Banks, bank)
	}
	check := settings
	if check.BaseURL == "" {
		check.BaseURL = "http://localhost" // the real one is known when it listens
	}
	if err := check.Validate(); err != nil {
		return usagef("simulator: %w; see bankimport simulator -h", err)
	}
	l, err := listen(o.addr, "--addr")
	if err != nil {
		return err
	}
	scheme := "http://"
	if o.tls != "" {
		scheme = "https://"
		host, _, _ := net.SplitHostPort(reachedAt(l))
		tl, err := simulator.FailTLS(l, o.tls, host)
		if err != nil {
			l.Close()
			return usagef("--tls-failure: %w", err)
		}
		l = tl
	}
	if settings.BaseURL == "" {
		settings.BaseURL = scheme + reachedAt(l)
	}
	sim, err := simulator.New(settings)
	if err != nil {
		l.Close()
		return usagef("%w", err)
	}
	fmt.Fprintf(a.stderr, "simulated provider at %s (client %s). Everything is in memory. Ctrl-C ends it.\n", settings.BaseURL, o.clientID)
	defer context.AfterFunc(ctx, func() { sim.Close() })() // live pages end only with it
	err = serveHTTP(ctx, l, sim, settings.Logger)
	sim.Close()
	return err
}
