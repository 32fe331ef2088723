// Package devpage is the front page of bankimport dev: it starts imports, lists
// them and shows one of them with its steps, accounts, first rows and events.
//
// All it shows comes from the topics, read by package follow, so it shows what
// any other reader of them would see. It keeps a bounded part of that in memory
// and nothing else. Pages are rendered here; a small script refreshes their parts
// when a server-sent event says that something changed, and without script a
// reload shows the same.
//
// It is no console for a real deployment: there is no login, and it shows names
// and amounts. So it answers only where the Host is this machine, and takes
// posts only from its own pages.
package devpage
