// Package simulator plays the provider: finAPI Access v2 and Web Form 2.0 as far as
// bankimport calls them, the task that updates a connection, the web form as pages
// for a person, and banks with generated customers (package bankdata). It is for
// development and tests: its client's secret protects nothing, and everything is in
// memory.
//
// It is written from the provider's documents and from what integrators have seen,
// not from our client, so that the two can be held against each other. Where the
// documents are silent it does one plausible thing and says so in a comment; a test
// that passes here proves nothing about the provider there.
//
// What goes wrong is a [Fault]. There are five moments at which one strikes, and a
// fault is a function for one of them:
//
//	a call        before, instead of or after the real thing, or in its good answer
//	a form        when its person has logged in or has finished
//	a callback    before it leaves
//	a task        when it is made: how it will end
//	a connection  when it is made or updated: its states, accounts and rows
//
// All follow from the clock and the order of calls, nothing from chance, so that a
// test can be repeated.
package simulator
