//go:build realkafka

package topics

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/realkafka/testbroker"
)

// A real broker knows every setting of the list, takes its values and says them
// back the same way.
func TestRealBrokerTakesTheList(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := testbroker.ForTest(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)

	for range 2 { // the second time everything is there
		plan, err := Ensure(ctx, adm, fourStageSettings)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(plan.With(ActionKeep)); got != 15 {
			t.Fatalf("got %d topics as they must be, want 15:\n%s", got, render(t, plan.WriteText))
		}
	}
}
