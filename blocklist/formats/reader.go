package formats

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// Reader reads one list.
type Reader struct {
	options Options
	lines   lines
	parser  parser
	sink    lineSink
	report  Report
	seen    singleEntry
	begun   bool // Entries was ranged over
}

// Report says what became of the lines of a list.
type Report struct {
	Format  Format
	Lines   int    // lines read
	Entries int    // entries yielded
	URLs    int    // of these, URLs: a resolver enforces none of them by its answers alone
	Skipped []Skip // what is not among the entries, by reason
	// Reference is the number and day of the order in the first line of a list of domains (0000351_2025.30.08), or
	// empty. It is not an attribute of the entries.
	Reference string
}

// NewReader looks at the first 64 KiB, finds out the format unless it is named, and refuses what is not a list: with
// [blocklist.ErrMalformed], and what it looks like instead.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	s, err := o.settings()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.Name, err)
	}
	if r == nil {
		return nil, fmt.Errorf("reading %s: %w: the reader is nil", o.Name, blocklist.ErrMalformed)
	}
	br := bufio.NewReaderSize(r, bufferSize)
	prefix, err := br.Peek(bufferSize)
	if bytes.HasPrefix(prefix, []byte(bom)) {
		br.Discard(len(bom)) //nolint:errcheck // can't fail: it was peeked
		prefix = prefix[len(bom):]
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading %s: %w", o.Name, err)
	}
	whole := err != nil
	found, err := recognize(prefix, whole, o, s)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.Name, err)
	}
	o.Format = found.format
	return &Reader{
		options: o,
		lines:   lines{r: br},
		parser:  newParser(found.format, s),
		sink:    lineSink{scope: o.Scope, guessed: found.sink.guessed},
		report:  Report{Format: found.format, Reference: found.sink.reference},
	}, nil
}

func (o Options) settings() (s settings, err error) {
	s = settings{allow: o.Allow}
	for _, text := range o.StopPage {
		to, err := parseDestination(text)
		if err != nil {
			return s, fmt.Errorf("stop page %q: %w: write its address, or the name that names are led to", text,
				blocklist.ErrMalformed)
		}
		if s.stop == nil {
			s.stop = map[destination]bool{}
		}
		s.stop[to] = true
	}
	if o.Origin != "" {
		if s.zone, err = blocklist.ParseName(o.Origin); err != nil {
			return s, fmt.Errorf("zone: %w", err)
		}
	}
	return s, nil
}

// Format returns the format that was named or found.
func (r *Reader) Format() Format { return r.options.Format }

// Entries reads the list, once: the source is read only forwards, so a second range yields an error that wraps
// [blocklist.ErrClosed], also after one that was broken off. Duplicates are yielded as they come, except by the
// formats that may take something back (rpz, adblock, dnsmasq, unbound): these yield nothing before the end, and keep
// what they read in memory. The last thing yielded may be an error: what the source returned, or that the list as a
// whole is refused, with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge]. What was yielded before must not be
// used then.
func (r *Reader) Entries() iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		if r.begun {
			yield(blocklist.Entry{}, fmt.Errorf("reading %s again: %w: its entries were ranged over before; "+
				"open the list again",
				r.options.Name, blocklist.ErrClosed))
			return
		}
		r.begun = true
		stopped := false
		err := r.read(func(e blocklist.Entry) bool {
			r.report.Entries++
			if e.Scope == blocklist.ScopeURL {
				r.report.URLs++
			}
			r.seen.entry(&e)
			stopped = !yield(e, nil)
			return !stopped
		})
		if meant := r.options.MayBeEmpty && r.lines.number > 0 && r.sink.records == 0; err == nil && !meant {
			err = refuse(r.options.Format, &r.sink, r.report.Entries, r.seen)
		}
		if err != nil && !stopped {
			yield(blocklist.Entry{}, fmt.Errorf("reading %s: %w", r.options.Name, err))
		}
	}
}

// read gives the entries to give until that returns false.
func (r *Reader) read(give func(blocklist.Entry) bool) error {
	for {
		text, ok, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			r.parser.end(&r.sink, give)
			return nil
		}
		if err != nil {
			return err
		}
		r.sink.number = r.lines.number
		r.sink.out = r.sink.out[:0]
		if ok {
			r.parser.line(&r.sink, text)
		} else {
			r.sink.bad(tooLong)
		}
		if r.sink.records > blocklist.MaxEntries {
			return fmt.Errorf("more than %d things in it: %w", blocklist.MaxEntries, blocklist.ErrTooLarge)
		}
		for _, e := range r.sink.out {
			if !give(e) {
				return nil
			}
		}
	}
}

// Report says what Entries came upon.
func (r *Reader) Report() Report {
	out := r.report
	out.Lines = r.lines.number
	out.Skipped = slices.Clone(r.sink.skipped)
	return out
}
