// Package pipeline runs keyed functions with state and a timer, exactly once,
// thousands of slow calls at a time, on plain Kafka.
//
// A [Stage] has one input topic. Its [Handler] is a function from a [Trigger]
// (a record, or the timer of a key) and the [State] of that key to a [Result]:
// events to publish, new state, next wake. A [Runner] reads the topic, calls
// the handler, and commits each result in one Kafka transaction with the
// offset that it answers. The package knows Kafka and nothing else: banks,
// providers and HTTP live in the stages.
//
// # What it promises
//
//   - Under read_committed the outputs of every input appear exactly once, or
//     its dead letter does.
//   - Outputs of one key appear in the order of its input, also across
//     failures; other keys do not wait for it, as long as their partition has room.
//   - A record whose result was committed is never handled again, whatever
//     crashes. State, timer, outputs and offset change together or not at all.
//   - After a crash, and where trouble with Kafka starts the clients again, at most the
//     calls in flight and the results that wait for their commit (at most 40,000: a
//     batch on its way and one that gathers) are repeated, with the same event id.
//   - Memory is bounded by settings, as said below.
//   - No transaction is open while a handler runs, so no reader is held up
//     longer than the transaction timeout (10 s) and the time until the broker looks
//     for transactions that are past it (10 s by Kafka's default).
//
// # What it does not promise
//
// Exactly once is from Kafka to Kafka. What a handler does elsewhere happens at
// least once: it is repeated after a crash between the call and its commit, so
// calls must be safe to repeat. Readers that do not read with
// isolation.level=read_committed see aborted records. A topic without replicas may
// lose the markers of a transaction when its broker is killed (Kafka 4.4.0): its
// readers then wait until a person ends that transaction. A broker that is cut off
// from the others, but not from us, can tell of older offsets until it knows that the
// group has moved: if the answer to a commit is lost right then, its results are
// published twice (by reasoning; no test has met it).
//
// Memory is bounded by settings: admitted records, results that wait for their
// commit, and state; the clients' fetch and produce buffers come on top (about
// 8 MiB a broker, compressed, and 16 MiB). State that does not fit stops the start
// of the stage with a clear error; later it goes on with a warning, because it may
// have taken over what another process held. One result may have 32 MiB, one event
// about 1 MB.
//
// # The life of one record
//
//	            poll                    lane of its key             handler
//	input ──▶ admitted ──▶ waits for the key's older triggers ──▶ runs, is retried
//	             ▲                        ▲      ▲                   │
//	             │                        │      │                   ▼ result or dead letter
//	         as long as                   │      └── the next ──── finished
//	        there is room          timers join here  of the key      │
//	                                                                 ▼ one transaction:
//	                                        1 offset and completion map (fenced by the group's generation)
//	                                        2 outputs, dead letters, state
//	                                        3 end
//	                                                                 │
//	                                                                 ▼
//	                                                             committed
//
// The next trigger of a key runs on the state that its predecessor wants, before
// that is committed; their results are committed in order. If Kafka refuses one
// of them, it becomes a dead letter and those behind it run again.
//
// Records finish in any order. The committed offset is the lowest unfinished
// one; what is finished above it is written into the metadata of the commit
// (the completion map), so that it is skipped after a restart. Admission stops
// before the map could outgrow the metadata.
//
// # When something goes wrong
//
// A handler's plain error, and a panic, are retried in place with growing
// pauses until the retry budget is spent; [Permanent] gives up at once;
// [Unavailable] waits without counting. Giving up writes a dead letter and what
// [Handler].GaveUp returns in one transaction with the offset. A dead letter can
// be redriven ([DeadLetters]): in one transaction its record comes back to its own
// topic and partition with a count, which the handler sees in Trigger.Redrive, and
// the dead letter is marked, so that it happens once. A timer comes back as an
// empty record that wakes its key.
//
// While a handler says [Unavailable] the stage is held: nothing new is admitted,
// no timer fires, and one trigger at a time tries again until one gets through, also
// of those that failed in another way. A failure meanwhile does not spend the budget.
//
// A handler whose context has ended must return. One that does not is left behind
// after a second, and what it returns is thrown away.
//
// A commit that fails is repeated. A commit whose answer is lost is looked up:
// a new producer ends the old one's transaction, then the group's offsets say
// whether it was committed; this is asked until there is an answer, and nothing
// else is committed meanwhile. Anything else that goes wrong with Kafka ends
// the stage's clients and starts them again from what is committed. So does a
// membership of the group that was lost in between, even if the group has given
// it back: others may have worked on the partitions.
//
// What only a person can mend ends the stage with an error that says what to do:
// a missing topic or permission, unequal partition counts, a topic that was
// deleted and created again, records that retention took before they were
// handled, a completion map that cannot be read, two processes with one
// instance id.
//
// # Topics
//
// For a stage "webform" with the default group: consumer group
// "bankimport.webform", transactional id "bankimport.webform.<instance>", and
// the compacted topic "bankimport.webform.state" with as many partitions as the
// input. State goes to the partition number of its input record, never by
// hash, so upstream may partition as it likes. All names get Config.TopicPrefix
// in front.
//
// Needed: Kafka 4.0 or later with transaction.version 2 or later, all topics of
// a stage on one cluster.
package pipeline
