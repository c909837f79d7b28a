// Package fast makes the tests of a package cheaper. Its Prepare is called at the beginning of TestMain.
package fast

import (
	"flag"
	"os"
	"runtime/debug"
)

// Prepare makes the temporary folders of this process and its children in memory, unless TMPDIR is set: syncing files
// is a third of what tests of ledgers and stores cost. Garbage is collected less often, since a test ends soon. More
// tests run at once than there are processors, since many wait; the flag -parallel says how many.
func Prepare() {
	_ = flag.Set("test.parallel", "8") // before the flags are parsed
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(400)
	}
	if _, set := os.LookupEnv("TMPDIR"); set {
		return
	}
	if dir := memory(); dir != "" {
		_ = os.Setenv("TMPDIR", dir)
	}
}
