package trust

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// workFactor is the work factor of age's scrypt recipient. It is the lowest one: the passphrase is a random key, for
// which a slow hash gains nothing.
const workFactor = 1

// ageHeader is the beginning of all files encrypted with a list key.
const ageHeader = "age-encryption.org/v1\n-> scrypt "

// maxAgeHeader is an upper bound on the header of a file encrypted with a list key, in bytes.
const maxAgeHeader = 512

// Seal returns a writer that encrypts to dst. Close completes the output.
func (k ListKey) Seal(dst io.Writer) (io.WriteCloser, error) {
	recipient, err := age.NewScryptRecipient(k.Text())
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(workFactor)
	return age.Encrypt(dst, recipient)
}

// unseal decrypts the output of Seal. It fails with [blocklist.ErrMalformed] if the input has another form, and with
// [blocklist.ErrUntrusted] if it is encrypted with another key.
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

// checkSealed checks, without a key, that r begins as a file encrypted with a list key does: with one scrypt recipient
// of the lowest work factor, and nothing else in the header. It only peeks at r.
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

// sealedReader is a decrypting reader whose errors wrap the sentinels of package blocklist.
type sealedReader struct{ r io.Reader }

func (s sealedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("decrypting: %w: %s", blocklist.ErrMalformed, utf8text.Plain(err.Error()))
	}
	return n, err
}

// textStep is the unit of padding, in bytes: before encryption, a text is padded to a multiple of it, to hide its
// length.
const textStep = 512

// sealText encrypts a short text for a JSON document. The text is padded to a multiple of [textStep].
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

// unsealText decrypts the output of sealText. It fails with [blocklist.ErrTooLarge] if the padded text has more than
// limit bytes plus [textStep].
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

// CheckSealed returns an error unless a file of a confidential list is encrypted in the required form. The argument r
// has the content of the file f. No key is needed.
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
