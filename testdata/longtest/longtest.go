// Package longtest divides the tests: every run does a few rounds of each, and the long ones run only with
// ARGINE_LONG=1 in the environment, as .ci/run sets it.
package longtest

import (
	"os"
	"testing"
)

// Wanted reports whether the long tests run.
func Wanted() bool { return os.Getenv("ARGINE_LONG") == "1" }

// Rounds returns how often a test repeats itself, or how much it takes: few, and many where the long tests run.
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
