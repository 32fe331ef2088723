package finapi

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// failure is what an error body says, as far as it may be repeated: codes and
// names of fields, never the texts meant for people.
type failure struct {
	known  bool     // one of the four shapes
	codes  []string // in the provider's order
	fields []string // fields of our request that it refuses
}

// code is the first one, "" if there is none.
func (f failure) code() string {
	if len(f.codes) == 0 {
		return ""
	}
	return f.codes[0]
}

// has reports whether a code is among them.
func (f failure) has(code string) bool { return slices.Contains(f.codes, code) }

// readFailure reads the body of an error answer. The provider has four shapes:
//
//	{"errors":[{"code":…,"type":…}], "requestId":…}    Access
//	{"error":…, "error_description":…}                 Access, authentication
//	{"code":…, "description":…, "timestamp":…}         Web Form
//	{"errors":[{"field":…,"message":…}], …}            Web Form, 400
//
// Anything else, such as a gateway's page, is not known and says nothing.
func readFailure(body []byte) failure {
	var b struct {
		Errors []struct {
			Code  string `json:"code"`
			Field string `json:"field"`
		} `json:"errors"`
		Code        string         `json:"code"`
		Error       string         `json:"error"`
		Description string         `json:"error_description"`
		Status      jsontext.Value `json:"status"`
	}
	// What a person reads in it may be garbled; only the codes matter.
	if json.Unmarshal(body, &b, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) != nil {
		return failure{}
	}
	f := failure{}
	for _, e := range b.Errors {
		switch {
		case e.Code != "":
			f.codes = append(f.codes, safeCode(e.Code))
		case e.Field != "":
			f.fields = append(f.fields, safeField(e.Field))
		default:
			continue
		}
		f.known = true
	}
	if b.Description == "" && b.Status != nil {
		// {"timestamp":…,"status":404,"error":"Not Found","path":…} is what a
		// server says for which nobody has written an answer.
		b.Error = ""
	}
	for _, code := range []string{b.Code, b.Error} {
		if code != "" {
			f.known = true
			f.codes = append(f.codes, safeCode(code))
		}
	}
	return f
}

const maxCode = 64

// safeCode passes a code on if it looks like one. Letters and underscores can
// spell no account number.
func safeCode(code string) string {
	if len(code) <= maxCode && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") == "" {
		return code
	}
	return CodeUnknownErrorAnswer
}

// safeField passes the name of a field of ours on, and nothing else.
func safeField(field string) string {
	name := strings.TrimPrefix(field, "$.")
	for _, known := range []string{
		"bank", "bank.id", "bank.search", "bankConnectionName", "accountTypes", "maxDaysForDownload",
		"callbacks", "callbacks.finalised", "profileId", "redirectUrl",
		"id", "password", "view", "accountIds", "bankConnectionIds", "page", "perPage", "order",
	} {
		if name == known {
			return known
		}
	}
	return "another field"
}
