//go:build !unix

package main

import "os"

// hangup are the signals that ask for a reload: there are none here, changed files are found anyway.
var hangup []os.Signal //nolint:gochecknoglobals // a constant in all but grammar
