package publish_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

// An agency with one officer makes a list, and publishes an entry at an origin.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}

	// Once: the origin and its key, the officer's key, the ledger, and the root that says who may sign.
	online, err := origin.Init(filepath.Join(dir, "origin"))
	check(err)
	o, err := origin.Open(filepath.Join(dir, "origin"), origin.Options{})
	check(err)
	keyFile := filepath.Join(dir, "anna.key")
	officer, err := keys.Generate(keyFile, filepath.Join(dir, "anna.pub"), "anna", "") // a passphrase belongs here
	check(err)
	key, err := keys.Load(keyFile, nil)
	check(err)
	home := filepath.Join(dir, "ledger")
	check(publish.Init(ctx, home, publish.InitOptions{
		List: "it.example/test", OriginKey: online, Officers: []string{officer}, Threshold: 1, Author: "anna",
	}))
	ledger, err := publish.Open(home)
	check(err)
	defer ledger.Close()
	sign := func() {
		p, err := ledger.Pending()
		check(err)
		_, err = ledger.Sign(ctx, p, key)
		check(err)
	}
	sign() // the root
	root, err := os.ReadFile(filepath.Join(home, "root.json"))
	check(err)
	_, err = o.Trust(root)
	check(err)

	// Day by day: change, release, sign, push.
	entry, err := blocklist.ParseEntry("blocked.example ref=2026/17")
	check(err)
	cause := publish.Audit{Author: "anna", Reason: "as ordered", Reference: "2026/17"}
	_, err = ledger.Add(ctx, []blocklist.Entry{entry}, cause)
	check(err)
	_, _, err = ledger.Release(ctx, "anna")
	check(err)
	sign()
	_, err = ledger.Push(ctx, func(ctx context.Context, _ string, bundle io.Reader) error { // publish.ToHTTP for one far away
		h, err := o.Accept(ctx, bundle)
		fmt.Println("published", h.List, "serial", h.Serial, "entries", h.Entries)
		return err
	}, cause)
	check(err)
	// Output: published it.example/test serial 1 entries 1
}
