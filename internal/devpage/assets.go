package devpage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
)

// assets serves the files that pages load, by name.
type assets map[string]asset

type asset struct {
	body []byte
	etag string
}

// newAssets panics when a file cannot be read: they are part of the program.
func newAssets() assets {
	all := assets{}
	dir, err := files.ReadDir("assets")
	if err != nil {
		panic(fmt.Errorf("devpage: %w", err))
	}
	for _, f := range dir {
		b, err := files.ReadFile("assets/" + f.Name())
		if err != nil {
			panic(fmt.Errorf("devpage: %w", err))
		}
		sum := sha256.Sum256(b)
		all[f.Name()] = asset{b, `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return all
}

// ServeHTTP lets browsers keep a file as long as it is the same.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, r.PathValue("name"), time.Time{}, bytes.NewReader(f.body))
}
