package webform

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/go-json-experiment/json"

	"github.com/bankimport/bankimport/schemas"
)

// content is what the value of an import-requested says.
type content struct {
	importID string // "" when it could not be read
	userID   string // "" when it could not be read
	hash     string
	request  schemas.ImportRequested // only without a problem
	problem  error                   // all that is wrong; names fields, never values
}

// read takes a request apart. It never fails: whatever somebody sends has a
// hash, so that it can be told whether it is the same as before.
func read(value []byte) content {
	request, err := schemas.DecodeImportRequested(value)
	if err != nil {
		return unreadable(value, err)
	}
	c := content{request: request, hash: request.Hash(), problem: request.Validate()}
	if c.importID, c.userID = request.ImportID, request.UserID; c.problem != nil {
		c.importID, c.userID = schemas.RequestIdentity(value)
	}
	return c
}

// unreadable is the content of a value that breaks the contract. What it knows
// of the contract's fields counts as its content if there is anything, else its
// bytes.
func unreadable(value []byte, problem error) content {
	c := content{problem: problem}
	c.importID, c.userID = schemas.RequestIdentity(value)
	var known schemas.ImportRequested
	if c.importID != "" && json.Unmarshal(value, &known) == nil {
		c.hash = known.Hash()
		return c
	}
	sum := sha256.Sum256(value)
	c.hash = "raw-" + hex.EncodeToString(sum[:16])
	return c
}
