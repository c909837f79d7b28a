// Command compare looks names and URLs up in a compiled set, and in other data structures that a program could use
// instead. It prints a table: time, memory and wrong answers.
//
//	go run . -n 1000000 -vectors safe-browsing-vectors.tsv
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

func main() {
	n := flag.Int("n", 1_000_000, "`number` of listed names")
	table := flag.String("vectors", "", "`file` with URLs and their canonical forms, with a tab between")
	flag.Parse()
	var vectors []vector
	var err error
	if *table != "" {
		vectors, err = readVectors(*table)
	}
	if err == nil {
		err = compare(os.Stdout, *n, vectors, true)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare: error:", err)
		os.Exit(1)
	}
}

// listed returns the i-th name of the list. An entry covers its name and all subdomains.
func listed(i int) string { return fmt.Sprintf("host-%x.site-%d.example", i*2654435761%1_000_003, i) }

// forms are printf formats. For each listed name, they give four names to look up: the list covers the first two, but
// not the others.
var forms = [4]string{"%s", "www.%s", "not%s", "%s.test"}

// lookup reports whether a host is listed.
type lookup func(host string) bool

// contender is a data structure in the comparison.
type contender struct {
	name  string
	build func(dir string, n int) (_ lookup, fileSize int64, err error)
	urls  func(dir string, listed []vector) (lookup, error) // nil: the data structure can't list URLs
}

func contenders() []contender {
	return []contender{
		{"argine, compiled set", buildSet, setOfURLs},
		{"Go map, asked for each parent", buildMap, mapOfURLs},
		{"trie of labels", buildTrie, nil},
		{"Bloom filter alone (1 in 1,000)", buildBloom, bloomOfURLs},
		{"AdguardTeam/urlfilter", buildURLFilter, urlFilterOfURLs},
	}
}

// result is a row of the table.
type result struct {
	name         string
	heap, file   float64 // bytes per entry
	hit, miss    float64 // time of a lookup of a listed and of another name, in ns
	wrong, asked int
	urls         string // result of the URL test vectors
}

func compare(out io.Writer, n int, vectors []vector, timed bool) error {
	fmt.Fprintln(out, "| | ns, listed | ns, not listed | heap, bytes an entry | file, bytes an entry | wrong answers | URLs missed, mistaken |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|")
	for _, c := range contenders() {
		r, err := c.measure(n, vectors, timed)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %.1f | %.1f | %d of %d | %s |\n", r.name, r.hit, r.miss, r.heap, r.file,
			r.wrong, r.asked, r.urls)
	}
	return nil
}

func (c contender) measure(n int, vectors []vector, timed bool) (result, error) {
	dir, err := os.MkdirTemp("", "compare-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	before := heap()
	find, size, err := c.build(dir, n)
	if err != nil {
		return result{}, err
	}
	r := result{name: c.name, heap: float64(heap()-before) / float64(n), file: float64(size) / float64(n)}
	r.wrong, r.asked = wrong(find, n)
	r.urls = "-"
	if c.urls != nil && len(vectors) > 0 {
		findURL, err := c.urls(dir, vectors)
		if err != nil {
			return r, err
		}
		missed, mistaken := judge(findURL, vectors)
		r.urls = fmt.Sprintf("%d of %d, %d of %d", missed, len(vectors), mistaken, 2*len(vectors))
	}
	if timed {
		r.hit, r.miss = measure(find, n, forms[1]), measure(find, n, forms[2])
	}
	runtime.KeepAlive(find)
	return r, nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// wrong looks up at most 100,000 listed names in all forms. It returns the number of wrong answers and the number of
// lookups.
func wrong(find lookup, n int) (wrong, asked int) {
	for i := 0; i < n; i += max(n/100_000, 1) {
		for j, form := range forms {
			asked++
			if find(fmt.Sprintf(form, listed(i))) != (j < 2) {
				wrong++
			}
		}
	}
	return wrong, asked
}

// measure returns the average time of a lookup over many names, in nanoseconds. It measures small groups of names in
// several rounds, and takes the fastest round of each group, because other work of the machine only adds time.
func measure(find lookup, n int, form string) float64 {
	const names, few, rounds = 1 << 16, 512, 20
	hosts := make([]string, names)
	for i := range hosts {
		hosts[i] = fmt.Sprintf(form, listed(i*15%n))
	}
	best := make([]time.Duration, names/few)
	begin := time.Now()
	for round := 0; round < rounds && time.Since(begin) < 5*time.Second; round++ {
		for i := range best {
			start := time.Now()
			for _, host := range hosts[i*few : (i+1)*few] {
				find(host)
			}
			if took := time.Since(start); round == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	var sum time.Duration
	for _, took := range best {
		sum += took
	}
	return float64(sum.Nanoseconds()) / names
}
