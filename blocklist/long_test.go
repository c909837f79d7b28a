package blocklist_test

import "os"

// rounds returns how often a test of random moments or data repeats itself: a few times, and as often as it takes to
// find what is rare where ARGINE_LONG=1, as .ci/run does.
func rounds(few, many int) int {
	if os.Getenv("ARGINE_LONG") == "1" {
		return many
	}
	return few
}
