//go:build !linux

package main

import "os"

// hideInput does nothing on this system. Only the reading of a passphrase turns off the echo, so what is typed right
// after the prompt may be shown for a moment.
func hideInput(*os.File) (show func()) { return func() {} }
