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
	begun   bool // whether a range over Entries has begun
}

// Report counts the lines and entries that were read from a list.
type Report struct {
	Format  Format
	Lines   int    // number of lines read
	Entries int    // number of entries yielded
	URLs    int    // number of entries of scope url, which a resolver can't enforce by its answers alone
	Skipped []Skip // counts of lines and names that are not listed, by reason
	// Reference has the number and date of the order, from the first line of a list of domains (0000351_2025.30.08). It
	// is empty if there is no such line. The entries do not have this reference.
	Reference string
}

// NewReader reads the first 64 KiB, and recognizes the format unless the options name it. If the file is not a list,
// it fails with [blocklist.ErrMalformed], and the error says what the file looks like.
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
		br.Discard(len(bom)) //nolint:errcheck // never fails: the bytes were peeked
		prefix = prefix[len(bom):]
	}
	if o.Format == CONSOB && isPage(prefix) {
		br = bufio.NewReaderSize(newPageText(br), bufferSize)
		prefix, err = br.Peek(bufferSize)
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
	s = settings{allow: o.Allow, columns: map[string]string{}}
	for name, column := range o.Columns {
		s.columns[plainColumn(name)] = column
	}
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

// Format returns the format that the options name, or the recognized one.
func (r *Reader) Format() Format { return r.options.Format }

// Entries yields the entries of the list. It can be ranged over once, since the source can't be read again: a second
// range yields an error that wraps [blocklist.ErrClosed], even if the first one was left early. Duplicates are
// yielded. Lists in formats in which a later line may change an earlier one (rpz, adblock, dnsmasq, unbound) are
// stored in memory, and all their entries are yielded at the end. The last value may be an error: a read error, or
// the refusal of the whole list with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge]. Entries yielded before an
// error must not be used.
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

// read parses the list and passes the entries to give, until give returns false.
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

// Report returns the counts so far. It is complete after Entries has ended.
func (r *Reader) Report() Report {
	out := r.report
	out.Lines = r.lines.number
	out.Skipped = slices.Clone(r.sink.skipped)
	return out
}
