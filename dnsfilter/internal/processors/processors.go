// Package processors raises GOMAXPROCS for goroutines that compute in the background, or wait in system calls without
// the runtime's knowledge: otherwise they would occupy the places of goroutines that answer queries. The system shares
// the real processors among all of them, and more finely than the runtime does.
package processors

import (
	"os"
	"runtime"
	"sync"
)

var added struct { //nolint:gochecknoglobals // so is GOMAXPROCS
	sync.Mutex
	n        int
	standard bool // before the first was added, GOMAXPROCS was what the runtime chooses, and follows
}

// Add raises GOMAXPROCS by n for n goroutines; n is negative when they have ended. When all have, the runtime chooses
// GOMAXPROCS again, if it did before, since only then it follows the limits of the process's control group.
func Add(n int) {
	added.Lock()
	defer added.Unlock()
	if added.n == 0 {
		added.standard = isStandard()
	}
	added.n += n
	if added.n == 0 && added.standard {
		runtime.SetDefaultGOMAXPROCS()
		return
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
}

// isStandard reports whether GOMAXPROCS is what the runtime chooses.
func isStandard() bool {
	if os.Getenv("GOMAXPROCS") != "" {
		return false
	}
	n := runtime.GOMAXPROCS(0)
	if runtime.SetDefaultGOMAXPROCS(); n != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(n)
		return false
	}
	return true
}

// Count returns for how many processors there is work: GOMAXPROCS without what was added.
func Count() int {
	added.Lock()
	defer added.Unlock()
	return max(runtime.GOMAXPROCS(0)-added.n, 1)
}
