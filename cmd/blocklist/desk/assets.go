package desk

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
)

//go:embed templates assets
var files embed.FS

// assets are the style sheet and the script, by URL. Each URL has the hash of the content, so a browser may cache the
// file forever and never uses the file of another version.
type assets map[string][]byte

func readAssets() (assets, error) {
	a := assets{}
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		content, err := files.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		a["/assets/"+hex.EncodeToString(sum[:8])+"/"+e.Name()] = content
	}
	return a, nil
}

// url returns the URL of an asset.
func (a assets) url(name string) string {
	for at := range a {
		if path.Base(at) == name {
			return at
		}
	}
	return ""
}

// ServeHTTP implements [http.Handler].
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, ok := a[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
	_, _ = w.Write(content) //nolint:gosec // it is our own file; the reader may be gone
}
