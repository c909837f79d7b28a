package formats

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// WriteOptions are the options for writing a list. The zero value is valid.
type WriteOptions struct {
	SkipUnsupported bool // skip entries that the format can't express, instead of failing
	// SkipExpiring skips entries with an expiry if the format can't express an expiry. False: such entries are written
	// without their expiry.
	SkipExpiring bool
	Zone         string // name of an RPZ zone; zero: "rpz"
	// Set is the name of a set of addresses: a letter, then letters, digits and _ (ASCII), at most 26 characters. Zero:
	// "blocked".
	Set    string
	Serial uint32 // serial of the SOA record of an RPZ zone; zero: 1
	// Now decides which entries have expired. All formats except Argine's own omit them. Zero: the current time.
	Now time.Time
}

// Written has the numbers of entries that were written or omitted.
type Written struct {
	Entries int // number of entries that the output contains or covers
	// Covered is the number of entries, included in Entries, that have no record of their own in the output, since a
	// listed domain or network covers them.
	Covered    int
	Duplicates int // number of entries omitted, because earlier entries for the same target cover them
	Expired    int // number of entries omitted, because they had expired
	// Expiring counts entries with a future expiry that the format can't express. They were written without the expiry,
	// or omitted because of SkipExpiring.
	Expiring int
	// Until is the earliest expiry of the entries that Expiring counts: write the list again by then. Zero: there are
	// no such entries.
	Until time.Time
	// Skipped has the number of entries of each scope that were omitted, because the format can't express them.
	Skipped map[blocklist.Scope]int
}

// UnsupportedError reports how many entries the format can't express. It wraps [blocklist.ErrMalformed].
type UnsupportedError struct {
	Format  Format
	Skipped map[blocklist.Scope]int
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	var counts []string
	for _, s := range scopes() {
		if n := e.Skipped[s]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("writing %s: the format can't express some entries as they are meant (%s); "+
		"write another format, or skip them",
		e.Format, strings.Join(counts, ", "))
}

// Unwrap makes errors.Is(err, blocklist.ErrMalformed) true.
func (e *UnsupportedError) Unwrap() error { return blocklist.ErrMalformed }

func scopes() []blocklist.Scope {
	return []blocklist.Scope{blocklist.ScopeDomain, blocklist.ScopeHost, blocklist.ScopeURL, blocklist.ScopeIP}
}

// Write writes entries in a format, in their order. If the format can't express the meaning of an entry, Write counts
// all such entries, then fails with [*UnsupportedError], unless the options skip them. Only Argine's own format and
// CSV have attributes. Other formats can't express entries with status monitor, and an entry with an expiry stays in
// such a list until the list is written again, see [Written]. After an error, the output is incomplete.
//
// Duplicates are omitted. To find them, Write keeps the names in memory, or 16 bytes for each line of a format with
// attributes.
func Write(w io.Writer, f Format, entries iter.Seq2[blocklist.Entry, error], o WriteOptions) (Written, error) {
	if entries == nil {
		return Written{}, fmt.Errorf("writing %s: %w: the iterator of entries is nil", f, blocklist.ErrMalformed)
	}
	wr, err := newWriter(w, f, o)
	if err != nil {
		return Written{}, err
	}
	for e, err := range entries {
		if err != nil {
			return wr.done, err
		}
		wr.entry(e)
	}
	if len(wr.done.Skipped) > 0 && !o.SkipUnsupported {
		return wr.done, &UnsupportedError{Format: f, Skipped: wr.done.Skipped}
	}
	if wr.end != nil {
		wr.end(wr)
	}
	return wr.done, wr.out.Flush()
}

// encoder writes an entry in one format. It returns false if the format can't express the entry.
type encoder func(w *writer, e blocklist.Entry) bool

// liner appends an entry with its attributes as a line. It appends nothing if the format can't express the entry.
type liner func(b []byte, e blocklist.Entry) []byte

type writer struct {
	out     *bufio.Writer // keeps its first error until Flush
	options WriteOptions
	encode  encoder       // writes an entry in a format without attributes; nil for other formats
	end     func(*writer) // writes the recorded entries at the end; may be nil
	line    liner         // writes an entry in a format with attributes; nil for other formats
	own     bool          // whether the format is Argine's own, which keeps expired entries
	// seen has the recorded entries of a format without attributes. Instead of line numbers, it has the numbers of the
	// entries.
	seen    *deferred
	lines   map[[16]byte]struct{} // digests of written lines with attributes
	number  int                   // number of the current entry
	apex    blocklist.Name        // name of the RPZ zone
	setName string                // name of the set of addresses

	addresses addressWriter

	done Written
}

func newWriter(w io.Writer, f Format, o WriteOptions) (*writer, error) {
	wr := &writer{
		out:     bufio.NewWriterSize(w, 64<<10),
		options: o,
		lines:   map[[16]byte]struct{}{},
		seen:    newDeferred(settings{}, false),
		done:    Written{Skipped: map[blocklist.Scope]int{}},
	}
	if o.Now.IsZero() {
		wr.options.Now = time.Now()
	}
	switch f {
	case Domains:
		wr.encode = (*writer).domain
	case Adblock:
		wr.encode = (*writer).adblock
		wr.put("[Adblock Plus 2.0]\n")
	case CSV:
		wr.line = newCSVWriter().line
		wr.put(strings.Join(csvHeader(), ","), "\n")
	case Hosts:
		wr.encode = (*writer).host
	case Dnsmasq:
		wr.encode = (*writer).dnsmasq
	case Unbound:
		wr.encode = (*writer).unbound
		wr.put("server:\n")
	case Argine:
		wr.line, wr.own = argineLine, true
		wr.put(ownMagic, "\n")
	case RPZ:
		wr.encode, wr.end = (*writer).rpz, (*writer).zone
		return wr, wr.zoneHeader(o)
	case Nftables, IPSet, BIRD:
		wr.encode, wr.end, wr.addresses = (*writer).address, (*writer).addressSets, addressWriters[f]
		var err error
		wr.setName, err = o.checkSetName(f)
		return wr, err
	default:
		return nil, fmt.Errorf("writing %q: %w: the formats that can be written are %s", f, blocklist.ErrMalformed,
			words(Writable()))
	}
	return wr, nil
}

// put writes texts. Flush returns the error, if there was one.
func (w *writer) put(text ...string) {
	for _, s := range text {
		w.out.WriteString(s) //nolint:errcheck // Flush returns the error
	}
}

func (w *writer) entry(e blocklist.Entry) {
	w.number++
	expires := !e.Expires.IsZero()
	switch {
	case expires && !w.own && !w.options.Now.Before(e.Expires):
		w.done.Expired++
	case w.line != nil:
		w.whole(e)
	case expires && w.options.SkipExpiring:
		w.expiring(e)
	case e.Monitor:
		w.done.Skipped[e.Scope]++
	case w.known(e):
		w.done.Duplicates++
	case !w.encode(w, e):
		w.done.Skipped[e.Scope]++
	default:
		w.remember(e)
		w.done.Entries++
		if expires {
			w.expiring(e)
		}
	}
}

func (w *writer) expiring(e blocklist.Entry) {
	w.done.Expiring++
	if w.done.Until.IsZero() || e.Expires.Before(w.done.Until) {
		w.done.Until = e.Expires
	}
}

// lists returns the mark that an entry gives its target.
func lists(e blocklist.Entry) mark {
	if e.Scope == blocklist.ScopeDomain {
		return listDomain
	}
	return listName
}

func (w *writer) known(e blocklist.Entry) bool {
	if n, ok := e.Name(); ok {
		return lists(e)&^w.seen.names[n].mark == 0
	}
	p, ok := e.Prefix()
	return ok && w.seen.ips[p].mark != 0
}

func (w *writer) remember(e blocklist.Entry) {
	if n, ok := e.Name(); ok {
		remember(w.seen.names, n, lists(e), w.number)
	} else if p, ok := e.Prefix(); ok {
		remember(w.seen.ips, p, lists(e), w.number)
	}
}

func argineLine(b []byte, e blocklist.Entry) []byte { return append(e.Append(b), '\n') }

// whole writes an entry with its attributes.
func (w *writer) whole(e blocklist.Entry) {
	line := w.line(w.out.AvailableBuffer(), e)
	if len(line) == 0 {
		w.done.Skipped[e.Scope]++
		return
	}
	sum := sha256.Sum256(line)
	key := [16]byte(sum[:16])
	if _, twice := w.lines[key]; twice {
		w.done.Duplicates++
		return
	}
	w.lines[key] = struct{}{}
	w.done.Entries++
	w.out.Write(line) //nolint:errcheck // Flush returns the error
}

// adblock writes a domain, or a single address. Rules of ad blockers can't cover a name without the names below it.
func (w *writer) adblock(e blocklist.Entry) bool {
	if p, ok := e.Prefix(); ok {
		text := p.Addr().String()
		if p.Addr().Is6() {
			text = "[" + text + "]"
		}
		if p.IsSingleIP() {
			w.put("||", text, "^\n")
		}
		return p.IsSingleIP()
	}
	n, _ := e.Name()
	if e.Scope != blocklist.ScopeDomain || !isSite(n) {
		return false
	}
	w.put("||", n.String(), "^\n")
	return true
}

// isSite reports whether other programs read a name as a domain name: a host name of at least two labels.
func isSite(n blocklist.Name) bool { return n.IsHostname() && n.Labels() > 1 && !endsInNumber(n) }

func (w *writer) domain(e blocklist.Entry) bool {
	n, _ := e.Name()
	if e.Scope != blocklist.ScopeDomain || !isSite(n) {
		return false
	}
	w.put(n.String(), "\n")
	return true
}

func (w *writer) host(e blocklist.Entry) bool {
	n, _ := e.Name()
	name := n.String()
	if e.Scope != blocklist.ScopeHost || !n.IsHostname() || ownName(name) || endsInNumber(n) {
		return false
	}
	w.put("0.0.0.0 ", name, "\n:: ", name, "\n")
	return true
}

func (w *writer) dnsmasq(e blocklist.Entry) bool {
	n, _ := e.Name()
	if e.Scope != blocklist.ScopeDomain || !n.IsHostname() || endsInNumber(n) {
		return false
	}
	w.put("local=/", n.String(), "/\n")
	return true
}

// unbound writes a domain as a local-zone in which no name exists. It writes a host as a name with null addresses:
// queries for other types get an empty answer, and names below it get their true answer.
func (w *writer) unbound(e blocklist.Entry) bool {
	n, ok := e.Name()
	if !ok || !n.IsHostname() || endsInNumber(n) {
		return false
	}
	name := n.String()
	if e.Scope == blocklist.ScopeDomain {
		w.put(`local-zone: "`, name, `." always_nxdomain`, "\n")
		return true
	}
	w.put(`local-data: "`, name, `. A 0.0.0.0"`, "\n", `local-data: "`, name, `. AAAA ::"`, "\n")
	return true
}
