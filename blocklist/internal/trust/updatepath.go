package trust

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Open opens a file of the targets. It must check the file's length and hash.
type Open func(File) (io.ReadCloser, error)

// File returns the file that leads from one serial, the argument base, to another; for a snapshot, base is 0. It
// returns false if there is none.
func (spec TargetsSpec) File(base, serial uint64) (File, bool) {
	i := slices.IndexFunc(spec.Files, func(f File) bool { return f.Release.Base == base && f.Release.Serial == serial })
	if i < 0 {
		return File{}, false
	}
	return spec.Files[i], true
}

// State returns the signed description of a serial. It returns false if no file of the targets leads to that serial.
func (spec TargetsSpec) State(serial uint64) (Release, bool) {
	i := slices.IndexFunc(spec.Files, func(f File) bool { return f.Release.Serial == serial })
	if i < 0 {
		return Release{}, false
	}
	return spec.Files[i].Release, true
}

// Newest returns the signed description of the newest serial.
func (spec TargetsSpec) Newest() Release {
	r, _ := spec.State(uint64(spec.Version))
	return r
}

// UpdatePath returns the shortest update path, in bytes, from a serial to the newest one, as files in the order of
// their application. A path from 0 begins with a snapshot. It returns false if there is no path.
func (spec TargetsSpec) UpdatePath(from uint64) (files []File, ok bool) {
	type reached struct {
		bytes int64
		by    File
	}
	at := map[uint64]reached{from: {}}
	for _, f := range slices.SortedFunc(slices.Values(spec.Files), bySerial) {
		base, ok := at[f.Release.Base]
		here, been := at[f.Release.Serial]
		if n := base.bytes + f.Length; ok && (!been || n < here.bytes) {
			at[f.Release.Serial] = reached{n, f}
		}
	}
	serial := uint64(spec.Version)
	if _, ok := at[serial]; !ok {
		return nil, false
	}
	for serial != from {
		f := at[serial].by
		files = append(files, f)
		serial = f.Release.Base
	}
	slices.Reverse(files)
	return files, true
}

func bySerial(a, b File) int { return cmp.Compare(a.Release.Serial, b.Release.Serial) }

// Length returns the total length of files, in bytes.
func Length(files []File) (n int64) {
	for _, f := range files {
		n += f.Length
	}
	return n
}

// checkUpdatePath returns an error unless a path leads from a snapshot to the newest serial, and all files to the same
// serial describe the same state.
func (spec TargetsSpec) checkUpdatePath() error {
	for _, f := range spec.Files {
		same, _ := spec.State(f.Release.Serial)
		if same.Base = f.Release.Base; same != f.Release {
			return tuf.Malformed("targets", "file %q: other files of serial %d lead to another state", f.Path, f.Release.Serial)
		}
	}
	if _, ok := spec.UpdatePath(0); !ok {
		return tuf.Malformed("targets", "there is no way from a snapshot to serial %d", spec.Version)
	}
	return nil
}

// Header returns the header that the release's file must have.
func (r Release) Header() (blocklist.Header, error) {
	digest, err := blocklist.ParseDigest(r.Digest)
	return blocklist.Header{
		List: r.List, Serial: r.Serial, Base: r.Base, Entries: r.Entries, Digest: digest,
		Created: r.Created,
	}, err
}

// readers yields a reader for each file, in order. It opens each file only after the previous one was read.
func readers(files []File, open Open) iter.Seq2[*blocklist.ReleaseReader, error] {
	return func(yield func(*blocklist.ReleaseReader, error) bool) {
		for _, f := range files {
			more := true
			err := read(f, open, func(r *blocklist.ReleaseReader) error {
				more = yield(r, nil)
				return nil
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// read opens a file, calls the function do with its reader, and closes the file.
func read(f File, open Open, do func(*blocklist.ReleaseReader) error) (err error) {
	file, err := open(f)
	if err != nil {
		return fmt.Errorf("opening %s: %w", f.Path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r, text, err := OpenRelease(file, f)
	if err != nil {
		return err
	}
	return errors.Join(do(r), text.Close())
}

// Changes yields the changes in a file. If the file is a delta, and the iteration ends without an error, the delta
// turns the state signed for its base into the state signed for its serial. This is not checked if the targets no
// longer describe the base.
func Changes(f File, in TargetsSpec, open Open) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		err := read(f, open, func(r *blocklist.ReleaseReader) error {
			for c, err := range r.Changes() {
				if !yield(c, err) || err != nil {
					return errEnded
				}
			}
			if base, ok := in.State(f.Release.Base); ok {
				return base.leads(r)
			}
			return nil // the reader has checked a snapshot
		})
		if err != nil && !errors.Is(err, errEnded) {
			yield(blocklist.Change{}, err)
		}
	}
}

// errEnded ends the reading of a file after the loop over the changes has stopped, or has received an error.
var errEnded = errors.New("ended")

// leads returns an error unless the delta, applied to the state that r describes, results in the state that the delta's
// header describes.
func (r Release) leads(delta *blocklist.ReleaseReader) error {
	h, err := r.Header()
	if err == nil {
		err = delta.Yields(h.Digest, h.Entries)
	}
	return err
}
