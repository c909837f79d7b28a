package trust

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// ListKey is the secret that officers and subscribers of a confidential list share: it opens the files of releases and
// what the signed metadata does not say in the clear. It must not be logged; its String says nothing.
type ListKey []byte

const listKeySize = 32

// NewListKey makes a random key.
func NewListKey() ListKey {
	k := make(ListKey, listKeySize)
	_, _ = rand.Read(k) // it never fails
	return k
}

// ParseListKey reads what [ListKey.Text] has written. The error does not repeat the text.
func ParseListKey(text string) (ListKey, error) {
	k, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(k) != listKeySize {
		return nil, tuf.Malformed("list key", "it must be %d hexadecimal digits", 2*listKeySize)
	}
	return k, nil
}

// Text returns the key as hexadecimal digits: the passphrase of what is sealed with it, for the age tool as well.
func (k ListKey) Text() string { return hex.EncodeToString(k) }

// String keeps the key out of logs and errors.
func (k ListKey) String() string { return "(list key)" }

// LogValue keeps the key out of logs.
func (k ListKey) LogValue() string { return k.String() }

// ID identifies the key in the targets of a list, and tells nothing about it.
func (k ListKey) ID(list string) string { return hex.EncodeToString(k.derive("key", list)) }

// derive returns 32 bytes that only who has the key can know.
func (k ListKey) derive(purpose string, parts ...string) []byte {
	mac := hmac.New(sha256.New, k)
	fmt.Fprintf(mac, "argine-%s\n", purpose)
	for _, part := range parts {
		fmt.Fprintf(mac, "%s\n", part)
	}
	return mac.Sum(nil)
}

// workFactor of age's scrypt recipient. The passphrase is a random key, so that stretching it would gain nothing.
const workFactor = 1

// ageHeader begins every file that is sealed with a list key.
const ageHeader = "age-encryption.org/v1\n-> scrypt "

// maxAgeHeader is more than the header of a file that is sealed with a list key.
const maxAgeHeader = 512

// Seal returns a writer that encrypts to dst. Its Close ends what was written.
func (k ListKey) Seal(dst io.Writer) (io.WriteCloser, error) {
	recipient, err := age.NewScryptRecipient(k.Text())
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(workFactor)
	return age.Encrypt(dst, recipient)
}

// unseal reads what Seal has written. It fails with [blocklist.ErrMalformed] for anything that is no such file, and
// with [blocklist.ErrUntrusted] if the key is another one.
func (k ListKey) unseal(src io.Reader) (io.Reader, error) {
	r := bufio.NewReaderSize(src, maxAgeHeader)
	if err := checkSealed(r); err != nil {
		return nil, err
	}
	identity, err := age.NewScryptIdentity(k.Text())
	if err != nil {
		return nil, err
	}
	identity.SetMaxWorkFactor(workFactor)
	plain, err := age.Decrypt(r, identity)
	switch {
	case errors.Is(err, age.ErrIncorrectIdentity):
		return nil, fmt.Errorf("decrypting: %w: the list key does not open it", blocklist.ErrUntrusted)
	case err != nil:
		return nil, fmt.Errorf("decrypting: %w: %s", blocklist.ErrMalformed, utf8text.Plain(err.Error()))
	}
	return sealedReader{plain}, nil
}

// checkSealed tells, without any key, whether r has the form of something that is sealed with a list key: one scrypt
// recipient of the lowest work factor, in a header that is as short as that needs. It reads nothing away.
func checkSealed(r *bufio.Reader) error {
	head, err := r.Peek(maxAgeHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	rest, ok := bytes.CutPrefix(head, []byte(ageHeader))
	if !ok {
		return tuf.Malformed("decrypting", "it is not encrypted, as all of a confidential list must be")
	}
	stanza, rest, _ := bytes.Cut(rest, []byte("\n"))
	if !bytes.HasSuffix(stanza, fmt.Appendf(nil, " %d", workFactor)) {
		return tuf.Malformed("decrypting", "the work factor is not %d", workFactor)
	}
	_, rest, _ = bytes.Cut(rest, []byte("\n"))
	if !bytes.HasPrefix(rest, []byte("--- ")) {
		return tuf.Malformed("decrypting", "the header is not that of one scrypt recipient")
	}
	return nil
}

// sealedReader says in the words of package blocklist what is wrong with an encrypted stream.
type sealedReader struct{ r io.Reader }

func (s sealedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("decrypting: %w: %s", blocklist.ErrMalformed, utf8text.Plain(err.Error()))
	}
	return n, err
}

// textStep hides how long a short text is, in bytes.
const textStep = 512

// sealText encrypts a short text for a JSON document, and hides its length but for steps of [textStep].
func (k ListKey) sealText(text string) (string, error) {
	padding := textStep - len(text)%textStep
	var out bytes.Buffer
	w, err := k.Seal(&out)
	if err == nil {
		_, err = io.WriteString(w, text+strings.Repeat("\n", padding))
	}
	if err == nil {
		err = w.Close()
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), err
}

// unsealText opens what sealText has encrypted, which may not be longer than limit.
func (k ListKey) unsealText(sealed string, limit int64) (string, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", tuf.Malformed("decrypting", "it is not base64")
	}
	r, err := k.unseal(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(r, limit+textStep+1))
	if err == nil && int64(len(text)) > limit+textStep {
		err = fmt.Errorf("decrypting: %w: more than %d bytes", blocklist.ErrTooLarge, limit)
	}
	return strings.TrimRight(string(text), "\n"), err
}

// CheckSealed tells, without any key, whether a file of a confidential list has the form that it must have.
func CheckSealed(r io.Reader, f File) error {
	if f.kind() != "" {
		_, err := CountRecipients(r, f)
		return err
	}
	if err := checkSealed(bufio.NewReaderSize(r, maxAgeHeader)); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}
