package subscribe_test

import (
	"context"
	"fmt"
	"os"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// A program that enforces a list keeps it in a store and follows it in a goroutine of its own.
func Example() {
	store, err := blocklist.Open("/var/lib/argine", blocklist.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	root, err := os.ReadFile("csam.root.json") // from the agency, out of band
	if err != nil {
		fmt.Println(err)
		return
	}
	sub, err := subscribe.New(store, subscribe.Config{
		List: "it.example/csam", Root: root, Origins: []string{"https://origin.example", "https://mirror.example"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go sub.Run(ctx)
	if m, ok := store.LookupHost("www.example.com"); ok {
		fmt.Println(m.List, m.Entry(), m.Reference)
	}
}
