package trust

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// ContentType is the media type of a bundle.
const ContentType = "application/x-tar"

// WriteBundle writes a bundle, the content of a push, as a tar stream: all roots from the first to the newest, the
// urgent orders (if any), the targets, and then the given files of the targets. The function open returns their
// content.
func WriteBundle(w io.Writer, roots [][]byte, urgent, targets []byte, files []File, open Open) error {
	tw := tar.NewWriter(w)
	for i, root := range roots {
		if err := writeEntry(tw, RootName(int64(i)+1), root); err != nil {
			return err
		}
	}
	if len(urgent) > 0 {
		if err := writeEntry(tw, metaUrgent, urgent); err != nil {
			return err
		}
	}
	if err := writeEntry(tw, targetsEntry, targets); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(tw, f, open); err != nil {
			return err
		}
	}
	return tw.Close()
}

const targetsEntry = "targets.json"

func writeEntry(tw *tar.Writer, name string, b []byte) error {
	if err := writeHeader(tw, name, int64(len(b))); err != nil {
		return err
	}
	_, err := tw.Write(b)
	return err
}

func writeHeader(tw *tar.Writer, name string, size int64) error {
	return tw.WriteHeader(&tar.Header{
		Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0),
		Typeflag: tar.TypeReg,
	})
}

func writeFile(tw *tar.Writer, f File, open Open) error {
	r, err := open(f)
	if err != nil {
		return fmt.Errorf("opening %s: %w", f.Path, err)
	}
	err = writeHeader(tw, "targets/"+f.Path, f.Length)
	if err == nil {
		err = CopyFile(tw, r, f)
	}
	return errors.Join(err, r.Close())
}

// MissingError lists files that the receiver of a bundle does not have. It wraps [blocklist.ErrGap].
type MissingError struct{ Paths []string }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("bundle: it %v: %d files are missing, the first is %.128q", blocklist.ErrGap, len(e.Paths),
		e.Paths[0])
}

// Unwrap returns [blocklist.ErrGap].
func (e *MissingError) Unwrap() error { return blocklist.ErrGap }

// Bundle is a reader of a bundle. It verifies nothing.
type Bundle struct {
	Roots   [][]byte // Roots[i] is the root that the bundle names as number i+1; empty after [ReadBundle]
	Urgent  []byte   // urgent orders; empty: none
	Targets []byte
	tar     *tar.Reader
	roots   int64 // number of roots read
	left    int64 // limit on the bytes of the remaining roots, since an unverified sender could send many
}

// OpenBundle reads the documents of a bundle: its roots, urgent orders and targets. [Bundle.Next] reads the files after
// them. OpenBundle fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func OpenBundle(r io.Reader) (*Bundle, error) {
	var roots [][]byte
	b, err := ReadBundle(r, func(root []byte) error {
		roots = append(roots, root)
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.Roots = roots
	return b, nil
}

// ReadBundle is OpenBundle without keeping the roots in memory: it calls the function take with each root, and stops at
// an error of take.
func ReadBundle(r io.Reader, take func(root []byte) error) (*Bundle, error) {
	b := &Bundle{tar: tar.NewReader(r), left: MaxAllRoots}
	for b.roots <= MaxRoots {
		h, err := b.tar.Next()
		if err != nil {
			return nil, bundleError(err)
		}
		if err := b.readDocument(h, take); err != nil {
			return nil, err
		}
		if h.Name == targetsEntry {
			return b, nil
		}
	}
	return nil, fmt.Errorf("bundle: %w: more than %d roots", blocklist.ErrTooLarge, MaxRoots)
}

func (b *Bundle) readDocument(h *tar.Header, take func(root []byte) error) (err error) {
	switch {
	case h.Name == targetsEntry:
		b.Targets, err = b.readAll(h, tuf.MaxTargets)
	case h.Name == metaUrgent && b.Urgent == nil:
		b.Urgent, err = b.readAll(h, MaxUrgent)
	case h.Name == RootName(b.roots+1) && b.Urgent == nil:
		var root []byte
		if root, err = b.readAll(h, min(b.left, tuf.MaxRoot)); err == nil {
			b.roots, b.left = b.roots+1, b.left-h.Size
			err = take(root)
		}
	default:
		err = tuf.Malformed("bundle", "unexpected %.80q after %d roots", h.Name, b.roots)
	}
	return err
}

func (b *Bundle) readAll(h *tar.Header, limit int64) ([]byte, error) {
	if h.Size > limit {
		return nil, fmt.Errorf("bundle: %s: %w: %d bytes, the limit is %d", h.Name, blocklist.ErrTooLarge, h.Size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(b.tar, limit))
	if err != nil {
		return nil, bundleError(err)
	}
	return data, nil
}

// Next returns the path and the content of the next file, or [io.EOF] after the last one.
func (b *Bundle) Next() (path string, content io.Reader, err error) {
	h, err := b.tar.Next()
	if err == io.EOF {
		return "", nil, err
	}
	if err != nil {
		return "", nil, bundleError(err)
	}
	path, ok := strings.CutPrefix(h.Name, "targets/")
	if !ok || h.Typeflag != tar.TypeReg {
		return "", nil, tuf.Malformed("bundle", "unexpected %.80q", h.Name)
	}
	return path, b.tar, nil
}

// Unpack calls the function take with each remaining file of the bundle. The argument files has the signed descriptions
// of the files. Unpack returns the descriptions of those that the bundle does not have. It fails with
// [blocklist.ErrMalformed] for a file that has no description, or comes twice.
func (b *Bundle) Unpack(files []File, take func(f File, content io.Reader) error) (missing []File, err error) {
	missing = slices.Clone(files)
	for {
		path, content, err := b.Next()
		if errors.Is(err, io.EOF) {
			return missing, nil
		}
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(missing, func(f File) bool { return f.Path == path })
		if i < 0 {
			return nil, tuf.Malformed("bundle", "file %.80q is not among the targets, or is there twice", path)
		}
		f := missing[i]
		missing = slices.Delete(missing, i, i+1)
		if err := take(f, content); err != nil {
			return nil, err
		}
	}
}

// bundleError wraps [blocklist.ErrMalformed] around an error about an incomplete or invalid tar stream. Other read
// errors stay the same.
func bundleError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return tuf.Malformed("bundle", "%v: it is not a whole tar stream", err)
	}
	return fmt.Errorf("reading the bundle: %w", err)
}
