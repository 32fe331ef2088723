// Package contest is what the processes of a benchmark have in common: the
// task that a contestant gets, the meter it counts with, and the report it
// gives. A contestant is a process of its own, so that what it takes of CPU and
// memory can be read from the system.
//
//	benchmark ──task (JSON, stdin)──▶ contestant ──first commit, report (JSON lines, stdout)──▶ benchmark
//
// It is used by internal/bench and by the contestants, also those in modules of
// their own. Nothing that is shipped uses it.
package contest
