// Package longtest divides the tests into short and long ones. Every run does a few rounds of each test. The long tests
// run only with ARGINE_LONG=1 in the environment, as .ci/run sets it.
package longtest

import (
	"os"
	"testing"
)

// Wanted reports whether the long tests run.
func Wanted() bool { return os.Getenv("ARGINE_LONG") == "1" }

// Rounds returns the number of rounds, or the size, of a test: many if the long tests run, otherwise few.
func Rounds(few, many int) int {
	if Wanted() {
		return many
	}
	return few
}

// Only skips a test unless the long tests run; why says what makes it long.
func Only(t testing.TB, why string) {
	t.Helper()
	if !Wanted() {
		t.Skip("ARGINE_LONG=1 runs it: " + why)
	}
}
