// Package check decides whether what stands on the topics is what should stand
// there, given what the test asked for and what the provider really did
// ([Truth]). It is the judgement behind every end-to-end test.
//
// It reads the events with types of its own: a fault in the product's types
// must not hide itself. The rules that a violation names:
//
//	shape       the value is JSON with the fields that are checked here
//	header      the CloudEvents headers are there and fit the record
//	key         the record's key is what the event is about
//	origin      an event belongs to an import that was asked for
//	event-id    a fact is there once (webform-completed excepted: the bridge may write it twice)
//	cause       what caused an event is there too, and is something its stage reads
//	final       each run of an import has exactly one final event, and it says what really happened
//	status      steps never go back, and end where the import ended
//	form        each import has at most one published form, and it is its own user's
//	account     the accounts are the provider's, each once
//	row         the rows are the provider's, each once, with their exact amounts
//	count, sum  the final event's figures are those of the rows and of the provider
//	dead-letter only what had to be given up was
//	redrive     what is marked as redriven is back where it came from, once, and nothing else is
//
// An import whose run was given up may go on as the next run; [Truth] says how
// many there are. What an earlier run has published counts for the later one, and
// the rows of a read that was given up are true but maybe not all.
package check
