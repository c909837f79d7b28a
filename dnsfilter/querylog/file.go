package querylog

import (
	"bytes"
	"log/slog"
	"os"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// file is the file of a log. It is opened at the first write, and again at the first write after it was renamed.
type file struct {
	path   string
	log    *slog.Logger
	open   *os.File // nil: not open
	failed bool     // the last write failed
	torn   bool     // the last line was only partly written
}

// write writes lines, and returns how many bytes of them it has written. It logs an error unless the previous write
// failed, too.
func (f *file) write(lines []byte) (n int) {
	if len(lines) == 0 {
		return 0
	}
	n, err := f.append(lines)
	if err != nil && !f.failed {
		f.log.Warn("writing the query log: lines are dropped until it works again", slog.Any("error", err))
	}
	f.failed = err != nil
	return n
}

func (f *file) append(lines []byte) (n int, err error) {
	if f.open != nil && files.IsMoved(f.open, f.path) {
		f.close()
	}
	if f.open == nil {
		if f.open, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
			f.open = nil
			return 0, err
		}
	}
	if f.torn { // the disk was full in the middle of a line
		if _, err := f.open.WriteString("\n"); err != nil {
			return 0, err
		}
		f.torn = false
	}
	n, err = f.open.Write(lines)
	f.torn = n > 0 && lines[n-1] != '\n'
	return n, err
}

func (f *file) close() {
	if f.open != nil {
		_ = f.open.Close() // nothing is buffered
		f.open, f.torn = nil, false
	}
}

func countLines(text []byte) int { return bytes.Count(text, []byte("\n")) }
