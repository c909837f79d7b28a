//go:build !linux

package main

import "os"

// hideInput does nothing: it is for Linux. On other systems, only reading a passphrase hides the input, a moment after
// the prompt.
func hideInput(*os.File) (show func()) { return func() {} }
