package service

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
)

// loader compiles files into a store.
type loader struct {
	store  *blocklist.Store
	guards guards
	log    *slog.Logger
}

// load compiles a file into the store. If that fails, or if the guards put the file on hold, the old state of the list
// stays. The argument accepted is the ID of a hold that a person has accepted. This hold is ignored: the file comes
// into force. Empty: no hold is ignored.
func (l loader) load(f config.LocalFile, accepted string) (held *localHold, err error) {
	defer relaxGC()()
	err = l.compile(f, func(found *localHold, _ blocklist.LocalChange) error {
		if found != nil && found.ID != accepted {
			held = found
			return blocklist.ErrHeld
		}
		return nil
	})
	if err != nil && held == nil {
		return nil, fmt.Errorf("loading list %s: %w", f.List, err)
	}
	return held, nil
}

// relaxGC prepares the process for long work in two goroutines, while others answer queries: it raises GOMAXPROCS, and
// lets the garbage collector run less often. The function done restores both.
func relaxGC() (done func()) {
	processors.Add(2)
	percent := debug.SetGCPercent(rareGC)
	return func() {
		debug.SetGCPercent(percent)
		processors.Add(-2)
	}
}

// rareGC is the GOGC value during long work: the next collection runs when the heap, usually a few megabytes, has grown
// to five times its size.
const rareGC = 400

// compile compiles a file into the store if approve returns nil. The argument held of approve is the hold of the guards
// on the file, or nil; c has the number of entries before and after, and how many are added and removed.
func (l loader) compile(f config.LocalFile, approve func(held *localHold, c blocklist.LocalChange) error) error {
	begin := time.Now()
	source, err := f.Source()
	if err != nil {
		return err
	}
	file, err := files.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	sum := sha256.New()
	r, err := formats.NewReader(io.TeeReader(file, sum), f.Options())
	if err != nil {
		return err
	}
	info, _ := l.store.List(f.List)
	review := l.guards.review(f, info.Entries == 0 || info.Err != nil)
	err = l.store.ReviewLocal(f.List, source, checkUnchanged(f, source, r), blocklist.LocalReview{
		New: review.add,
		Approve: func(c blocklist.LocalChange) ([]byte, error) {
			report := fileReport(r.Report())
			held := review.hold(f, c, sum.Sum(nil))
			if held != nil {
				held.Source, held.File = source, report
			}
			if err := approve(held, c); err != nil {
				return nil, err
			}
			return json.Marshal(report)
		},
	})
	if err == nil {
		l.logLoaded(f, r.Report(), time.Since(begin))
	}
	return err
}

// logLoaded logs that a file was loaded, with the number of its entries, and the lines that were skipped.
func (l loader) logLoaded(f config.LocalFile, r formats.Report, took time.Duration) {
	which := []any{slog.String("list", f.List), slog.String("file", f.Path)}
	l.log.Info("list loaded", append(which, slog.Any("format", r.Format), slog.Int("entries", r.Entries),
		slog.Duration("took", took))...)
	logSkipped(l.log, which, fileReport(r).Skipped)
	if n := l.store.CountURLs(f.List); n > 0 && !f.Diverts {
		l.log.Warn(urlsNotEnforced, append(which, slog.Uint64("count", n))...)
	}
}

// logSkipped logs the skipped lines of a file, one message per reason. The log attributes in source identify the list
// and the file.
func logSkipped(log *slog.Logger, source []any, all []SkippedLines) {
	for _, s := range all {
		log.Warn("lines passed over", append(slices.Clip(source), slog.String("reason", s.Reason), slog.Int("count", s.Count), slog.Any("first", s.Lines))...)
	}
}

// urlsNotEnforced is the warning for url entries in lists without the setting divert.
const urlsNotEnforced = "url entries are not enforced: the DNS knows no paths; divert leads their hosts to a proxy"
