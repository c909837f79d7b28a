// Package formats reads and writes the lists of other programs.
//
//	r, err := formats.NewReader(file, formats.Options{})
//	err = store.SetLocal("local", "", r.Entries()) // or any other use of the entries
//	fmt.Println(r.Report())                        // what it was, how many, and what was passed over, why
//
// [NewReader] recognises the format of a list unless the options name it. The reader yields the entries of the list,
// and counts skipped lines by reason, with line numbers. Each format keeps its own meaning of scope:
//
//	domains    a name and all below it; a URL or an address stands for itself
//	hosts      a name alone
//	rpz        the owner is the name alone, *.owner all names below it, both together a domain; rpz-ip is an address
//	adblock    ||name^ is a name and all below it, ||192.0.2.1^ an address
//	dnsmasq    address=/name/..., local=/name/ and server=/name/ are a name and all below it
//	unbound    local-zone is a name and all below it, local-data a name alone
//	dnscrypt   name and *.name are a name and all below it, =name that name alone
//	csv        what the columns say: url, host (alone), domain (and all below it), ip
//	cncpo      a URL with a path, else a domain, or an address
//	consob     URLs, and names that begin with www., in prose or in an HTML page; never recognised, always named
//	argine     what the line says: see [blocklist.ParseEntry]
//
// In some formats (hosts, rpz, dnsmasq, unbound), a line gives a name an answer. The name is listed if that answer
// leads nowhere: to an unspecified or loopback address, or to the names localhost or invalid. The name is also listed
// if the answer is the stop page of the list. The caller names the stop page; otherwise it is the public address that
// nine of ten lines give, for names of at least ten owners. A name with another answer (safe search, a printer at home)
// is only counted.
//
// A dot in front of a name (.example.com) means the name and all names below it. In formats whose names stand for
// themselves alone (hosts, the column host), such a line is skipped and counted.
//
// The first line decides the format if only one format has such a line: the headers of Argine's own format and of ad
// blockers, the number and time of a CNCPO list, the header of a table with a column domain, host, url or ip, the SOA
// or a directive of a zone, the number and day of an order (0000351_2025.30.08, which is [Report].Reference). Without
// such a line, the reader takes the format that leaves the smallest share of lines unused. Single labels, which would
// be top-level domains, are then not listed. A table with an unknown header is refused, because its rows are no URLs.
//
// A row of a table is listed unless one of its columns takes it out. Such a column says since when the row is off the
// list (removed, deleted_at, DeleteDate, delisted, DataWykreslenia), until or from when it is valid (expires,
// valid_until, valid_from), or whether it is valid (active, status). An end in the future becomes the entry's expiry. A
// table is refused if an unknown column may limit its rows: the column's name suggests it (removal_reason), or the
// column has a day in some rows and nothing in others. An address next to a name, or next to a URL, is not listed but
// counted.
//
// Nothing is widened. A wildcard without the name itself, a pattern, a rule with conditions, a URL with a fragment
// (https://app.example/#/profile/7) are no entries: they are counted.
//
// A line that limits other lines always takes effect: an exception in any spelling, or a rule that takes another rule
// back. If no entry can express what remains, all of it is left out and counted: a domain below which the same file
// makes exceptions, addresses next to names that are excepted. An exception by a pattern that names no domain
// (@@||ads.*) has one effect only: a name that matches the pattern does not become an entry.
//
// A file which is mostly not what it claims to be, or which yields nothing, is refused; so is one of which a quarter
// are wildcards *.name, which the format dnscrypt reads.
//
// [Write] writes entries for other programs, exactly or not at all, and nothing twice. Addresses can be written as sets
// of nftables and ipset, and as routes of BIRD, in files that replace what is in force in one step. These formats can't
// express an expiry: [Written] says how many entries have one, and by when to write the file again.
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

	Nftables Format = "nftables" // addresses alone, as sets; written only, like IPSet and BIRD
	IPSet    Format = "ipset"    // addresses alone, as sets
	BIRD     Format = "bird"     // addresses alone, as routes with the community BLACKHOLE (RFC 7999)
)

// Readable returns the formats that a Reader reads, Auto first.
func Readable() []Format {
	return []Format{Auto, Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, Dnscrypt, CSV, CNCPO, CONSOB, Argine}
}

// Writable returns the formats that Write writes.
func Writable() []Format {
	return []Format{Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, CSV, Argine, Nftables, IPSet, BIRD}
}

// Parse returns the format with a name. For an unknown name, it fails with [blocklist.ErrMalformed] and lists the known
// ones.
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
	Origin string // name of an RPZ zone whose file does not say it; ".": owners are the names themselves
	// Allow is for a list of names that must not be blocked. In such a list, exceptions allow names, and so do plain
	// lines. A file that has both is refused.
	Allow bool
	// StopPage has the addresses or names of the list's stop page, to which it redirects blocked names. If it is empty,
	// a public address counts as the stop page if nine of ten lines redirect to it, for names of at least ten owners.
	StopPage []string
	Name     string // of the file, for errors; zero: "list"
	// Columns maps names of columns in the header of a table to the names as which they are read, such as "url", "ref"
	// or "expires". A column that is [Ignored] says nothing about its rows. If Columns is set, Auto means CSV. Reading
	// fails if the header lacks one of the columns.
	Columns map[string]string
	// MayBeEmpty accepts a file with comments only as an empty list. A file without any line is still refused: it is
	// typical of a failed download.
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

// checkColumns fails for columns that are not known, or of a format without columns.
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
