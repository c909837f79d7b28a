package formats

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// candidates are the formats that are recognised, in the order in which they are preferred where a file can be read as
// several with the same result.
func candidates() []Format {
	return []Format{Domains, Hosts, RPZ, Adblock, Dnsmasq, Unbound, CSV, CNCPO, Argine, Dnscrypt}
}

// recognize finds out the format from the first lines, or checks the one that is named against them.
func recognize(prefix []byte, whole bool, o Options, s settings) (Format, error) {
	if what := notText(prefix); what != "" {
		return "", fmt.Errorf("%w: it is %s, not a list", blocklist.ErrMalformed, what)
	}
	text := sample(prefix, whole)
	if o.MayBeEmpty && whole && len(text) > 0 && isBlank(text) {
		if o.Format == Auto {
			return Domains, nil
		}
		return o.Format, nil
	}
	if o.Format != Auto {
		return o.Format, try(o.Format, text, s).refuse(whole)
	}
	if f := signature(text); f != "" {
		return f, nil
	}
	best := trial{}
	for _, f := range candidates() {
		if t := try(f, text, s); t.better(best) {
			best = t
		}
	}
	if best.format == "" && !isBlank(text) {
		return "", fmt.Errorf("%w: no format is recognised in it; name the format if it has one of %s",
			blocklist.ErrMalformed, words(candidates()))
	}
	if best.format == "" {
		best = trial{format: Domains}
	}
	return best.format, best.refuse(whole)
}

func isBlank(text []string) bool {
	for _, line := range text {
		if !blank(line) {
			return false
		}
	}
	return true
}

// notText says what a file is that can't be a list.
func notText(prefix []byte) string {
	start := bytes.ToLower(bytes.TrimLeft(prefix[:min(len(prefix), 512)], " \t\r\n"))
	switch {
	case bytes.HasPrefix(prefix, []byte("\x1f\x8b")), bytes.HasPrefix(prefix, []byte("\x28\xb5\x2f\xfd")):
		return "compressed (decompress it first)"
	case bytes.HasPrefix(prefix, []byte("\xff\xfe")), bytes.HasPrefix(prefix, []byte("\xfe\xff")):
		return "UTF-16 (convert it to UTF-8 first)"
	case bytes.IndexByte(prefix, 0) >= 0:
		return "binary"
	case bytes.HasPrefix(start, []byte("<!doctype")), bytes.HasPrefix(start, []byte("<html")), bytes.HasPrefix(start, []byte("<?xml")):
		return "an HTML or XML page"
	case bytes.HasPrefix(start, []byte("{")), bytes.HasPrefix(start, []byte("[{")), bytes.HasPrefix(start, []byte(`["`)):
		return "JSON"
	}
	return ""
}

// signature recognises a file by its first line, where that is meant to tell.
func signature(text []string) Format {
	switch {
	case len(text) == 0:
	case text[0] == ownMagic:
		return Argine
	case strings.HasPrefix(text[0], "[Adblock"):
		return Adblock
	}
	return ""
}

// trial is what comes of reading the sample as one format.
type trial struct {
	format  Format
	tally   tally
	entries int
	seen    sameness
	own     bool // there is something that only this format has
}

func try(f Format, text []string, s settings) trial {
	out, p := trial{format: f}, newParser(f, s)
	count := func(e blocklist.Entry) bool {
		out.entries++
		out.seen.entry(&e)
		out.own = out.own || e.Scope == blocklist.ScopeHost || e.Attributes != blocklist.Attributes{} || strings.Contains(e.Key(), "*")
		return true
	}
	for i, line := range text {
		out.tally.number, out.tally.out = i+1, out.tally.out[:0]
		p.line(&out.tally, line)
		for _, e := range out.tally.out {
			count(e)
		}
	}
	p.end(&out.tally, count)
	switch f {
	case Argine: // its plain lines are those of other formats, which are stricter about them
	case Dnscrypt: // so are these, and *.name means less elsewhere
		out.own = out.own || len(out.tally.skipped) > out.tally.unusable
	default:
		out.own = true
	}
	return out
}

// better compares by what could be read, then by what could not.
func (t trial) better(than trial) bool {
	switch {
	case t.entries == 0 || !t.own:
		return false
	case t.entries != than.entries:
		return t.entries > than.entries
	}
	return t.tally.unusable < than.tally.unusable
}

// refuse is for a sample what it is for the whole list; of less than the whole, only what is unusable counts.
func (t trial) refuse(whole bool) error {
	if whole || t.tally.unusable > 0 || t.tally.refusal != "" {
		entries := t.entries
		if !whole {
			entries = max(entries, 1)
		}
		return refuse(t.format, &t.tally, entries, t.seen)
	}
	return nil
}
