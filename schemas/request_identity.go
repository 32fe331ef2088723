package schemas

import (
	"slices"
	"strings"
)

// RequestIdentity reads from the value of a bad import-requested whom to tell:
// the import's id, and the user's where it is valid. The import id is "" when
// the value is not a JSON object that names one valid import id once.
func RequestIdentity(b []byte) (importID, userID string) {
	object, problem := members(b)
	if problem != "" {
		return "", ""
	}
	importID, _ = only(object, "import_id")
	if !validUUID(importID) {
		return "", ""
	}
	if userID, _ = only(object, "user_id"); !validUserID(userID) {
		userID = ""
	}
	return importID, userID
}

// only returns the text of the one member with this name, in whatever case.
func only(object []member, name string) (string, bool) {
	same := slices.DeleteFunc(slices.Clone(object), func(m member) bool { return !strings.EqualFold(m.name, name) })
	if len(same) != 1 || same[0].name != name {
		return "", false
	}
	return unquote(same[0].value)
}
