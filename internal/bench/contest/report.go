package contest

import "time"

// A Message is one line of what a contestant says.
type Message struct {
	First  bool    // something was committed for the first time
	Report *Report // the last line
}

// A Report is what was measured between two commits of a contestant.
type Report struct {
	Records    int
	Took       time.Duration
	ProcessCPU time.Duration // of the contestant, user and system
	BrokerCPU  time.Duration
	PeakRSS    int64 // bytes, since the process began
	Calls      int   // of the provider, where the contestant has one
}

// Rate is records per second.
func (r Report) Rate() float64 { return float64(r.Records) / r.Took.Seconds() }
