package keys

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Limits on key files. A larger file is not read.
const (
	maxKeyFile    = 16 << 10
	maxWorkFactor = 20 // maximum log2 of the scrypt work factor; with it, decrypting takes a few seconds and 1 GiB
)

// Generate makes an officer's ed25519 key pair. It writes the private key to a new file at path, which only its owner
// can read, and the public key to a new file at publicPath. It fails if either file exists. The name identifies the
// officer in error messages and in the list's root. The private key is encrypted with the passphrase, in the format of
// age (scrypt); with an empty passphrase it is not encrypted. Generate returns the public key as text.
func Generate(path, publicPath, name, passphrase string) (public string, err error) {
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err == nil {
		_, err = notekey.Parse(public)
	}
	if err != nil {
		return "", fmt.Errorf("making a key named %q: %w", name, err)
	}
	content := []byte(private + "\n")
	if passphrase != "" {
		if content, err = encrypt(content, passphrase); err != nil {
			return "", fmt.Errorf("encrypting the private key: %w", err)
		}
	}
	return public, writePair(path, content, publicPath, []byte(public+"\n"))
}

// GenerateIdentity makes the age key pair of a subscriber to confidential lists. The argument kind is hybrid or x25519.
// It writes the identity to a new file at path, which only its owner can read, and the recipient, which the agency
// needs, to a new file at publicPath. It fails if either file exists. It returns the recipient as text.
func GenerateIdentity(path, publicPath, kind string) (recipient string, err error) {
	private, public, err := trust.NewIdentity(kind)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", time.Now().Format(time.RFC3339), public, private)
	return public, writePair(path, []byte(text), publicPath, []byte(public+"\n"))
}

// writePair writes both files of a key pair, or neither.
func writePair(path string, private []byte, publicPath string, public []byte) error {
	if err := writeNew(path, private, 0o600); err != nil {
		return err
	}
	if err := writeNew(publicPath, public, 0o644); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// writeNew writes a new file. It fails if the file exists.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("writing %s: %w: a key file is never overwritten; choose another name", path, err)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func encrypt(plain []byte, passphrase string) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ErrPassphrase is returned if a key file can't be decrypted because the passphrase is wrong.
var ErrPassphrase = errors.New("the passphrase is wrong")

// Check fails unless [Load] would find a key at path. It does not decrypt the key, so it needs no passphrase.
func Check(path string) error {
	if name, ok := strings.CutPrefix(path, AgentPrefix); ok {
		_, err := findAgentKey(name)
		return err
	}
	content, err := readKeyFile(path)
	if err == nil && !bytes.HasPrefix(content, []byte(armor.Header)) {
		_, err = parsePrivate(path, content)
	}
	return err
}

// Load returns an officer's private key from the key file at path, or from the ssh-agent if path begins with
// [AgentPrefix]. In the agent it looks for a key with this comment or SHA256:... fingerprint. Load calls passphrase
// only if the file is encrypted. The result is a [crypto.Signer], so a program can use any other ed25519 signer
// instead.
func Load(path string, passphrase func() (string, error)) (crypto.Signer, error) {
	if name, ok := strings.CutPrefix(path, AgentPrefix); ok {
		return findAgentKey(name)
	}
	content, err := unlock(path, passphrase)
	if err != nil {
		return nil, err
	}
	return parsePrivate(path, content)
}

// unlock returns the text of the private key in a file. It calls passphrase only if the file is encrypted.
func unlock(path string, passphrase func() (string, error)) ([]byte, error) {
	content, err := readKeyFile(path)
	if err != nil || !bytes.HasPrefix(content, []byte(armor.Header)) {
		return content, err
	}
	phrase, err := passphrase()
	if err == nil {
		content, err = decrypt(content, phrase)
	}
	if err != nil {
		return nil, fmt.Errorf("unlocking the key %s: %w", path, err)
	}
	return content, nil
}

// ChangePassphrase encrypts the private key in a file with a new passphrase. The function current returns the old
// passphrase; it is called only if the file is encrypted. Then the function replacement is called, which returns the
// new passphrase. The file is replaced atomically: at any time it can be decrypted with one of the two.
func ChangePassphrase(path string, current, replacement func() (string, error)) error {
	content, err := unlock(path, current)
	if err != nil {
		return err
	}
	if _, err := parsePrivate(path, content); err != nil {
		return err
	}
	phrase, err := replacement()
	if err == nil {
		content, err = encrypt(content, phrase)
	}
	if err != nil {
		return fmt.Errorf("encrypting the private key: %w", err)
	}
	return disk.WriteFile(path, content, 0o600)
}

// readKeyFile returns the content of a key file. It does not decrypt an encrypted file. It limits the length to
// maxKeyFile bytes.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := readAtMost(f, maxKeyFile)
	if err == nil {
		content, err = utf8text.Decode(content)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return content, nil
}

func parsePrivate(path string, content []byte) (crypto.Signer, error) {
	_, key, err := notekey.ParsePrivate(string(content))
	if err != nil {
		if _, public := notekey.Parse(strings.TrimSpace(string(content))); public == nil {
			err = fmt.Errorf("%w: it is a public key, and the private one is in another file", blocklist.ErrMalformed)
		}
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return key, nil
}

func decrypt(content []byte, passphrase string) ([]byte, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(content)), identity)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, err
	}
	return readAtMost(r, maxKeyFile)
}

// readAtMost reads r to its end. It fails with [blocklist.ErrTooLarge] if there are more than limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", blocklist.ErrTooLarge, limit)
	}
	return content, err
}
