package blocklist_test

import (
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
