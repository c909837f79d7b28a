package service

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// errChanging is the error for a file that changed while it was read. The file is read again after it has settled, see
// whileChanging.
var errChanging = errors.New("the file changed while it was read")

// heldFile reports whether the store has the list of a file (held), and whether it has the current content of the file
// (current). If the file is awaited, the content in the store counts as current.
func heldFile(l config.LocalFile, store *blocklist.Store) (held, current bool) {
	info, ok := store.List(l.List)
	source, err := l.Source()
	held = ok && info.Err == nil
	return held, held && (err == nil && info.Source == source || l.Awaited())
}

// checkUnchanged yields the entries of a file. Entries without a reference get the reference in the header of the file.
// After the last entry, it yields errChanging if the state of the file is no longer that in the argument source.
func checkUnchanged(l config.LocalFile, source string, r *formats.Reader) iter.Seq2[blocklist.Entry, error] {
	reference := r.Report().Reference
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range r.Entries() {
			if e.Reference == "" {
				e.Reference = reference
			}
			if !yield(e, err) {
				return
			}
		}
		if now, err := l.Source(); err != nil || now != source {
			yield(blocklist.Entry{}, errChanging)
		}
	}
}

func settingsSource(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}
