// Package ops is what operators see of a process: its log, and a listener of
// its own with health, readiness, metrics and profiles. It knows nothing of
// imports; whoever runs something adds a check for it.
package ops
