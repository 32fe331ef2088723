package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/selfsigned"
	"github.com/bankimport/bankimport/internal/simulator"
)

const (
	// devHost is the host of callback URLs in dev. No name server knows it: the
	// simulator dials the bridge instead, so that the provider's rule, https and
	// a host with a dot, holds in dev too.
	devHost = "bridge.bankimport.test"
	// devBank is the bank that dev imports by itself.
	devBank = 280001
)

// devAddrs are the addresses of dev, where flags name them.
type devAddrs struct{ page, simulator, bridge, admin, kafka string }

func (d *devAddrs) flags(f *pflag.FlagSet) {
	f.StringVar(&d.page, "addr", "", "address of the page (default: BANKIMPORT_DEV_ADDR, 127.0.0.1:8080)")
	f.StringVar(&d.simulator, "simulator-addr", "", "address of the simulated provider (default: BANKIMPORT_SIMULATOR_ADDR, 127.0.0.1:8081)")
	f.StringVar(&d.bridge, "bridge-addr", "", "address of the webhook bridge (default: BANKIMPORT_PUBLIC_ADDR, 127.0.0.1:8443)")
	f.StringVar(&d.admin, "admin-addr", "", "address of health and metrics (default: BANKIMPORT_ADMIN_ADDR, 127.0.0.1:9090)")
	f.StringVar(&d.kafka, "kafka-addr", "", "address of the embedded Kafka (default: BANKIMPORT_DEV_KAFKA_ADDR, 127.0.0.1:9092)")
}

// devListeners are those addresses, bound.
type devListeners struct{ page, simulator, bridge, admin, kafka net.Listener }

// bind takes all addresses, so that one in use fails before anything runs. It
// names all that are.
func (d *devAddrs) bind(cfg config.Config) (_ *devListeners, err error) {
	l := &devListeners{}
	var taken []string
	for _, x := range []struct {
		to           *net.Listener
		asked, other string
		flag         string
	}{
		{&l.page, d.page, cfg.Dev.PageAddr, "--addr"},
		{&l.simulator, d.simulator, cfg.Dev.SimulatorAddr, "--simulator-addr"},
		{&l.bridge, d.bridge, cfg.Public.Addr, "--bridge-addr"},
		{&l.admin, d.admin, cfg.Admin.Addr, "--admin-addr"},
		{&l.kafka, d.kafka, cfg.Dev.KafkaAddr, "--kafka-addr"},
	} {
		addr := x.asked
		if addr == "" {
			addr = x.other
		}
		*x.to, err = listen(addr, x.flag)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			taken = append(taken, addr+" ("+x.flag+")")
		case err != nil:
			l.close()
			return nil, err
		}
	}
	if len(taken) > 0 {
		l.close()
		return nil, fmt.Errorf("these addresses are in use:\n  %s\nif that is another bankimport dev, use or end that one; or set these flags to other addresses",
			strings.Join(taken, "\n  "))
	}
	return l, nil
}

// close closes what is bound. Closing twice is harmless.
func (l *devListeners) close() {
	for _, x := range []net.Listener{l.page, l.simulator, l.bridge, l.admin, l.kafka} {
		if x != nil {
			x.Close()
		}
	}
}

// reachedAt is where this machine reaches a listener, also one on all addresses.
func reachedAt(l net.Listener) string {
	if at, ok := l.Addr().(*net.TCPAddr); ok && at.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port))
	}
	return l.Addr().String()
}

// devWorld is what the parts of dev must agree on.
type devWorld struct {
	cfg       config.Config    // of stages and bridge
	simulator simulator.Config // of the provider

	pageURL, simulatorURL, bridgeURL, adminURL, kafkaAddr string
}

// newDevWorld makes up secrets and a certificate, and turns them into the same
// variables a real process would be given: so they pass the same checks.
func newDevWorld(environ []string, l *devListeners, kafkaAddr string) (*devWorld, error) {
	w := &devWorld{
		pageURL: "http://" + reachedAt(l.page), simulatorURL: "http://" + reachedAt(l.simulator),
		bridgeURL: "https://" + reachedAt(l.bridge), adminURL: "http://" + reachedAt(l.admin), kafkaAddr: kafkaAddr,
	}
	cert, err := selfsigned.New(selfsigned.Life, devHost)
	if err != nil {
		return nil, err
	}
	clientID, clientSecret := "dev", rand.Text()

	// What a shell has for a real cluster is not for this one.
	environ = slices.DeleteFunc(slices.Clone(environ), func(s string) bool {
		return strings.HasPrefix(s, config.Prefix+"KAFKA_") || strings.HasPrefix(s, config.Prefix+"REPLICATION=")
	})
	for name, value := range map[string]string{
		"KAFKA_BROKERS":        kafkaAddr,
		"FINAPI_CLIENT_ID":     clientID,
		"FINAPI_CLIENT_SECRET": clientSecret,
		"FINAPI_ACCESS_URL":    w.simulatorURL,
		"FINAPI_WEBFORM_URL":   w.simulatorURL,
		"FINAPI_REDIRECT_URL":  "",
		"FINAPI_FORM_HOSTS":    "",
		"USER_KEY":             rand.Text() + rand.Text(),
		"ACCOUNT_KEY":          rand.Text() + rand.Text(),
		"CALLBACK_BASE_URL":    "https://" + devHost,
		"CALLBACK_KEYS":        callback.GenerateKey("dev"),
		"PUBLIC_TLS_CERT":      string(cert.PEM),
		"PUBLIC_TLS_KEY":       string(cert.KeyPEM),
		"INSTANCE_ID":          "dev",
	} {
		file := config.Prefix + name + "_FILE="
		environ = slices.DeleteFunc(environ, func(s string) bool { return strings.HasPrefix(s, file) })
		environ = append(environ, config.Prefix+name+"="+value)
	}
	if w.cfg, err = config.Load(environ, config.NeedAll); err != nil {
		return nil, err
	}
	w.simulator = simulator.Config{
		BaseURL: w.simulatorURL, ClientID: clientID, ClientSecret: clientSecret,
		CallbackDial: map[string]string{devHost: reachedAt(l.bridge)}, CallbackCA: cert.Trusted,
	}
	return w, nil
}
