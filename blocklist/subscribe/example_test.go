package subscribe_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// A program that enforces a list keeps it in a store and follows it in a goroutine of its own. In place of the test's
// origin stand the agency's: its URL, those of mirrors, and the root that was obtained out of band.
func Example() {
	t := &exampleTB{}
	defer t.end()
	origin := blocktest.NewOrigin(t, "example.com category=spam ref=2026/17")

	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	sub, err := subscribe.New(store, subscribe.Config{List: blocktest.List, Root: origin.Root, Origins: []string{origin.URL}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sub.Run(ctx) }()

	for st := range sub.Watch(ctx) { // now, and whenever something changes
		if st.Serial > 0 {
			break // ready; what a store held before a restart is in force at once
		}
	}
	if m, ok := store.LookupHost("www.example.com"); ok && !m.Monitor {
		fmt.Println(m.List, m.Entry(), m.Category, m.Reference)
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// it.example/test example.com spam 2026/17
	// context canceled
}

// exampleTB lets an example use what is made for tests.
type exampleTB struct {
	testing.TB

	cleanups []func()
}

func (t *exampleTB) Helper()          {}
func (t *exampleTB) Fatal(all ...any) { panic(fmt.Sprint(all...)) }
func (t *exampleTB) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *exampleTB) TempDir() string {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (t *exampleTB) end() {
	for _, f := range t.cleanups {
		f()
	}
}
