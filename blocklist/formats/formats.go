// Package formats reads and writes the lists of other programs.
//
//	r, err := formats.NewReader(file, formats.Options{})
//	err = store.SetLocal("local", "", r.Entries()) // or any other use of the entries
//	fmt.Println(r.Report())                        // format, counts, and what was skipped for which reason
//
// [NewReader] recognises the format of a list unless the options name it. The reader yields the entries of the list,
// and counts skipped lines by reason, with line numbers. Each format keeps its own meaning of scope:
//
//	domains    a name and all names below it; a URL; an address
//	hosts      only the name itself
//	rpz        the owner is only the name itself, *.owner all names below it, both together a domain; rpz-ip an address
//	adblock    ||name^ is a name and all names below it, ||192.0.2.1^ an address
//	dnsmasq    address=/name/..., local=/name/ and server=/name/ are a name and all names below it
//	unbound    local-zone is a name and all names below it, local-data only the name itself
//	dnscrypt   name and *.name are a name and all names below it, =name only the name itself
//	csv        by column: url, host (only the name itself), domain (with all names below it), ip
//	cncpo      a URL with a path, otherwise a domain, or an address
//	consob     URLs, and names that begin with www., in prose or in an HTML page; the options must name this format
//	argine     see [blocklist.ParseEntry]
//
// In some formats (hosts, rpz, dnsmasq, unbound), a line gives a name an answer. The name is listed if that answer
// leads nowhere: to an unspecified or loopback address, or to the names localhost or invalid. The name is also listed
// if the answer is the stop page of the list. Unless the caller names the stop page, it is the public address that nine
// of ten lines give, for names of at least ten owners, see [Options]. A name with another answer (safe search, a
// printer at home) is only counted.
//
// A dot in front of a name (.example.com) means the name and all names below it. Where a name means only the name
// itself (the format hosts, the column host), a line with such a dot is skipped and counted.
//
// The first line decides the format if only one format has such a line: the headers of Argine's own format and of ad
// blockers, the number and time of a CNCPO list, the header of a table with a column domain, host, url or ip, the SOA
// or a directive of a zone, the number and day of an order (0000351_2025.30.08, which is [Report].Reference). Without
// such a line, the reader chooses the format that leaves the smallest share of lines unused. In a file whose format
// was chosen in this way, single labels, which would be top-level domains, are not listed. A table with an unknown
// header is refused, so that its rows are not read as URLs.
//
// A row of a table is listed unless one of its columns says that it does not apply. Such a column says since when the
// row is off the list (removed, deleted_at, DeleteDate, delisted, DataWykreslenia), until or from when it is valid
// (expires, valid_until, valid_from), or whether it is valid (active, status). An end in the future becomes the
// entry's expiry. A table is refused if an unknown column may limit its rows: the column's name suggests it
// (removal_reason), or the column has a date in some rows and nothing in others. If a row has an address next to a
// name or a URL, the address is counted but not listed.
//
// No scope is widened. A wildcard without the name itself, a pattern, a rule with conditions, or a URL with a
// fragment (https://app.example/#/profile/7) does not become an entry. It is only counted.
//
// A line that limits other lines always takes effect: an exception in any notation, or a rule that disables another
// rule. If no entry can express the result, the limited line is skipped and counted, for example a domain with
// exceptions below it, or addresses in a file with exceptions for names. An exception by a pattern that names no
// domain (@@||ads.*) has only one effect: a name that matches the pattern does not become an entry.
//
// A file is refused if more than a quarter of its lines are invalid in its format, or if it has no entries. It is also
// refused if more than a quarter of its lines are wildcards (*.name), which only the format dnscrypt reads, or if it
// repeats the same entry 20 times or more, and has no other.
//
// [Write] writes entries for other programs. It writes an entry only if the format has the same meaning, and writes
// nothing twice. Addresses can be written as sets of nftables and ipset, and as routes of BIRD, in files that replace
// the current sets or routes in one step. These formats can't express an expiry: [Written] says how many entries have
// one, and by when to write the file again.
package formats

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Format is the name of a format, as used in flags and configuration files.
type Format string

// The formats. Auto, and the zero value, let the reader recognize the format.
const (
	Auto     Format = "auto"
	Domains  Format = "domains"
	Hosts    Format = "hosts"
	RPZ      Format = "rpz"
	Adblock  Format = "adblock"
	Dnsmasq  Format = "dnsmasq"
	Unbound  Format = "unbound"
	Dnscrypt Format = "dnscrypt"
	CSV      Format = "csv"
	CNCPO    Format = "cncpo"
	CONSOB   Format = "consob"
	Argine   Format = "argine"

	Nftables Format = "nftables" // only addresses, as sets; written but not read, like IPSet and BIRD
	IPSet    Format = "ipset"    // only addresses, as sets
	BIRD     Format = "bird"     // only addresses, as routes with the community BLACKHOLE (RFC 7999)
)

// Readable returns the formats that a Reader reads, Auto first.
func Readable() []Format {
	return []Format{Auto, Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, Dnscrypt, CSV, CNCPO, CONSOB, Argine}
}

// Writable returns the formats that Write writes.
func Writable() []Format {
	return []Format{Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, CSV, Argine, Nftables, IPSet, BIRD}
}

// Parse returns the format with the given name. For an unknown name, it fails with [blocklist.ErrMalformed] and lists
// the known ones.
func Parse(name string) (Format, error) {
	if f := Format(name); slices.Contains(Readable(), f) {
		return f, nil
	}
	return "", fmt.Errorf("format %q: %w: there are %s", name, blocklist.ErrMalformed, words(Readable()))
}

func words(formats []Format) string {
	s := make([]string, len(formats))
	for i, f := range formats {
		s[i] = string(f)
	}
	return strings.Join(s, ", ")
}

// Options are the options for reading a list. The zero value recognizes the format.
type Options struct {
	Format Format // format of the list; zero: [Auto]
	// Scope overrides the scope that the format gives its names: ScopeDomain or ScopeHost. Zero: no override.
	Scope  blocklist.Scope
	Origin string // name of the RPZ zone, if the file does not say it; ".": the owners themselves are the listed names
	// Allow is true for a list of names that must not be blocked. In such a list, exceptions allow names, and so do
	// plain lines. A file that has both is refused.
	Allow bool
	// StopPage has the addresses or names of the list's stop page, to which it redirects blocked names. If it is empty,
	// a public address counts as the stop page if nine of ten lines redirect to it, and the redirected names have at
	// least ten owners. Names with the same label before their public suffix have the same owner.
	StopPage []string
	Name     string // name of the file in errors; empty: "list"
	// Columns maps names in the header of a table to the names that the reader knows, such as "url", "ref" or "expires".
	// The reader ignores a column that is mapped to [Ignored]. If Columns is set, Auto means CSV. Reading fails if the
	// header lacks one of the columns.
	Columns map[string]string
	// MayBeEmpty accepts a file that has only comments, as an empty list. A file without any line is still refused,
	// since it is typical of a failed download.
	MayBeEmpty bool
}

func (o Options) check() (Options, error) {
	if o.Format == "" {
		o.Format = Auto
	}
	if _, err := Parse(string(o.Format)); err != nil {
		return o, err
	}
	if o.Scope != 0 && o.Scope != blocklist.ScopeDomain && o.Scope != blocklist.ScopeHost {
		return o, fmt.Errorf("reading names as scope %s: %w: names can be read as domain or host", o.Scope,
			blocklist.ErrMalformed)
	}
	if o.Name == "" {
		o.Name = "list"
	}
	return o.checkColumns()
}

// checkColumns returns an error if Columns has unknown names, or the format has no columns. It chooses CSV for Auto.
func (o Options) checkColumns() (Options, error) {
	if len(o.Columns) == 0 {
		return o, nil
	}
	if o.Format == Auto {
		o.Format = CSV
	}
	if o.Format != CSV {
		return o, fmt.Errorf("reading %s: %w: only a table has columns", o.Format, blocklist.ErrMalformed)
	}
	for name, column := range o.Columns {
		if plainColumn(name) == "" || columnMeaning(column) == "" && column != Ignored {
			return o, fmt.Errorf("column %q read as %q: %w: columns are read as %s or %s", name, column, blocklist.ErrMalformed,
				strings.Join(Columns(), ", "), Ignored)
		}
	}
	return o, nil
}

// newParser returns a parser for a format. The format must not be Auto.
func newParser(f Format, s settings) parser {
	switch f {
	case Hosts:
		return &hosts{redirects{named: s.stop}}
	case RPZ:
		return newZone(s)
	case Adblock:
		return &adblock{deferred: newDeferred(s, true)}
	case Dnsmasq:
		return dnsmasq{newDeferred(s, false)}
	case Unbound:
		return unbound{newDeferred(s, false)}
	case Dnscrypt:
		return lineParser(parseDnscrypt)
	case CSV:
		return &table{now: time.Now(), read: s.columns}
	case CNCPO:
		return &cncpo{}
	case CONSOB:
		return &consob{}
	case Argine:
		return lineParser(parseArgine)
	default:
		return &domains{}
	}
}
