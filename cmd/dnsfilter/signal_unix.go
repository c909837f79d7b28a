//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyHangup sends each received SIGHUP to c. The signal asks for a reload.
func notifyHangup(c chan<- os.Signal) { signal.Notify(c, syscall.SIGHUP) }
