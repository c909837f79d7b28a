// Package processors raises GOMAXPROCS for goroutines that compute in the background, or that block in system calls
// without telling the runtime. Otherwise there would be too few processors (P) of the runtime for goroutines that
// answer queries. The system shares the real processors among all threads, in smaller time slices than the runtime
// does.
package processors

import (
	"os"
	"runtime"
	"sync"
)

var added struct { //nolint:gochecknoglobals // GOMAXPROCS is global, too
	sync.Mutex
	n        int
	standard bool // GOMAXPROCS had the runtime's default before the first Add
}

// Add raises GOMAXPROCS by n for n more goroutines. Call Add with -n after they have ended. When no added goroutines
// are left, and GOMAXPROCS had the runtime's default before the first call, Add restores that default, which follows
// the CPU limit of the control group.
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

// isStandard reports whether GOMAXPROCS has the runtime's default.
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

// Count returns the number of processors for other work: GOMAXPROCS minus the number of added goroutines, and at least
// 1.
func Count() int {
	added.Lock()
	defer added.Unlock()
	return max(runtime.GOMAXPROCS(0)-added.n, 1)
}
