package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// hideInput turns off the echo of a terminal until show is called.
func hideInput(f *os.File) (show func()) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {}
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, &hidden)                  // reading a passphrase does it again
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) } // reading has shown that it works
}
