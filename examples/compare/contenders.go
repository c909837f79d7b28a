package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/AdguardTeam/urlfilter"
	"github.com/bits-and-blooms/bloom/v3"

	"github.com/argine-dns/argine/blocklist"
)

func buildSet(dir string, n int) (lookup, int64, error) {
	path := filepath.Join(dir, "list.set")
	err := blocklist.BuildSet(path, "example/compare", func(yield func(blocklist.Entry, error) bool) {
		for i := range n {
			if !yield(blocklist.ParseEntry(listed(i))) {
				return
			}
		}
	})
	if err != nil {
		return nil, 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	set, err := blocklist.OpenSet(path)
	return func(host string) bool {
		_, ok := set.LookupHost(host)
		return ok
	}, info.Size(), err
}

// parents reports whether the function lists returns true for a host or for one of its parents.
func parents(host string, lists func(string) bool) bool {
	for {
		if lists(host) {
			return true
		}
		_, parent, more := strings.Cut(host, ".")
		if !more {
			return false
		}
		host = parent
	}
}

func buildMap(_ string, n int) (lookup, int64, error) {
	m := make(map[string]struct{}, n)
	for i := range n {
		m[listed(i)] = struct{}{}
	}
	return func(host string) bool {
		return parents(host, func(name string) bool { _, ok := m[name]; return ok })
	}, 0, nil
}

// node is a label in a trie.
type node struct {
	listed bool
	below  map[string]*node
}

func buildTrie(_ string, n int) (lookup, int64, error) {
	root := &node{}
	for i := range n {
		at := root
		labels := strings.Split(listed(i), ".")
		for j := len(labels) - 1; j >= 0; j-- {
			next := at.below[labels[j]]
			if next == nil {
				next = &node{}
				if at.below == nil {
					at.below = map[string]*node{}
				}
				at.below[strings.Clone(labels[j])] = next
			}
			at = next
		}
		at.listed = true
	}
	return root.covers, 0, nil
}

func (n *node) covers(host string) bool {
	for host != "" {
		i := strings.LastIndexByte(host, '.')
		if n = n.below[host[i+1:]]; n == nil {
			return false
		}
		if n.listed {
			return true
		}
		host = host[:max(i, 0)]
	}
	return false
}

func buildBloom(_ string, n int) (lookup, int64, error) {
	f := bloom.NewWithEstimates(uint(n), 0.001)
	for i := range n {
		f.AddString(listed(i))
	}
	return func(host string) bool { return parents(host, f.TestString) }, 0, nil
}

func buildURLFilter(_ string, n int) (lookup, int64, error) {
	var text strings.Builder
	for i := range n {
		text.WriteString("||" + listed(i) + "^\n")
	}
	storage, err := urlfilter.NewRuleStorage([]urlfilter.RuleList{&urlfilter.StringRuleList{RulesText: text.String()}})
	if err != nil {
		return nil, 0, err
	}
	engine := urlfilter.NewDNSEngine(storage)
	return func(host string) bool {
		_, ok := engine.Match(host)
		return ok
	}, 0, nil
}
