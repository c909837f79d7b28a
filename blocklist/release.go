package blocklist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Limits on releases.
const (
	MaxEntries = 50_000_000 // maximum number of entries of a list
	maxHeader  = 4 << 10    // maximum size of the header, in bytes
	// MaxListName is the maximum length of a list name, in bytes.
	MaxListName = 128
)

// ReleaseFormat is the first line of a release. The number is the version of the format.
const ReleaseFormat = "argine-release: 1"

// Header is the header of a release. FORMAT.md has its grammar.
type Header struct {
	List    string    // name of the list
	Serial  uint64    // number of the release, from 1, increasing
	Base    uint64    // serial that a delta starts from; 0: the release is a snapshot
	Entries uint64    // number of entries in the state after the release
	Digest  Digest    // digest of the state after the release
	Created time.Time // when the release was made, in whole seconds
}

// IsDelta reports whether the release is a delta. Otherwise it is a snapshot.
func (h Header) IsDelta() bool { return h.Base > 0 }

// Change is one line of a release: an added or a removed entry.
type Change struct {
	Removed bool
	Entry   Entry
}

// CheckListName returns an error unless name is a valid list name: one to four parts separated by slashes, as in
// it.example/csam. Each part consists of lower-case letters, digits, dots and hyphens, and begins and ends with a
// letter or digit.
func CheckListName(name string) error {
	parts := strings.Split(name, "/")
	ok := len(name) <= MaxListName && len(parts) <= 4
	for _, p := range parts {
		ok = ok && p != "" && strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && !strings.Contains(p, "..")
		ok = ok && !strings.ContainsAny(p[:min(1, len(p))]+p[max(len(p)-1, 0):], ".-")
	}
	if !ok {
		return fmt.Errorf("list name %q: %w: write it like it.example/csam, in lower case", excerpt(name), ErrMalformed)
	}
	return nil
}

// ReleaseWriter writes a release as text.
type ReleaseWriter struct {
	w      *bufio.Writer
	header Header
	order  orderCheck
	line   []byte
}

// NewReleaseWriter checks the header and writes it to w. The caller then writes the changes in the order of their
// targets, and calls Close.
func NewReleaseWriter(w io.Writer, h Header) (*ReleaseWriter, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprintf(bw, "%s\nlist: %s\nserial: %d\n", ReleaseFormat, h.List, h.Serial)
	if h.IsDelta() {
		fmt.Fprintf(bw, "base: %d\n", h.Base)
	}
	fmt.Fprintf(bw, "entries: %d\ndigest: %s\ncreated: %s\n\n", h.Entries, h.Digest, h.Created.UTC().Format(time.RFC3339))
	return &ReleaseWriter{w: bw, header: h, order: orderCheck{delta: h.IsDelta()}}, nil
}

// Write writes one change. It fails with [ErrMalformed] if the change is not in order, and with [ErrTooLarge] if its
// line is longer than [MaxLine].
func (w *ReleaseWriter) Write(c Change) error {
	w.line = w.line[:0]
	if w.header.IsDelta() {
		w.line = append(w.line, sign(c.Removed))
	}
	signs := len(w.line)
	w.line = c.Entry.Append(w.line)
	line := w.line[signs:]
	if len(line) > MaxLine {
		return fmt.Errorf("entry %q: line of %d bytes: %w", excerpt(string(line)), len(line), ErrTooLarge)
	}
	if err := w.order.next(c.Removed, line); err != nil {
		return err
	}
	w.line = append(w.line, '\n')
	_, err := w.w.Write(w.line)
	return err
}

// Close flushes the buffer. It does not close the underlying writer.
func (w *ReleaseWriter) Close() error { return w.w.Flush() }

func sign(removed bool) byte {
	if removed {
		return '-'
	}
	return '+'
}

func (h Header) check() error {
	if err := CheckListName(h.List); err != nil {
		return err
	}
	switch {
	case h.Serial == 0:
		return fmt.Errorf("release of %s: %w: serial 0", h.List, ErrMalformed)
	case h.Base >= h.Serial:
		return fmt.Errorf("release of %s: %w: base %d is not before serial %d", h.List, ErrMalformed, h.Base, h.Serial)
	case h.Entries > MaxEntries:
		return fmt.Errorf("release of %s: %d entries: %w", h.List, h.Entries, ErrTooLarge)
	case h.Created.UTC().Year() < 1 || h.Created.UTC().Year() > 9999:
		return fmt.Errorf("release of %s: %w: created in year %d", h.List, ErrMalformed, h.Created.UTC().Year())
	}
	return nil
}

// orderCheck checks that changes have the order of FORMAT.md: sorted by target, each target once. In a delta, a
// removal may be followed by an addition of the same target.
type orderCheck struct {
	delta   bool
	target  []byte // target of the previous line
	removed bool   // whether the previous line was a removal
}

func (o *orderCheck) next(removed bool, line []byte) error {
	target, _, _ := bytes.Cut(line, []byte(" "))
	c := bytes.Compare(o.target, target)
	replaced := o.delta && c == 0 && o.removed && !removed
	if c >= 0 && !replaced {
		return fmt.Errorf("entry %q after %q: %w: not in order, or twice", excerpt(string(target)), excerpt(string(o.target)),
			ErrMalformed)
	}
	o.target, o.removed = append(o.target[:0], target...), removed
	return nil
}

// ReleaseReader reads a release as text. It keeps one line in memory.
type ReleaseReader struct {
	scan           *bufio.Scanner
	header         Header
	order          orderCheck
	line           int
	text           []byte // canonical form of the current line, to compare the line with
	net            Digest // sum of the hashes of the added lines, minus those of the removed lines
	added, removed uint64
	err            error // error of the last read
}

// NewReleaseReader returns a reader of a release, after it has read and checked the header.
func NewReleaseReader(r io.Reader) (*ReleaseReader, error) {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 16<<10), MaxLine+2)
	scan.Split(scanLines)
	rr := &ReleaseReader{scan: scan}
	if err := rr.readHeader(); err != nil {
		return nil, err
	}
	rr.order.delta = rr.header.IsDelta()
	return rr, nil
}

// scanLines is a bufio.SplitFunc that splits at LF only. It refuses a last line without LF, so that truncated files are
// detected.
func scanLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, fmt.Errorf("the last line has no end: %w", ErrMalformed)
	}
	return 0, nil, nil
}

// Header returns the header of the release.
func (r *ReleaseReader) Header() Header { return r.header }

func (r *ReleaseReader) readHeader() error {
	if line, ok := r.nextLine(); !ok || line != ReleaseFormat {
		return r.malformed("the first line must be " + strconv.Quote(ReleaseFormat))
	}
	want := []string{"list", "serial", "base", "entries", "digest", "created"} // only deltas have a base
	for size := 0; ; {
		line, ok := r.nextLine()
		if size += len(line); !ok || size > maxHeader {
			return r.malformed("the header does not end")
		}
		if line == "" {
			break
		}
		var why string
		if want, why = r.header.read(line, want); why != "" {
			return r.malformed(why)
		}
	}
	if len(want) > 0 {
		return r.malformed("the header lacks " + want[0])
	}
	return r.header.check()
}

// read parses one header line. It returns the keys that are still expected, and the mistake, if there is one.
func (h *Header) read(line string, want []string) (rest []string, why string) {
	key, value, _ := strings.Cut(line, ": ")
	if len(want) > 0 && want[0] == "base" && key != "base" {
		want = want[1:]
	}
	if len(want) == 0 || key != want[0] {
		return want, "unexpected header line " + strconv.Quote(excerpt(line))
	}
	if !h.set(key, value) {
		return want, "header " + key + ": " + strconv.Quote(excerpt(value))
	}
	return want[1:], ""
}

// set sets the field of a header key. It returns false if the value is not in canonical form.
func (h *Header) set(key, value string) (ok bool) {
	const layout = "2006-01-02T15:04:05Z"
	switch key {
	case "list":
		h.List, ok = value, true
	case "serial":
		h.Serial, ok = parseCount(value)
	case "base":
		h.Base, ok = parseCount(value)
		ok = ok && h.Base > 0
	case "entries":
		h.Entries, ok = parseCount(value)
	case "digest":
		ok = h.Digest.UnmarshalText([]byte(value)) == nil
	case "created":
		h.Created, _ = time.Parse(layout, value)
		ok = h.Created.Format(layout) == value // Parse accepts fractions and missing zeros, too
	}
	return ok
}

// parseCount parses a decimal number without sign or leading zeros.
func parseCount(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return n, err == nil && strconv.FormatUint(n, 10) == s
}

// Changes yields the changes of the release. An error may be the last value. If there is none, the release was
// complete, sorted and canonical, and a snapshot had the number of entries and the digest of its header. To check a
// delta, use [ReleaseReader.Yields].
func (r *ReleaseReader) Changes() iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for {
			text, ok := r.nextLine()
			if !ok {
				if err := r.end(); err != nil {
					yield(Change{}, err)
				}
				return
			}
			c, err := r.change(text)
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// end returns an error if the release could not be read to its end, or if a snapshot differs from the number of
// entries or the digest in its header.
func (r *ReleaseReader) end() error {
	if r.err != nil {
		return r.malformed("")
	}
	if r.header.IsDelta() {
		return nil
	}
	return r.Yields(Digest{}, 0)
}

// Yields checks a delta: applied to a state with the given digest and number of entries, it must result in the digest
// and the number of entries that its header has. Otherwise Yields returns an error that wraps [ErrDigest].
func (r *ReleaseReader) Yields(base Digest, entries uint64) error {
	got := base
	got.add(r.net.words)
	if n := entries + r.added - r.removed; n != r.header.Entries {
		return fmt.Errorf("%s serial %d: %w: %d entries, the header says %d", r.header.List, r.header.Serial, ErrDigest, n,
			r.header.Entries)
	}
	if got != r.header.Digest {
		return fmt.Errorf("%s serial %d: %w: %s, the header says %s", r.header.List, r.header.Serial, ErrDigest, got,
			r.header.Digest)
	}
	return nil
}

// change parses one line and checks its order. It also counts the line.
func (r *ReleaseReader) change(text string) (c Change, err error) {
	if r.header.IsDelta() {
		if text == "" || text[0] != '+' && text[0] != '-' {
			return c, r.malformed("a line of a delta begins with + or -")
		}
		c.Removed = text[0] == '-'
		text = text[1:]
	}
	var why string
	if c.Entry, why = parseEntry(text); why != "" {
		return c, &EntryError{Line: r.line, Text: excerpt(text), Why: why}
	}
	r.text = c.Entry.Append(r.text[:0])
	if string(r.text) != text {
		return c, r.malformed("not in canonical form: " + strconv.Quote(excerpt(text)) + ", expected " +
			strconv.Quote(excerpt(string(r.text))))
	}
	if err := r.order.next(c.Removed, r.text); err != nil {
		return c, fmt.Errorf("release, line %d: %w", r.line, err)
	}
	return c, r.count(c.Removed)
}

// count counts the current line, and adds it to the net digest. It fails if there are more lines than the header
// allows.
func (r *ReleaseReader) count(removed bool) error {
	if removed {
		r.removed++
		r.net.Remove(r.text)
	} else {
		r.added++
		r.net.Add(r.text)
	}
	if r.added > r.header.Entries || r.removed > MaxEntries {
		return fmt.Errorf("release, line %d: %w: more lines than %d entries can have", r.line, ErrDigest, r.header.Entries)
	}
	return nil
}

func (r *ReleaseReader) nextLine() (string, bool) {
	if !r.scan.Scan() {
		r.err = r.scan.Err()
		return "", false
	}
	r.line++
	return r.scan.Text(), true
}

// malformed returns an error about the current line. If reading failed, it returns that error instead.
func (r *ReleaseReader) malformed(why string) error {
	switch {
	case errors.Is(r.err, bufio.ErrTooLong):
		return fmt.Errorf("release, line %d: %w: longer than 64 KiB", r.line+1, ErrTooLarge)
	case r.err != nil:
		return fmt.Errorf("release, line %d: %w", r.line+1, r.err)
	}
	return fmt.Errorf("release, line %d: %w: %s", r.line, ErrMalformed, why)
}
