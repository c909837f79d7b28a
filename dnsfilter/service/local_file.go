package service

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// errChanging is returned for a file that is written to while it is read; it is read again when it has come to rest.
var errChanging = errors.New("the file changed while it was read")

// heldFile reports whether the store holds the list, and whether from the file as it is now.
func heldFile(l config.LocalFile, store *blocklist.Store) (held, current bool) {
	info, ok := store.List(l.List)
	source, err := l.Source()
	held = ok && info.Err == nil
	return held, held && err == nil && info.Source == source
}

// checkUnchanged passes entries on, and ends with an error if the file is not the one any more that source describes.
func checkUnchanged(l config.LocalFile, source string,
	entries iter.Seq2[blocklist.Entry, error],
) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
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
