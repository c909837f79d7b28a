package service

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// watchEvery is the interval for polling files. A change counts once the file has had the same state for settleFor, so
// that a file is not read while it is being written. The file must also have this state after reading.
const (
	watchEvery = 50 * time.Millisecond
	settleFor  = 100 * time.Millisecond
)

// readTries is the maximum number of attempts to read a file that keeps changing.
const readTries = 20

// whileChanging calls read, and calls it again if it fails while a file is changing, since the file may have been half
// written. The function files returns the paths of the files to which the error may be due.
func whileChanging(log *slog.Logger, files func(error) []string, read func() error) error {
	var err error
	for try := range readTries {
		if err = read(); err == nil || !errors.Is(err, errChanging) && !slices.ContainsFunc(files(err), isChanging) {
			return err
		}
		if try == 0 {
			log.Warn("a file was changed just now; it is read again, as it may not have been complete", slog.Any("error", err))
		}
		time.Sleep(settleFor)
	}
	return fmt.Errorf("%w, %d times: write a new file beside it, and rename it", err, readTries)
}

// only is for calls of whileChanging in which just one file can cause an error. It returns the function for the
// argument files, which returns the path of this file whatever the error is.
func only(path string) func(error) []string { return func(error) []string { return []string{path} } }

// isChanging reports whether a file was modified within the last settleFor.
func isChanging(path string) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()).Abs() < settleFor
}

// watcher detects files that have changed and then settled. It has the states of watched files by key.
type watcher map[string]*watched

type watched struct {
	seen, done string
	since      time.Time // when the present state was first seen
}

// settled reports whether the file with the given key has been in its present state for settleFor. The argument source
// is that state. For each state, settled returns true only once.
func (w watcher) settled(key, source string) bool {
	f := w[key]
	if f == nil {
		f = &watched{}
		w[key] = f
	}
	if f.seen != source {
		f.seen, f.since = source, time.Now()
	}
	settled := f.done != source && time.Since(f.since) >= settleFor
	if settled {
		f.done = source
	}
	return settled
}
