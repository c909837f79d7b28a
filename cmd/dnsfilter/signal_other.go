//go:build !unix

package main

import "os"

// notifyHangup does nothing where there is no such signal; changed files are found anyway.
func notifyHangup(chan<- os.Signal) {}
