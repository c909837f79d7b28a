// Package processors keeps count of the goroutines that work beside those that answer queries, or wait in the system where
// the runtime can't see it, and gives the runtime a place for each (GOMAXPROCS): otherwise they would keep places from queries.
// The system shares the real processors among all of them, and more finely than the runtime does.
package processors

import (
	"runtime"
	"sync"
)

var added struct { //nolint:gochecknoglobals // so is GOMAXPROCS
	sync.Mutex
	n int
}

// Add adds places for n goroutines; n is negative when they have ended.
func Add(n int) {
	added.Lock()
	defer added.Unlock()
	added.n += n
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
}

// Count returns for how many processors there is work: GOMAXPROCS without what was added.
func Count() int {
	added.Lock()
	defer added.Unlock()
	return max(runtime.GOMAXPROCS(0)-added.n, 1)
}
