//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyHangup passes on the signal that asks for a reload.
func notifyHangup(c chan<- os.Signal) { signal.Notify(c, syscall.SIGHUP) }
