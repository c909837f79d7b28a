//go:build !linux

package main

import "os"

// hideInput does nothing on this system: the echo is off only while a passphrase is read, from a moment after the
// prompt.
func hideInput(*os.File) (show func()) { return func() {} }
