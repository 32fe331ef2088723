package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxURL = 2048 // finAPI's own limit

	// allowedInURL are the characters besides letters and digits that finAPI
	// takes in a URL that it is given.
	allowedInURL = "-()@:%_+.~#?&/="
)

// baseProblem says what is wrong with the base URL of an API, or "". Plain http
// would show tokens to the network, so it is for this machine only.
func baseProblem(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return "is no URL like https://sandbox.finapi.io"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "must begin with https:// (http:// is for this machine only)"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "must have no user, query or fragment"
	}
	return ""
}

// publicProblem says what is wrong with a URL that is given to finAPI, or "".
// finAPI takes https only, hosts with a dot and few characters; addresses in
// place of a host name never have a certificate that it would trust.
func publicProblem(s string, pathAllowed bool) string {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxURL:
		return "is longer than 2048 characters"
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return "is no URL like https://bridge.example.com"
	case u.Scheme != "https":
		return "must begin with https://, finAPI calls nothing else"
	case u.User != nil:
		return "must have no user in it"
	case !strings.Contains(u.Hostname(), "."):
		return "must have a host with a dot, like bridge.example.com: finAPI refuses others"
	case !hostName(u.Hostname()):
		return "must have a host name, like bridge.example.com, and no address"
	case u.Port() != "" && !port(u.Port(), 1):
		return "has a port that is not 1 to 65535"
	case strings.ContainsFunc(s, notAllowedInURL):
		return "has characters that finAPI refuses: it takes letters, digits and " + allowedInURL
	case !pathAllowed && (strings.TrimRight(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != ""):
		return "must have no path, query or fragment: the path is ours"
	}
	return ""
}

func notAllowedInURL(r rune) bool {
	return !letterOrDigit(r) && !strings.ContainsRune(allowedInURL, r)
}

// hostName reports whether the host is a name: its last label begins with a
// letter, which no spelling of an address does.
func hostName(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return !letterOrDigit(r) && r != '-' }) {
			return false
		}
	}
	first := rune(labels[len(labels)-1][0])
	return len(host) <= 253 && letterOrDigit(first) && (first < '0' || first > '9')
}

// addressProblem says what is wrong with an address to listen on, or "".
func addressProblem(s string) string {
	host, p, err := net.SplitHostPort(s)
	switch {
	case err != nil:
		return "must be host:port, like 127.0.0.1:9090 or :9090"
	case !port(p, 0):
		return "has a port that is not 0 to 65535"
	case strings.ContainsAny(host, " /"):
		return "has a host that is none"
	}
	return ""
}

// brokerProblem says what is wrong with the address of a broker, or "".
func brokerProblem(s string) string {
	host, p, err := net.SplitHostPort(s)
	switch {
	case strings.Contains(s, "://"):
		return "must have no scheme: want host:port"
	case err != nil || host == "":
		return "must be host:port, like kafka.example.com:9092"
	case !port(p, 1):
		return "has a port that is not 1 to 65535"
	case strings.ContainsAny(host, " /@,"):
		return "has a host that is none"
	}
	return ""
}

func port(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= 65535
}

// loopback reports whether only this machine can be meant.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func letterOrDigit(r rune) bool {
	return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9')
}
