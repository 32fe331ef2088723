// Package schemas is the contract of the pipeline with other teams: the events
// it reads and writes, as Go types, as JSON Schemas (json/*.json), as examples
// (examples/*.json) and as one AsyncAPI document (asyncapi.yaml). A test keeps
// the four in step. CHANGELOG.md says what changed for readers.
//
// The package describes records and nothing else: it knows no Kafka client and
// imports nothing of this module. The stages and the webhook bridge write with
// [Encode]; the stages read with [DecodeImportRequested] and [Decode]. Teams
// that write other languages use the files.
//
// Values are JSON objects with snake_case names. A field of which nothing is
// known is left out, never null and never an empty list. Amounts are decimal
// text as the provider wrote it, dates are YYYY-MM-DD, instants RFC 3339 in UTC
// with milliseconds and have names that end in _at. Readers ignore fields they
// do not know, except in import-requested: there a misspelt field would import
// more than was asked for.
package schemas
