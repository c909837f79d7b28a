package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/AdguardTeam/urlfilter"
	"github.com/bits-and-blooms/bloom/v3"

	"github.com/argine-dns/argine/blocklist"
)

// vector is a URL as a person may write it, with its canonical form, which all spellings of the URL have in common.
type vector struct{ raw, canonical string }

// readVectors reads a table: a URL and its canonical form on each line, separated by a tab, with the escapes of Go
// strings. The test vectors of the Safe Browsing specification have this form.
func readVectors(path string) (all []vector, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		raw, canonical, ok := strings.Cut(lines.Text(), "\t")
		if !ok || raw == "input" {
			continue
		}
		raw, err := strconv.Unquote(`"` + raw + `"`)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, lines.Text(), err)
		}
		all = append(all, vector{raw, canonical})
	}
	return all, lines.Err()
}

// neighbours returns URLs that differ from the listed one in one part, the path or the host. They are not listed.
func (v vector) neighbours() []string {
	page, query, _ := strings.Cut(v.canonical, "?")
	return []string{page + "x?" + query, strings.Replace(v.canonical, "://", "://not", 1)}
}

// judge counts the listed URLs that are not found as they are written (missed), and the neighbours that are found
// (mistaken).
func judge(find lookup, vectors []vector) (missed, mistaken int) {
	for _, v := range vectors {
		if !find(v.raw) {
			missed++
		}
		for _, other := range v.neighbours() {
			if find(other) {
				mistaken++
			}
		}
	}
	return missed, mistaken
}

func setOfURLs(dir string, vectors []vector) (lookup, error) {
	path := filepath.Join(dir, "urls.set")
	err := blocklist.BuildSet(path, "example/urls", func(yield func(blocklist.Entry, error) bool) {
		for _, v := range vectors {
			if !yield(blocklist.ParseEntry(v.canonical)) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	set, err := blocklist.OpenSet(path)
	return func(raw string) bool {
		_, ok := set.LookupURL(raw)
		return ok
	}, err
}

// plainKey returns a lookup key for a URL, made with the standard library alone: without scheme and port, with the host
// in lower case.
func plainKey(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return strings.ToLower(u.Hostname()) + u.EscapedPath() + "?" + u.RawQuery
}

func mapOfURLs(_ string, vectors []vector) (lookup, error) {
	m := map[string]bool{}
	for _, v := range vectors {
		m[plainKey(v.canonical)] = true
	}
	return func(raw string) bool { return m[plainKey(raw)] }, nil
}

func bloomOfURLs(_ string, vectors []vector) (lookup, error) {
	f := bloom.NewWithEstimates(uint(len(vectors)), 0.001)
	for _, v := range vectors {
		f.AddString(plainKey(v.canonical))
	}
	return func(raw string) bool { return f.TestString(plainKey(raw)) }, nil
}

func urlFilterOfURLs(_ string, vectors []vector) (lookup, error) {
	var text strings.Builder
	for _, v := range vectors {
		text.WriteString("|" + v.canonical + "|\n")
	}
	storage, err := urlfilter.NewRuleStorage([]urlfilter.RuleList{&urlfilter.StringRuleList{RulesText: text.String()}})
	if err != nil {
		return nil, err
	}
	engine := urlfilter.NewNetworkEngine(storage)
	return func(raw string) bool {
		_, ok := engine.Match(urlfilter.NewRequest(raw, "", urlfilter.TypeOther))
		return ok
	}, nil
}
