//go:build !unix

package main

import "os"

// notifyHangup does nothing: this system has no SIGHUP. The server still notices changed files by itself.
func notifyHangup(chan<- os.Signal) {}
