// Package finapi is the client of the provider, finAPI: its Web Form 2.0, in
// which a person connects a bank, and its Access v2, from which the bank
// connection, the accounts and the transactions are read. The stages use it.
//
// # What it takes care of
//
//   - Users and tokens. A [User] and its password are derived from upstream's
//     user id, so there is nothing to store. Tokens are cached, asked for once
//     however many callers wait, and never revoked: the user's open forms
//     depend on them.
//   - Gentleness. One limiter bounds the calls that run at the same time and
//     adapts to how the provider copes; polls give way to real work. After a
//     429, or a 503 that says until when, nothing is sent until the pause is
//     over. While too many calls fail, a breaker sends one probe every five
//     seconds and nothing else.
//   - Blame. An outage must use up nobody's attempts, however few calls there
//     are to tell it by, and a call that alone fails must not be held for ever.
//     So where nothing comes through any more, the host is asked how it is with
//     a call without a token (a ping, at most one in five seconds): if it does
//     not answer, the failed call is unavailable, else it is its own fault.
//   - Errors. The provider's four shapes of error bodies, and whatever else a
//     gateway may answer, become one [Error], whose [Class] says what to do.
//     What ends an import must be in the provider's own words.
//   - Doubt. Every answer is bounded in time and size and checked before it is
//     used: a missing required field, another account's row or the answer to
//     another request is an error, never a zero value.
//
// # What it is not
//
// It repeats no call, but for one after a token was refused: when to try again
// is the caller's business. It does not wait for a form or a download. It does
// not decide what an import's end means: form statuses and error codes are
// handed on. It holds no personal data longer than a call, writes none to logs,
// metrics and errors, and reads no callback.
//
// # Where the facts come from
//
// finAPI publishes no OpenAPI document of Access v2 that we could find. The
// facts come from clients generated from the official documents (Access v2
// 2024.18.1, Web Form 2.709.0), from a text copy of Web Form 2.906.0 for the
// cancel call, and from what other integrators saw. They stand in api/finapi.yaml.
// Facts that shaped the code:
//
//   - The token endpoint repeats the same token until it has run out, so asking
//     early may give the old one again.
//   - A wrong user password is 400, a wrong client 401, a locked user 423; a
//     user who fails too often is locked.
//   - A form breaks with INVALID_TOKEN when the token that created it dies
//     before the user is done.
//   - Creating a form knows no idempotency key: after a lost answer a second
//     call makes a second form.
//   - Access writes types like CreditCard, Web Form like CREDIT_CARD; form
//     times have no colon in their offset; amounts are unpadded JSON numbers.
package finapi
