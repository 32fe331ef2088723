package finapi

import "strings"

// currency is a code of three letters in capitals, or "" for none. It is not ok
// when the provider wrote something else, whose amount nobody could read.
// Whether the code exists is not asked: the provider's list has historical and
// unofficial ones.
func currency(code string) (_ string, ok bool) {
	if code == "" {
		return "", true
	}
	code = strings.ToUpper(code)
	return code, len(code) == 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
