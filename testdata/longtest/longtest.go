// Package longtest separates quick tests from long ones. Long tests, and more rounds of others, run only with
// ARGINE_LONG=1 in the environment, which .ci/run sets.
package longtest

import (
	"os"
	"testing"
)

// Wanted reports whether the long tests run.
func Wanted() bool { return os.Getenv("ARGINE_LONG") == "1" }

// Rounds returns the number of rounds of a test, or its size: the argument many if the long tests run, otherwise the
// argument few.
func Rounds(few, many int) int {
	if Wanted() {
		return many
	}
	return few
}

// Only skips the test unless the long tests run. The argument reason says what makes it long.
func Only(t testing.TB, reason string) {
	t.Helper()
	if !Wanted() {
		t.Skip("ARGINE_LONG=1 runs it: " + reason)
	}
}
