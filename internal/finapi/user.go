package finapi

// User is a user at the provider, derived from upstream's user id by
// [Client.User]. The zero value is no user. The password is derived when it is
// needed, so a User holds no secret.
type User struct {
	// ID is the provider's user id: at most 36 lower-case characters, and the
	// same for the same upstream user for ever.
	ID string
}
