package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Limits on the subscribers of a confidential list, and on the sizes of key files and identity files, in bytes.
const (
	MaxSubscribers = 1000
	MaxKeyFile     = 2 << 20
	maxIdentities  = 64 << 10
)

// Kinds of recipients. Each kind has its own key file: age refuses to mix them, since the file would only be as safe as
// the weaker kind.
const (
	KindHybrid = "hybrid" // X25519 and ML-KEM-768, against future quantum computers
	KindX25519 = "x25519"
)

// Kinds returns all kinds of recipients, the stronger one first.
func Kinds() []string { return []string{KindHybrid, KindX25519} }

// stanza returns the name of a kind of recipients in the headers of age files.
func stanza(kind string) string {
	if kind == KindHybrid {
		return "mlkem768x25519"
	}
	return "X25519"
}

// Recipient is a subscriber's public key, to which list keys are encrypted.
type Recipient struct {
	Kind string
	text string
	to   age.Recipient
}

// String returns the text form, age1...
func (r Recipient) String() string { return r.text }

// trimmedLines removes a byte order mark, and the white space around each line. Age's parsers accept neither.
func trimmedLines(text []byte) (io.Reader, error) {
	decoded, err := utf8text.Decode(text)
	if err != nil {
		return nil, err
	}
	lines := bytes.Split(decoded, []byte("\n"))
	for i, line := range lines {
		lines[i] = bytes.TrimSpace(line)
	}
	return bytes.NewReader(bytes.Join(lines, []byte("\n"))), nil
}

// ParseRecipient parses an age recipient, age1... The text may also contain empty lines and comments that begin with #.
func ParseRecipient(text string) (r Recipient, err error) {
	lines, err := trimmedLines([]byte(text))
	if err != nil {
		return r, fmt.Errorf("recipient: %w", err)
	}
	if err := notekey.CheckPublic(text); err != nil {
		return r, fmt.Errorf("recipient: %w", err)
	}
	all, err := age.ParseRecipients(lines)
	if err != nil || len(all) != 1 {
		return r, tuf.Malformed("recipient", "it must be one line, age1... or age1pq1...; blocklist keygen --subscriber makes a key pair")
	}
	r.to = all[0]
	switch to := all[0].(type) {
	case *age.HybridRecipient:
		r.Kind, r.text = KindHybrid, to.String()
	case *age.X25519Recipient:
		r.Kind, r.text = KindX25519, to.String()
	default:
		return r, tuf.Malformed("recipient", "it must be an X25519 or a hybrid one, as age-keygen makes them")
	}
	return r, nil
}

// NewIdentity generates a key pair of a kind, and returns both keys in their text forms.
func NewIdentity(kind string) (private, public string, err error) {
	switch kind {
	case KindHybrid:
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return "", "", err
		}
		return id.String(), id.Recipient().String(), nil
	case KindX25519:
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return "", "", err
		}
		return id.String(), id.Recipient().String(), nil
	}
	return "", "", tuf.Malformed("identity", "there is no kind %.40q; there are %s", kind, strings.Join(Kinds(), ", "))
}

// Encrypt returns a writer that encrypts to recipients of one kind. Close completes the output.
func Encrypt(w io.Writer, to []Recipient) (io.WriteCloser, error) {
	var recipients []age.Recipient
	for _, r := range to {
		if r.Kind != to[0].Kind {
			return nil, tuf.Malformed("encrypting", "the recipients are of two kinds, %s and %s; age does not mix them", to[0].Kind, r.Kind)
		}
		recipients = append(recipients, r.to)
	}
	return age.Encrypt(w, recipients...)
}

// EncryptKey encrypts a list key to recipients of one kind.
func EncryptKey(k ListKey, to []Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := Encrypt(&out, to)
	if err == nil {
		_, err = w.Write(k)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypting the list key: %w", err)
	}
	if out.Len() > MaxKeyFile {
		return nil, fmt.Errorf("encrypting the list key: %w: %d bytes, the limit is %d", blocklist.ErrTooLarge, out.Len(),
			MaxKeyFile)
	}
	return out.Bytes(), nil
}

// Identities are a subscriber's private keys.
type Identities []age.Identity

// ParseIdentities parses a file of age identities: AGE-SECRET-KEY-..., one per line. Its error does not contain the
// text.
func ParseIdentities(text []byte) (Identities, error) {
	if len(text) > maxIdentities {
		return nil, fmt.Errorf("identity: %w: %d bytes, the limit is %d", blocklist.ErrTooLarge, len(text), maxIdentities)
	}
	lines, err := trimmedLines(text)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	all, err := age.ParseIdentities(lines)
	if err != nil {
		return nil, tuf.Malformed("identity", "it must be a file of age identities, AGE-SECRET-KEY-... one a line; blocklist keygen --subscriber makes one")
	}
	return all, nil
}

// Kinds returns the kinds of recipients that match the identities, the stronger one first.
func (ids Identities) Kinds() (kinds []string) {
	has := map[string]bool{}
	for _, id := range ids {
		_, hybrid := id.(*age.HybridIdentity)
		has[KindHybrid] = has[KindHybrid] || hybrid
		has[KindX25519] = has[KindX25519] || !hybrid
	}
	return slices.DeleteFunc(Kinds(), func(kind string) bool { return !has[kind] })
}

// Decrypt decrypts the output of [Encrypt]. It fails with [blocklist.ErrNoKey] if none of the identities is a
// recipient.
func (ids Identities) Decrypt(r io.Reader) (io.Reader, error) {
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: no identity was given", blocklist.ErrNoKey)
	}
	plain, err := age.Decrypt(r, ids...)
	switch {
	case errors.Is(err, age.ErrIncorrectIdentity):
		return nil, fmt.Errorf("%w: it is not encrypted to this identity", blocklist.ErrNoKey)
	case err != nil:
		return nil, fmt.Errorf("decrypting: %w: %w", blocklist.ErrMalformed, err)
	}
	return plain, nil
}

// DecryptKey decrypts a key file. It fails with [blocklist.ErrNoKey] if the file is not encrypted to one of the
// identities.
func (ids Identities) DecryptKey(file []byte) (ListKey, error) {
	r, err := ids.Decrypt(bytes.NewReader(file))
	if err == nil {
		file, err = io.ReadAll(io.LimitReader(r, listKeySize+1))
	}
	switch {
	case errors.Is(err, blocklist.ErrNoKey), errors.Is(err, blocklist.ErrMalformed):
		return nil, fmt.Errorf("opening the list key: %w", err)
	case err != nil:
		return nil, tuf.Malformed("opening the list key", "%v", err)
	case len(file) != listKeySize:
		return nil, tuf.Malformed("opening the list key", "it is not of %d bytes", listKeySize)
	}
	return file, nil
}

// Encrypted reports whether a file with this beginning is encrypted with age.
func Encrypted(begin []byte) bool { return bytes.HasPrefix(begin, []byte("age-encryption.org/")) }

// keyPath returns the path of the key file for a kind of recipients.
func keyPath(kind string) string { return "key-" + kind + ".age" }

// kind returns the kind of a key file, or an empty string for other files.
func (f File) kind() string {
	for _, kind := range Kinds() {
		if f.Path == keyPath(kind) {
			return kind
		}
	}
	return ""
}

// CountRecipients returns the number of recipients of a key file. All of them must be of the file's kind.
func CountRecipients(r io.Reader, f File) (n int, err error) {
	head, err := age.ExtractHeader(io.LimitReader(r, MaxKeyFile))
	if err != nil {
		return 0, tuf.Malformed(f.Path, "%v", err)
	}
	for line := range bytes.Lines(head) {
		if args, ok := bytes.CutPrefix(line, []byte("-> ")); ok {
			if kind, _, _ := strings.Cut(string(args), " "); kind != stanza(f.kind()) {
				return n, tuf.Malformed(f.Path, "it has a recipient of another kind")
			}
			n++
		}
	}
	if n > MaxSubscribers {
		return n, fmt.Errorf("%s: %w: %d subscribers, the limit is %d", f.Path, blocklist.ErrTooLarge, n, MaxSubscribers)
	}
	return n, nil
}
