// Package bridge takes the callbacks of the provider and makes them hints on a
// topic.
//
//	POST /callbacks/finapi/{token} → webform-completed
//
// A request goes through these steps, and most end at the second:
//
//	path, method ─▶ open the token ─▶ room? ─▶ body ≤ 4 KiB ─▶ said before? ─▶ publish ─▶ 200
//	   404  405         404            503       413              200           503
//
// The provider signs nothing: the token in the URL, which only the webform
// stage can make, is what lets a request in. It is opened before a byte of the
// body is read, and every token that does not open gets the same answer. The
// body is only a hint, so one that cannot be read is a hint too: whoever reads
// the topic looks the form up at the provider.
//
// 200 means that all in-sync replicas have the record. The provider ignores our
// answer and does not try again, so a 503 is a hint lost; the connection stage
// asks by itself, half a minute later at most.
//
// The bridge holds no state but a bounded memory of the last seconds, so that
// repeats of one hint are one record. It reads no topic, calls nobody, and
// writes neither paths nor bodies nor tokens to its log.
package bridge
