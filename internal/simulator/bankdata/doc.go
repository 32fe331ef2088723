// Package bankdata is what the simulated banks hold: banks, their accounts and
// the rows of each account. The provider simulator serves it.
//
// Everything is generated from a seed, so the same seed gives the same data on
// every machine. An account of a million rows takes no memory: a row is computed
// from its position whenever somebody asks for it. The two test banks are planned
// row by row instead, because their sums must be exact.
//
// Rows know how many days before the download they were booked, not when. So
// counts and sums do not depend on the clock; only dates and the texts made of
// dates do.
//
// Names, numbers and purposes are invented. IBANs have correct check digits and
// bank codes that begin with 9, which no German bank has.
//
// The package has no state and knows nothing of connections, users or time. It
// is not a copy of finAPI's test banks: it has their shape and their totals.
package bankdata
