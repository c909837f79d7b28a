// Package fast makes the tests of a package faster. A TestMain calls [Prepare] at its beginning.
package fast

import (
	"flag"
	"os"
	"runtime/debug"
)

// Prepare puts the temporary folders of this process and its children into memory, unless TMPDIR is set: syncing files
// takes a third of the time of tests of ledgers and stores. It also makes garbage collection rarer, since a test
// process ends soon, and lets more tests run at once than there are processors, since many of them wait; the flag
// -parallel overrides that number.
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
