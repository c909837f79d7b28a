package guard

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// parents counts the entries below each addition. It stores additions as keyed 64-bit hashes. It stores names only
// for the additions that exceed the limit.
type parents struct {
	seed    maphash.Seed
	domains hashCounts // added domain entries, with the number of other entries below each
	hosts   hashCounts // added host entries, with the number of URL entries for each host
	tooMany map[blocklist.Entry]below
}

// below is the hash of a parent entry, and an example of the entries below it.
type below struct {
	hash    uint64
	example string
}

// maxBelow is the maximum number of other entries below an added entry. A URL entry counts as below its host.
const maxBelow = 100

func newParents() *parents {
	return &parents{
		seed:    maphash.MakeSeed(),
		domains: hashCounts{counts: map[uint64]uint32{}}, hosts: hashCounts{counts: map[uint64]uint32{}},
		tooMany: map[blocklist.Entry]below{},
	}
}

func (p *parents) hash(name blocklist.Name) uint64 { return maphash.String(p.seed, string(name)) }

func (p *parents) add(c coverage) {
	if c.below {
		p.domains.add(p.hash(c.name))
	} else {
		p.hosts.add(p.hash(c.name))
	}
}

func (p *parents) empty() bool { return p.domains.empty() && p.hosts.empty() }

// walk counts each entry for every addition that is above it.
func (p *parents) walk(entries iter.Seq2[blocklist.Entry, error]) error {
	p.domains.complete()
	p.hosts.complete()
	for e, err := range entries {
		if err != nil {
			return err
		}
		p.count(e)
	}
	return nil
}

func (p *parents) count(e blocklist.Entry) {
	name, ok := e.Name()
	if e.Scope == blocklist.ScopeURL {
		host, _, _ := strings.Cut(e.Key(), "/")
		var c coverage
		c, ok = hostCoverage(host)
		name = c.name
		if ok && !c.below {
			p.step(&p.hosts, blocklist.HostEntry(name), e)
		}
	}
	if !ok {
		return
	}
	for s := range name.Suffixes() {
		if s != name || e.Scope != blocklist.ScopeDomain { // a domain is not below itself
			p.step(&p.domains, blocklist.DomainEntry(s), e)
		}
	}
}

// step counts the entry e for the entry parent, if parent was added.
func (p *parents) step(t *hashCounts, parent, e blocklist.Entry) {
	h := p.hash(blocklist.Name(parent.Key()))
	if !t.has(h) {
		return
	}
	t.counts[h]++
	if t.counts[h] == maxBelow+1 {
		p.tooMany[parent] = below{h, e.Target()}
	}
}

// findings reports the additions with too many entries below them, sorted by target.
func (p *parents) findings(found *collector) {
	var out []Finding
	for e, c := range p.tooMany {
		n, what := p.domains.counts[c.hash], "other entries lie below it"
		if e.Scope == blocklist.ScopeHost {
			n, what = p.hosts.counts[c.hash], "entries are for single URLs on it"
		}
		why := fmt.Sprintf("%d %s, such as %s", n, what, c.example)
		out = append(out, Finding{
			Check: CheckParent, Severity: SeverityHold, Entry: e.Target(), Why: why, Example: c.example, Others: uint64(n - 1),
		})
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.Entry, b.Entry) })
	for _, f := range out {
		found.add(f)
	}
}
