// Package callback makes and opens the token that stands in the callback URL
// of a web form.
//
// The provider signs nothing, so the URL itself is the secret: whoever calls
// it with a token that opens was told the URL by the webform stage. The token
// says which import and run the callback belongs to and until when it counts;
// nobody else can make one, read one or change one. It grants nothing but "look
// at this import's form again".
//
// A token is 60 bytes, 80 characters of base64url without padding:
//
//	version 1 | key id 4 | nonce 12 | sealed: kind 1, import id 16, run 2, expiry 8 | tag 16
//
// Sealing is AES-256-GCM with a random nonce; one key must not seal more than
// 2³² tokens (eleven years at a million a day). Version, key id and the name of
// the environment are authenticated with it, so that a token of one environment
// does not open in another although the keys may be the same.
//
// Keys rotate without a gap: add the new key at the end of the list everywhere,
// move it to the front everywhere, take the old one out once the longest token
// life has passed.
//
// The webform stage seals, the webhook bridge opens. This package keeps no
// state, reads no configuration and knows no HTTP.
package callback
