package contest

import (
	"context"
	"time"
)

// A Task says what a contestant does: read Input, handle each record, write it
// to Output, and count what is committed.
type Task struct {
	Brokers   []string
	BrokerPID int // whose CPU seconds are counted beside the contestant's own

	Input, Output string
	Group         string // fresh for each run: everything starts at the start of Input
	Instance      string // static membership; empty: none
	Hops          int    // stages one behind the other, with topics [Task.Hop] between them; only for the engine

	InFlight int     // handlers at once
	Poll     int     // records of one poll, where the contestant works in batches
	Latency  Latency // of a handler
	State    bool    // each record writes 200 bytes of state; only for the engine

	Rows, PageRows, RowBytes int // of an account, where pages of rows are written

	Limit  int           // the run ends when so many are committed; 0: no limit
	Warmup time.Duration // from the first commit to the begin of the measurement
	Window time.Duration // how long is measured, at most

	Profile string // file for a CPU profile; empty: none
}

// Latency is how long handlers take: Usual, and Slow for one record in Every.
// The same records are slow for every contestant.
type Latency struct {
	Usual, Slow time.Duration
	Every       int // 0: none is slow
}

// Of is how long the handler of a record takes.
func (l Latency) Of(partition int32, offset int64) time.Duration {
	if l.Every > 0 && scatter(partition, offset)%uint64(l.Every) == 0 {
		return l.Slow
	}
	return l.Usual
}

// scatter spreads the slow records evenly, without a pattern (splitmix64).
func scatter(partition int32, offset int64) uint64 {
	x := uint64(offset)*64 + uint64(partition) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Mean is how long a handler takes on average.
func (l Latency) Mean() time.Duration {
	if l.Every == 0 {
		return l.Usual
	}
	return l.Usual + (l.Slow-l.Usual)/time.Duration(l.Every)
}

// Wait is what a handler does. It sleeps whatever becomes of ctx, because anything
// else would cost more than the contestants do, and reports false if ctx ended.
func (l Latency) Wait(ctx context.Context, partition int32, offset int64) bool {
	time.Sleep(l.Of(partition, offset))
	return ctx.Err() == nil
}
