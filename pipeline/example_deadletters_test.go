package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/pipeline"
)

// prices prices orders. One for a product without a price is given up.
type prices struct{ pears atomic.Bool } // whether pears have a price by now

func (p *prices) Handle(_ context.Context, t pipeline.Trigger, _ pipeline.State) (pipeline.Result, error) {
	if !p.pears.Load() {
		return pipeline.Result{}, pipeline.Permanent("unknown_product", errors.New("no price for pears"))
	}
	return pipeline.Result{Events: []pipeline.Event{{Topic: "priced", Key: []byte(t.Key), Value: []byte("1.20")}}}, nil
}

func (*prices) GaveUp(pipeline.Trigger, pipeline.State, error) pipeline.Result {
	return pipeline.Result{} // the dead letter alone
}

// A record that was given up is listed, and goes back to its stage once what was
// wrong is mended.
func ExampleOpenDeadLetters() {
	ctx := context.Background()
	stage := &prices{}
	kafka, stop := startPrices(stage)
	defer stop()
	produce(ctx, kafka, &kgo.Record{Topic: "orders", Key: []byte("order-1"), Value: []byte("pears")})
	first(ctx, kafka, "dead-letters")

	letters, err := pipeline.OpenDeadLetters(ctx, pipeline.DeadLettersConfig{KafkaOpts: kafka})
	if err != nil {
		panic(err)
	}
	defer letters.Close()
	wanted := func(l pipeline.DeadLetter) bool { return l.Class == "unknown_product" }
	list := func() {
		err := letters.Each(ctx, wanted, func(l pipeline.DeadLetter) error {
			fmt.Printf("%s on %s after %d attempt: %s; redriven: %t\n", l.Key, l.Topic, l.Attempts, l.Error, !l.RedrivenAt.IsZero())
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	redrive := func() {
		err := letters.Redrive(ctx, wanted, func(l pipeline.DeadLetter, err error) { fmt.Printf("redrive %s: %v\n", l.Key, err) })
		if err != nil {
			panic(err)
		}
	}

	list()
	stage.pears.Store(true)
	redrive()
	fmt.Println("priced at", first(ctx, kafka, "priced"))
	list()
	redrive()
	// Output:
	// order-1 on orders after 1 attempt: no price for pears; redriven: false
	// redrive order-1: <nil>
	// priced at 1.20
	// order-1 on orders after 1 attempt: no price for pears; redriven: true
	// redrive order-1: it has been redriven already
}

// startPrices runs the stage on a Kafka in memory until it is stopped.
func startPrices(h *prices) (kafka []kgo.Opt, stop func()) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders", "priced", "dead-letters", pipeline.StateTopic("", "bankimport", "prices")))
	if err != nil {
		panic(err)
	}
	kafka = []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}
	runner, err := pipeline.NewRunner(pipeline.Stage{
		Name: "prices", Input: "orders", Outputs: []string{"priced"}, Classes: []string{"unknown_product"}, Handler: h,
	}, pipeline.Config{KafkaOpts: kafka})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- runner.Run(ctx) }()
	return kafka, func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
		fake.Close()
	}
}

func produce(ctx context.Context, kafka []kgo.Opt, r *kgo.Record) {
	client, err := kgo.NewClient(kafka...)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
		panic(err)
	}
}

// first waits for the first record that is committed on a topic.
func first(ctx context.Context, kafka []kgo.Opt, topic string) string {
	client, err := kgo.NewClient(append(kafka, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for {
		for _, r := range client.PollFetches(ctx).Records() {
			return string(r.Value)
		}
	}
}
