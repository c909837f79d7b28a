//go:build !unix

package main

import "os"

// notifyHangup does nothing: this system has no such signal. Changed files are found without it.
func notifyHangup(chan<- os.Signal) {}
