package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/internal/secret"
	"github.com/bankimport/bankimport/schemas"
)

const (
	minKey         = 32  // characters of the keys that can never change
	minDistinct    = 8   // different ones of them; 32 random hex digits have about 14
	maxPrefix      = 100 // so that the names made with it stay below Kafka's 249
	maxInstance    = 64
	maxBrokers     = 100
	maxCredentials = 1024
)

const makeKey = "make one with: openssl rand -base64 32"

// check reports what the values say, each and together. What is not set is fine
// here.
func (c *Config) check(wrong *problems) {
	c.Kafka.check(wrong)
	c.Engine.check(c.Waiting, wrong)
	c.Provider.check(wrong)
	c.Callback.check(wrong)
	c.Imports.check(c.Provider.UserKey, wrong)
	c.Waiting.check(wrong)
	c.checkAddresses(wrong)
	c.Public.check(wrong)
}

func (k *Kafka) check(wrong *problems) {
	local := true
	if len(k.Brokers) > maxBrokers {
		wrong.addf(Prefix+"KAFKA_BROKERS", "has %d entries, at most %d are possible", len(k.Brokers), maxBrokers)
	}
	for i, broker := range k.Brokers {
		if problem := brokerProblem(broker); problem != "" {
			wrong.addf(Prefix+"KAFKA_BROKERS", "entry %d (%q) %s", i+1, bounded(broker), problem)
		}
		host, _, _ := net.SplitHostPort(broker)
		local = local && loopback(host)
	}
	k.checkTLS(wrong)
	k.checkLogin(local, wrong)
	if len(k.TopicPrefix) > maxPrefix || strings.ContainsFunc(k.TopicPrefix, notInTopic) {
		wrong.addf(Prefix+"TOPIC_PREFIX", "is %q: want at most %d letters, digits, '.', '_' and '-'", bounded(k.TopicPrefix), maxPrefix)
	}
	if len(k.InstanceID) > maxInstance || strings.ContainsFunc(k.InstanceID, notInTopic) {
		wrong.addf(Prefix+"INSTANCE_ID", "is %q: want at most %d letters, digits, '.', '_' and '-'", bounded(k.InstanceID), maxInstance)
	}
}

func (k *Kafka) checkTLS(wrong *problems) {
	if !k.TLS && (k.CA != "" || k.Cert != "" || k.Key != "") {
		wrong.addf(Prefix+"KAFKA_TLS", "is not true, but settings for TLS are there: set it to true, or take them away")
	}
	if k.CA != "" {
		if _, err := kafkaconn.RootCAs([]byte(k.CA), time.Now()); err != nil {
			wrong.addf(Prefix+"KAFKA_TLS_CA", "%v", err)
		}
	}
	checkPair(Prefix+"KAFKA_TLS_CERT", k.Cert, Prefix+"KAFKA_TLS_KEY", k.Key, wrong)
}

func checkPair(certName string, cert PEM, keyName string, key secret.Text, wrong *problems) {
	switch {
	case wrong.has(certName) || wrong.has(keyName) || cert == "" && key == "":
	case cert == "":
		wrong.addf(certName, "is not set, but %s is: set both or none", keyName)
	case key == "":
		wrong.addf(keyName, "is not set, but %s is: set both or none", certName)
	default:
		if _, err := kafkaconn.KeyPair([]byte(cert), []byte(key.Reveal()), time.Now()); err != nil {
			wrong.addf(certName, "and %s cannot be used: %v", keyName, err)
		}
	}
}

func (k *Kafka) checkLogin(local bool, wrong *problems) {
	const mechanism, user, password = Prefix + "KAFKA_SASL_MECHANISM", Prefix + "KAFKA_SASL_USER", Prefix + "KAFKA_SASL_PASSWORD"
	if len(k.User) > maxCredentials || len(k.Password) > maxCredentials {
		wrong.addf(user, "and %s have at most %d characters each", password, maxCredentials)
	}
	if k.Mechanism == "" {
		if k.User != "" || k.Password != "" {
			wrong.addf(mechanism, "is not set, but a user or password is: set it, or take them away")
		}
		return
	}
	parsed, err := kafkaconn.ParseMechanism(bounded(k.Mechanism))
	if err != nil {
		wrong.addf(mechanism, "%v", err)
		return
	}
	k.Mechanism = string(parsed)
	if k.User == "" {
		wrong.addf(user, "is not set, but %s is", mechanism)
	}
	if k.Password == "" && !wrong.has(password) {
		wrong.addf(password, "is not set, but %s is", mechanism)
	}
	if !k.TLS && !local {
		wrong.addf(Prefix+"KAFKA_TLS", "is not true: without TLS the login could be read or misused on the way to the brokers")
	}
}

func notInTopic(r rune) bool { return !letterOrDigit(r) && r != '.' && r != '_' && r != '-' }

func (e *Engine) check(w Waiting, wrong *problems) {
	if e.SessionTimeout < e.TransactionTimeout {
		wrong.addf(Prefix+"SESSION_TIMEOUT", "is %s, below %s: a dead process's transaction would outlive its session", short(e.SessionTimeout), Prefix+"TRANSACTION_TIMEOUT")
	}
	if e.StateRetention <= w.DownloadDeadline || e.StateRetention <= e.RetryBudget {
		wrong.addf(Prefix+"STATE_RETENTION", "is %s: imports would be forgotten while they run; it must be above %s and %s", short(e.StateRetention), Prefix+"DOWNLOAD_DEADLINE", Prefix+"RETRY_BUDGET")
	}
}

func (p *Provider) check(wrong *problems) {
	for name, value := range map[string]string{Prefix + "FINAPI_ACCESS_URL": p.AccessURL, Prefix + "FINAPI_WEBFORM_URL": p.WebFormURL} {
		if problem := baseProblem(value); value != "" && problem != "" {
			wrong.addf(name, "%s", problem)
		}
	}
	access, form := environment(p.AccessURL), environment(p.WebFormURL)
	if access != "" && form != "" && access != form {
		wrong.addf(Prefix+"FINAPI_WEBFORM_URL", "is finAPI's %s, but %s is its %s: both must be of one environment", form, Prefix+"FINAPI_ACCESS_URL", access)
	}
	if problem := publicProblem(p.RedirectURL, true); p.RedirectURL != "" && problem != "" {
		wrong.addf(Prefix+"FINAPI_REDIRECT_URL", "%s", problem)
	}
	for i, host := range p.FormHosts {
		name, number, found := strings.Cut(host, ":")
		if !hostName(name) && !loopback(name) || found && !port(number, 1) {
			wrong.addf(Prefix+"FINAPI_FORM_HOSTS", "entry %d is no host: want host or host:port", i+1)
		}
	}
	checkKey(Prefix+"USER_KEY", p.UserKey, wrong)
}

// environment returns which of finAPI's environments a URL belongs to, or ""
// where it is none of finAPI's own.
func environment(s string) string {
	u, err := url.Parse(s)
	if err != nil || !strings.HasSuffix(u.Hostname(), ".finapi.io") {
		return ""
	}
	if strings.Contains(u.Hostname(), "sandbox") {
		return "sandbox"
	}
	return "live system"
}

func checkKey(name string, key secret.Text, wrong *problems) {
	if key == "" {
		return
	}
	seen := make(map[rune]bool)
	for _, r := range key.Reveal() {
		seen[r] = true
	}
	switch {
	case len(key) < minKey:
		wrong.addf(name, "has %d characters, want at least %d; %s", len(key), minKey, makeKey)
	case len(seen) < minDistinct:
		wrong.addf(name, "is not random; %s", makeKey)
	}
}

func (c *Callback) check(wrong *problems) {
	if c.BaseURL != "" {
		if problem := publicProblem(c.BaseURL, false); problem != "" {
			wrong.addf(Prefix+"CALLBACK_BASE_URL", "%s", problem)
		}
		c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	}
	if c.Keys == "" {
		return
	}
	if _, err := callback.ParseKeys(c.Keys.Reveal()); err != nil {
		for _, e := range each(err) {
			wrong.addf(Prefix+"CALLBACK_KEYS", "%v", e)
		}
	}
}

// each returns the errors that were joined.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func (i *Imports) check(userKey secret.Text, wrong *problems) {
	for at, t := range i.AccountTypes {
		switch {
		case !slices.Contains(schemas.AccountTypes(), t):
			wrong.addf(Prefix+"ACCOUNT_TYPES", "entry %d (%q) is no kind of account: want some of %s", at+1, bounded(t), strings.Join(schemas.AccountTypes(), ", "))
		case slices.Contains(i.AccountTypes[:at], t):
			wrong.addf(Prefix+"ACCOUNT_TYPES", "names %s twice", t)
		}
	}
	checkKey(Prefix+"ACCOUNT_KEY", i.AccountKey, wrong)
	if i.AccountKey != "" && i.AccountKey == userKey {
		wrong.addf(Prefix+"ACCOUNT_KEY", "is the same as %s: every key has its own use; %s", Prefix+"USER_KEY", makeKey)
	}
}

func (w *Waiting) check(wrong *problems) {
	if w.DownloadPoll > w.DownloadPollMost {
		wrong.addf(Prefix+"DOWNLOAD_POLL_INTERVAL", "is %s, above %s", short(w.DownloadPoll), Prefix+"DOWNLOAD_POLL_MAX")
	}
}

// checkAddresses does not compare them: who listens on what depends on the
// command, and a taken address says so when it is opened.
func (c *Config) checkAddresses(wrong *problems) {
	for _, a := range []struct{ name, addr string }{
		{"PUBLIC_ADDR", c.Public.Addr}, {"ADMIN_ADDR", c.Admin.Addr},
		{"DEV_ADDR", c.Dev.PageAddr}, {"SIMULATOR_ADDR", c.Dev.SimulatorAddr}, {"DEV_KAFKA_ADDR", c.Dev.KafkaAddr},
	} {
		if problem := addressProblem(a.addr); problem != "" {
			wrong.addf(Prefix+a.name, "is %q and %s", bounded(a.addr), problem)
		}
	}
}

func (p *Public) check(wrong *problems) {
	checkPair(Prefix+"PUBLIC_TLS_CERT", p.Cert, Prefix+"PUBLIC_TLS_KEY", p.Key, wrong)
}
