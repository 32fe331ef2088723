package realkafka

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/freeport"
)

// GuardedForTest starts a broker with an authorizer. Who comes to its own address
// may do everything. Who comes to the guarded one logs in with SASL PLAIN, as one
// of these users with the password, and may do what it is granted: nothing, at
// first. For the rest it is as [ForTest], but fails when somebody else takes one of
// its ports first.
func GuardedForTest(tb testing.TB, password string, users ...string) (b *Broker, guarded string) {
	tb.Helper()
	addrs, err := freeport.Addrs(3)
	if err != nil {
		tb.Fatal(err)
	}
	free, guarded, controller := addrs[0], addrs[1], addrs[2]
	login := []string{"org.apache.kafka.common.security.plain.PlainLoginModule required"}
	for _, user := range users {
		login = append(login, fmt.Sprintf("user_%s=%q", user, password))
	}
	return startForTest(tb, Config{Addr: free, Properties: map[string]string{
		"listeners":                                           "PLAINTEXT://" + free + ",SASL_PLAINTEXT://" + guarded + ",CONTROLLER://" + controller,
		"advertised.listeners":                                "PLAINTEXT://" + free + ",SASL_PLAINTEXT://" + guarded,
		"listener.security.protocol.map":                      "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.bootstrap.servers":                 controller,
		"authorizer.class.name":                               "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                                         "User:ANONYMOUS",
		"sasl.enabled.mechanisms":                             "PLAIN",
		"listener.name.sasl_plaintext.plain.sasl.jaas.config": strings.Join(login, " ") + ";",
	}}), guarded
}
