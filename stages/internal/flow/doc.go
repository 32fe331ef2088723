// Package flow is what the four stages share: who an import is, how its events
// become records, how it ends badly, how state is written, and when an account
// counts as loaded.
//
// It does no step of its own, calls nobody and keeps nothing. Only packages
// below stages use it.
package flow
