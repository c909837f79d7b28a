package service

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// tokenFile is the name of the file in the state folder that has the token of the operator's page. Anyone who can read
// the file may accept and reject holds, just like users of the control socket.
const tokenFile = "web.token"

// webToken returns the token in the state folder. It creates the token if there is none.
func webToken(state string) (string, error) {
	path := filepath.Join(state, tokenFile)
	text, err := files.ReadSmall(path)
	if token := strings.TrimSpace(string(text)); err == nil && len(token) >= len(rand.Text()) {
		return token, os.Chmod(path, 0o600)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := rand.Text()
	err = os.WriteFile(path+".new", []byte(token+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return "", fmt.Errorf("making the token: %w", err)
	}
	return token, nil
}

// isToken reports whether a text is the token. It compares in constant time.
func (w *webServer) isToken(text string) bool {
	given, want := sha256.Sum256([]byte(strings.TrimSpace(text))), sha256.Sum256([]byte(w.token))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}
