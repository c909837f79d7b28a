package trust

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/argine-dns/argine/blocklist"
)

// Limits on decompression.
const (
	MaxText   = 4 << 30 // maximum size of a release's decompressed text, in bytes
	MaxWindow = 8 << 20 // memory for the zstd window, in bytes; compression level 19 uses this much
	// maxRatio is the maximum compression ratio. Millions of similar names with one long reference reach about 160.
	maxRatio = 512
)

// CopyFile copies a file of the targets from src to dst, and checks its length and hash. It fails with
// [blocklist.ErrUntrusted] if they differ from the signed ones. It reads at most one byte more than the signed length.
func CopyFile(dst io.Writer, src io.Reader, f File) error {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, hash), io.LimitReader(src, f.Length+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading %s: %w", f.Path, err)
	case n > f.Length:
		return fmt.Errorf("%s: %w: longer than the %d bytes that were signed", f.Path, blocklist.ErrUntrusted, f.Length)
	case n < f.Length:
		return fmt.Errorf("%s: %w: cut short, %d of %d bytes", f.Path, blocklist.ErrUntrusted, n, f.Length)
	case !bytes.Equal(hash.Sum(nil), f.SHA256):
		return fmt.Errorf("%s: %w: the SHA-256 is not the one that was signed", f.Path, blocklist.ErrUntrusted)
	}
	return nil
}

// OpenFile opens a file of the targets on disk, after checking its length and hash.
func OpenFile(path string, f File) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = CopyFile(io.Discard, file, f)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// OpenText returns the text of a file whose hash was checked. It decrypts the file if the list is confidential, and
// decompresses it. Reading fails if the text is larger than [MaxText] or the compression ratio is too high.
func OpenText(r io.Reader, f File) (io.ReadCloser, error) {
	if f.Key != nil {
		var err error
		if r, err = f.Key.unseal(r); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxWindow))
	if err != nil {
		return nil, fmt.Errorf("decompressing %s: %w", f.Path, err)
	}
	left := int64(MaxText)
	if f.Length < left/maxRatio {
		left = maxRatio*f.Length + 1<<20
	}
	return &text{zstd: d, path: f.Path, left: left}, nil
}

// text is the decompressed text of a release. Reading beyond its maximum length fails.
type text struct {
	zstd *zstd.Decoder
	path string
	left int64
}

func (t *text) Read(p []byte) (int, error) {
	n, err := t.zstd.Read(p)
	t.left -= int64(n)
	switch {
	case t.left < 0, errors.Is(err, zstd.ErrWindowSizeExceeded):
		return 0, fmt.Errorf("decompressing %s: %w", t.path, blocklist.ErrTooLarge)
	case err != nil && !errors.Is(err, io.EOF):
		return 0, fmt.Errorf("decompressing %s: %w: %w", t.path, blocklist.ErrMalformed, err)
	}
	return n, err
}

func (t *text) Close() error {
	t.zstd.Close()
	return nil
}

// OpenRelease reads the header of a release and compares it with the signed description in f. It fails with
// [blocklist.ErrUntrusted] if they differ. The caller reads the changes, and then closes the returned Closer.
func OpenRelease(r io.Reader, f File) (*blocklist.ReleaseReader, io.Closer, error) {
	t, err := OpenText(r, f)
	if err != nil {
		return nil, nil, err
	}
	reader, err := blocklist.NewReleaseReader(t)
	if err == nil {
		err = f.Release.matches(reader.Header())
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), t.Close())
	}
	return reader, t, nil
}
