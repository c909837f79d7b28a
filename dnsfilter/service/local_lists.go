package service

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// localLists loads the files of local lists into the store, and again when a file has changed. Policy zones are not
// among these lists, see zoneLists.
type localLists struct {
	store  *blocklist.Store
	log    *slog.Logger
	held   *localHolds
	failed sync.Map // error by list name, if the current file could not be loaded
}

// load compiles a file into the store. If the guards put the file on hold, the old state of the list stays and load
// returns nil. The argument accepted is the ID of a hold that a person has accepted. This hold is ignored: the file
// comes into force. Empty: no hold is ignored.
func (ls *localLists) load(f config.LocalFile, by guards, accepted string) error {
	held, err := loader{ls.store, by, ls.log}.load(f, accepted)
	if err != nil {
		return err
	}
	ls.failed.Delete(f.List)
	if err := ls.held.set(f.List, held); err != nil || held == nil {
		return err
	}
	info, ok := ls.store.List(f.List)
	logHold(ls.log, f, held, ok && info.Err == nil)
	return nil
}

// logHold logs that the guards have put a file on hold, and whether an earlier state of the list is enforced.
func logHold(log *slog.Logger, f config.LocalFile, held *localHold, enforced bool) {
	what := "the guards hold a changed file, the list before it stays in force: accept or reject it"
	if !enforced {
		what = "the guards hold a list, which is NOT ENFORCED: accept or reject it"
	}
	log.Error(what, slog.String("list", f.List), slog.String("file", f.Path), slog.String("id", held.ID),
		slog.Bool("rejected", held.Rejected), slog.Uint64("findings", held.Report.Held),
		slog.Any("checks", held.Report.Counts))
}

// loadSettled loads a file, and loads it again if it changes meanwhile. If a fetched file can't be loaded, loadSettled
// logs the error and returns nil, since the operator can't correct the file. Its old state stays.
func (ls *localLists) loadSettled(f config.LocalFile, by guards) error {
	err := whileChanging(ls.log, only(f.Path), func() error { return ls.load(f, by, "") })
	if err == nil || !f.Fetched {
		return err
	}
	ls.fail(f, err)
	return nil
}

// fail records and logs why the current file of a list could not be loaded.
func (ls *localLists) fail(f config.LocalFile, err error) {
	ls.failed.Store(f.List, err)
	what := "a changed list was not taken in; the last good one stays"
	if info, ok := ls.store.List(f.List); !ok || info.Err != nil {
		what = "a list can't be read, and is NOT ENFORCED"
	}
	ls.log.Error(what, slog.String("list", f.List), slog.Any("error", err))
}

// accept puts the file of the hold with this ID in force. It returns [subscribe.ErrNoHold] if there is no such hold, or
// if the file has changed since.
func (ls *localLists) accept(f config.LocalFile, by guards, id string) error {
	return acceptHold(ls.log, ls.held, f, id, func() error { return ls.load(f, by, id) })
}

// acceptHold calls load, which must put the file of the hold with this ID in force and so end the hold. It returns
// [subscribe.ErrNoHold] if there is no such hold, or if the hold remains because the file has changed since.
func acceptHold(log *slog.Logger, holds *localHolds, f config.LocalFile, id string, load func() error) error {
	held := holds.of(f.List)
	if held == nil || held.ID != id {
		return subscribe.ErrNoHold
	}
	if err := load(); err != nil {
		return err
	}
	if holds.of(f.List) != nil { // the file has changed, and is held again
		return subscribe.ErrNoHold
	}
	log.Warn("a file on hold was accepted, and is in force", slog.String("list", f.List), slog.String("id", id))
	return nil
}

// reject rejects the hold with this ID on a local list or a policy zone.
func (ls *localLists) reject(list, id string) error {
	if err := ls.held.reject(list, id); err != nil {
		return err
	}
	ls.log.Warn("a file on hold was rejected", slog.String("list", list), slog.String("id", id))
	return nil
}

// failure returns why the current file of a list could not be loaded, or nil if it could.
func (ls *localLists) failure(list string) error {
	err, _ := ls.failed.Load(list)
	why, _ := err.(error)
	return why
}

// reloadChanged loads each file whose current content is not in the store, as soon as the file has settled.
func (ls *localLists) reloadChanged(files []config.LocalFile, by guards, watch watcher) {
	for _, l := range files {
		if l.Awaited() {
			continue
		}
		source, err := l.Source()
		if err != nil {
			source = err.Error()
		}
		info, _ := ls.store.List(l.List)
		if info.Source == source {
			ls.failed.Delete(l.List)
			if err := ls.held.set(l.List, nil); err != nil {
				ls.log.Warn("forgetting what was on hold", slog.String("list", l.List), slog.Any("error", err))
			}
			continue
		}
		if !watch.settled(l.List, source) {
			continue
		}
		if err == nil {
			err = ls.load(l, by, "")
		}
		switch {
		case errors.Is(err, errChanging):
			ls.log.Info("a list changes while it is read; it is read again once it has settled", slog.String("list", l.List))
		case err != nil:
			ls.fail(l, err)
		}
	}
}
