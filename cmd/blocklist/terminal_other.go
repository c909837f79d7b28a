//go:build !linux

package main

import "os"

// hideInput is for Linux; elsewhere reading a passphrase alone hides it, a moment after the prompt.
func hideInput(*os.File) (show func()) { return func() {} }
