package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile is more than any key or bundle of authorities has.
const maxFile = 1 << 20

// readFile returns what is in the file of a secret or PEM text. The error says
// what is wrong with the file, as the end of a sentence, and quotes nothing: a
// secret may stand where its file's name was wanted. How a file may be read is
// not judged: Kubernetes and Docker mount secrets readable for all inside a
// container.
func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("names a file that does not exist")
	case errors.Is(err, fs.ErrPermission):
		return "", errors.New("names a file that this process may not read")
	case err != nil:
		return "", errors.New("names a file that cannot be opened" + reason(err))
	case info.IsDir():
		return "", errors.New("names a directory: want a file")
	case !info.Mode().IsRegular():
		return "", errors.New("names something that is no regular file")
	case info.Size() > maxFile:
		return "", errors.New("names a file of more than 1 MiB")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", errors.New("names a file that this process may not read" + reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1)) // it may have grown
	switch {
	case err != nil:
		return "", errors.New("names a file that cannot be read" + reason(err))
	case len(text) > maxFile:
		return "", errors.New("names a file of more than 1 MiB")
	case strings.TrimSpace(string(text)) == "":
		return "", errors.New("names an empty file")
	case !utf8.Valid(text):
		return "", errors.New("names a file that is no text")
	}
	return string(text), nil
}

// reason is the system's word for an error, without the path.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return ": " + e.Err.Error()
	}
	return ""
}

// secretProblem says what is wrong with a secret, whatever it is for, or "".
func secretProblem(value string) string {
	switch {
	case value == "":
		return "is empty"
	case value != strings.TrimSpace(value):
		return "begins or ends with white space"
	case placeholder(value):
		return "is a placeholder: set the real value"
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
		return "contains control characters"
	}
	return ""
}

// placeholder reports what templates and examples have in place of a secret.
func placeholder(value string) bool {
	lower := strings.ToLower(value)
	for _, word := range []string{"changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "placeholder"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	switch lower {
	case "todo", "tbd", "xxx", "none", "null":
		return true
	}
	return strings.HasPrefix(lower, "<") && strings.HasSuffix(lower, ">") ||
		strings.HasPrefix(lower, "${") || strings.HasPrefix(lower, "{{")
}
