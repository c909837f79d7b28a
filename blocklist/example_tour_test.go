package blocklist_test

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// A program of ten lines that blocks a URL: open a store, say what is listed, ask.
func Example() {
	dir, err := os.MkdirTemp("", "lists-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := strings.NewReader("https://site.example/channel/*\nwww.example.com\n") // os.Open, as a rule
	for _, url := range []string{"http://SITE.example:8080/channel/7?x=1", "https://site.example/", "https://www.example.com/any"} {
		file.Seek(0, io.SeekStart)
		if err := block(dir, file, url); err != nil {
			panic(err)
		}
	}
	// Output:
	// http://SITE.example:8080/channel/7?x=1 is blocked by https://site.example/channel/* of local
	// https://www.example.com/any is blocked by www.example.com of local
}

func block(dir string, file io.Reader, url string) error {
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	list, err := formats.NewReader(file, formats.Options{}) // names, hosts, URLs, RPZ, ...: any format
	if err != nil {
		return err
	}
	if err := store.SetLocal("local", "", list.Entries()); err != nil {
		return err
	}
	if m, ok := store.LookupURL(url); ok && !m.Monitor {
		fmt.Println(url, "is blocked by", m.Entry(), "of", m.List)
	}
	return nil
}
