package origin

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// keyName is the name of the holder in every online key of an origin.
const keyName = "origin"

// keyFile returns the file name of an online key with the given ending: online.key, online-2.key and so on. The file
// with the ending .pub has the public key, which agencies add to a list's root.
func keyFile(number int, ending string) string {
	if number == 1 {
		return "online" + ending
	}
	return fmt.Sprintf("online-%d%s", number, ending)
}

// maxKeys is the maximum number of online keys of an origin, including keys that are no longer used.
const maxKeys = 1000

// Init creates the folder of an origin with a new online key, and returns the public key for the agencies' roots. It
// fails if the folder already has a key.
func Init(dir string) (public string, err error) {
	if err := os.MkdirAll(filepath.Join(dir, listsDir), 0o755); err != nil {
		return "", fmt.Errorf("making the origin: %w", err)
	}
	path := filepath.Join(dir, keyFile(1, ".key"))
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("making the origin: %s is there already; it is never overwritten", path)
	}
	return makeKey(dir, 1)
}

// Rekey creates another online key, and returns its public key as text and the path of the file with it. After a push
// whose root names the new key, the origin signs the list of that push with the new key. Older keys stay for the other
// lists.
func (o *Origin) Rekey(ctx context.Context) (public, path string, err error) {
	err = o.change(ctx, func() error {
		for number := 2; number <= maxKeys; number++ {
			_, err := os.Lstat(filepath.Join(o.dir, keyFile(number, ".key")))
			if errors.Is(err, fs.ErrNotExist) {
				path = filepath.Join(o.dir, keyFile(number, ".pub"))
				public, err = makeKey(o.dir, number)
				return err
			}
			if err != nil {
				return fmt.Errorf("making an online key: %w", err)
			}
		}
		return fmt.Errorf("making an online key: %w: there are %d", blocklist.ErrTooLarge, maxKeys)
	})
	return public, path, err
}

func makeKey(dir string, number int) (public string, err error) {
	private, public, err := note.GenerateKey(rand.Reader, keyName)
	if err != nil {
		return "", fmt.Errorf("making the online key: %w", err)
	}
	if err := disk.WriteFile(filepath.Join(dir, keyFile(number, ".key")), []byte(private+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the online key: %w", err)
	}
	if err := disk.WriteFile(filepath.Join(dir, keyFile(number, ".pub")), []byte(public+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("writing the online key: %w", err)
	}
	return public, nil
}

// keyFiles returns the paths of all private online keys in the folder.
func keyFiles(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "online*.key"))
	return files
}

// signer reads from disk the online key that a root names. It fails with [blocklist.ErrUntrusted] if this origin does
// not have that key.
func (o *Origin) signer(r *trust.Root) (ed25519.PrivateKey, error) {
	var newest notekey.Key
	for _, path := range keyFiles(o.dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the online keys: %w", err)
		}
		key, signer, err := notekey.ParsePrivate(string(b))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
		}
		if r.Spec().Online.Equal(key) {
			return signer, nil
		}
		newest = key
	}
	return nil, fmt.Errorf("root %d: %w: its online key is %s, this origin has other ones, such as %s",
		r.Version(), blocklist.ErrUntrusted, r.Spec().Online, newest)
}
