//go:build linux

package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// lines is the number of queries in a workload. cached and mixed are the numbers of different names in the workloads W1
// and W2, see README.md.
const (
	lines  = 400_000
	cached = 10_000  // number of names in workload W1
	mixed  = 100_000 // number of names in workload W2
)

// blockedName returns the i-th name of the list. Names with consecutive numbers begin differently.
func blockedName(i int) string {
	return fmt.Sprintf("%x-%d.%s.example", uint32(i)*2654435761, i, []string{"shop", "news", "web", "media"}[i%4])
}

func allowedName(i int) string { return fmt.Sprintf("www.site-%d.example", i) }

// writeData writes the file of the list, and a file with the queries of each workload.
func (b *bench) writeData() error {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same queries each time
	popular := rand.NewZipf(random, 1.0001, 1, cached-1)
	wide := rand.NewZipf(random, 1.0001, 1, mixed-1)
	fresh := 0
	workloads := map[string]func() string{
		"w1": func() string { return allowedName(int(popular.Uint64())) + " A" },
		"w2": func() string {
			if random.IntN(20) == 0 {
				return blockedName(random.IntN(b.names)) + " A"
			}
			return allowedName(int(wide.Uint64())) + " A"
		},
		"w3": func() string {
			return strings.Repeat("sub.", random.IntN(2)) + blockedName(random.IntN(b.names)) + " A"
		},
	}
	for i := range b.runs {
		workloads[fmt.Sprint("w4.", i)] = func() string { fresh++; return fmt.Sprintf("once-%d.example A", fresh) }
	}
	n := 0
	if err := b.write("list", b.names, func() string { n++; return blockedName(n - 1) }); err != nil {
		return err
	}
	for name, line := range workloads {
		if err := b.write(name, lines, line); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file with a number of lines. The function line returns the next line.
func (b *bench) write(name string, lines int, line func() string) error {
	f, err := os.Create(filepath.Join(b.dir, name))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // Flush tells
	w := bufio.NewWriter(f)
	for range lines {
		fmt.Fprintln(w, line())
	}
	return w.Flush()
}
