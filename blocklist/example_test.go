package blocklist_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// temp makes a folder for an example.
func temp() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// parse reads entries, one a line; package formats reads the files of other programs, too.
func parse(text string) func(yield func(blocklist.Entry, error) bool) {
	return func(yield func(blocklist.Entry, error) bool) {
		for line := range strings.Lines(text) {
			if !yield(blocklist.ParseEntry(line)) {
				return
			}
		}
	}
}

// A program that looks many names up, as a resolver does, keeps them in wire form: then nothing is allocated.
func ExampleStore_LookupName() {
	dir, remove := temp()
	defer remove()
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.SetLocal("local", "", parse("example.com\n")); err != nil {
		fmt.Println(err)
		return
	}
	name, err := blocklist.ParseName("www.Example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, ok := store.LookupName([]byte(name))
	fmt.Println(ok, m.List, m.Scope, m.Entry())
	// Output: true local domain example.com
}

// Who decides by list, or has to say who else has listed a page, asks for the matches of all lists.
func ExampleStore_AppendURLMatches() {
	dir, remove := temp()
	defer remove()
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	for list, text := range map[string]string{
		"it.example/csam":     "https://site.example/channel/* ref=2026/17\n",
		"it.example/gambling": "site.example status=monitor\n",
		"fr.example/csam":     "https://other.example/\n",
	} {
		if err := store.SetLocal(list, "", parse(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, m := range store.AppendURLMatches(nil, "https://site.example/channel/7") {
		fmt.Println(m.List, m.Entry(), m.Reference, m.Monitor)
	}
	// Unordered output:
	// it.example/csam https://site.example/channel/* 2026/17 false
	// it.example/gambling site.example  true
}

// A program that brings its list along has it compiled once, and opens it without a store.
func ExampleOpenSet() {
	dir, remove := temp()
	defer remove()
	path := filepath.Join(dir, "browser.set")
	if err := blocklist.BuildSet(path, "browser", parse("example.com category=phishing\n")); err != nil {
		fmt.Println(err)
		return
	}

	set, err := blocklist.OpenSet(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, ok := set.LookupURL("https://login.example.com/")
	fmt.Println(ok, m.Category, set.Info().Entries)
	// Output: true phishing 1
}

// A program that has its list within itself needs no file: build the set once (go:generate blocklist compile), embed
// it, and open the bytes. It works in a browser, too (GOOS=js GOARCH=wasm).
func ExampleOpenSetBytes() {
	// In a program of one's own, in place of embedded:
	//
	//	//go:embed phishing.set
	//	var embedded []byte
	embedded := embed("example.com category=phishing\nhttps://site.example/login\n")

	set, err := blocklist.OpenSetBytes(embedded)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, _ := set.LookupURL("https://site.example/login?next=/")
	fmt.Println(m)
	text, _ := json.Marshal(m)
	fmt.Println(string(text))
	// Output:
	// phishing: https://site.example/login
	// {"list":"phishing","target":"https://site.example/login","scope":"url","status":"block"}
}

// embed returns the file that go:embed would put into the program.
func embed(lines string) []byte {
	dir, remove := temp()
	defer remove()
	path := filepath.Join(dir, "phishing.set")
	if err := blocklist.BuildSet(path, "phishing", parse(lines)); err != nil {
		panic(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return b
}

// A batch: which hosts of a log are listed? LookupHost takes names, addresses and ports as they stand there; several
// goroutines may ask at once.
func ExampleSet_LookupHost() {
	set, err := blocklist.OpenSetBytes(embed("example.com ref=2026/17\n192.0.2.0/24\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	log := bufio.NewScanner(strings.NewReader("www.Example.com:443\nexample.org\n192.0.2.7:80\n"))
	for log.Scan() {
		if m, ok := set.LookupHost(log.Text()); ok && !m.Monitor {
			fmt.Println(log.Text(), m.Entry(), m.Reference)
		}
	}
	// Output:
	// www.Example.com:443 example.com 2026/17
	// 192.0.2.7:80 192.0.2.0/24
}

// An entry is a line; errors say what to write instead.
func ExampleParseEntry() {
	e, err := blocklist.ParseEntry(`HTTPS://Site.example/a/../b category=spam ref="order 2026/17" # as ordered`)
	fmt.Println(e, err)
	_, err = blocklist.ParseEntry("*.example.com")
	fmt.Println(errors.Is(err, blocklist.ErrMalformed), err)
	// Output:
	// https://site.example/b category=spam ref="order 2026/17" <nil>
	// true entry "*.example.com": a name without a star covers all names below it; =name covers the name alone
}
