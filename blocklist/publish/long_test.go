package publish_test

import "os"

// rounds returns how often a test repeats itself: a few times, and many times where ARGINE_LONG=1, as .ci/run does.
func rounds(few, many int) int {
	if os.Getenv("ARGINE_LONG") == "1" {
		return many
	}
	return few
}
