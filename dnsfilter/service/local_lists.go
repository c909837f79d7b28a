package service

import (
	"log/slog"
	"sync"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// localLists are the lists that are made from files, as the store holds them.
type localLists struct {
	store  *blocklist.Store
	log    *slog.Logger
	held   *localHolds
	failed sync.Map // why a list is not as its file is now, by name
}

// load loads a file that is not as the store holds it. What the guards stop goes on hold, and the list stays as it
// was, unless it is what was accepted under an ID.
func (ls *localLists) load(f config.LocalFile, by guards, accepted string) error {
	held, err := loader{ls.store, by, ls.log}.load(f, accepted)
	if err != nil {
		return err
	}
	ls.failed.Delete(f.List)
	if err := ls.held.set(f.List, held); err != nil || held == nil {
		return err
	}
	what := "the guards hold a changed file, the list before it stays in force: accept or reject it"
	if info, ok := ls.store.List(f.List); !ok || info.Err != nil {
		what = "the guards hold a list, which is NOT ENFORCED: accept or reject it"
	}
	ls.log.Error(what, slog.String("list", f.List), slog.String("file", f.Path), slog.String("id", held.ID),
		slog.Bool("rejected", held.Rejected), slog.Uint64("findings", held.Report.Held),
		slog.Any("checks", held.Report.Counts))
	return nil
}

// accept puts the file in force that is on hold under an ID, if it still is what was found.
func (ls *localLists) accept(f config.LocalFile, by guards, id string) error {
	held := ls.held.of(f.List)
	if held == nil || held.ID != id {
		return subscribe.ErrNoHold
	}
	if err := ls.load(f, by, id); err != nil {
		return err
	}
	if ls.held.of(f.List) != nil { // the file is another one by now
		return subscribe.ErrNoHold
	}
	ls.log.Warn("a file on hold was accepted, and is in force", slog.String("list", f.List), slog.String("id", id))
	return nil
}

// reject rejects the file on hold under an ID.
func (ls *localLists) reject(f config.LocalFile, _ guards, id string) error {
	if err := ls.held.reject(f.List, id); err != nil {
		return err
	}
	ls.log.Warn("a file on hold was rejected", slog.String("list", f.List), slog.String("id", id))
	return nil
}

// failure says why a local list is not as its file is now; nil if it is, or is about to be.
func (ls *localLists) failure(list string) error {
	err, _ := ls.failed.Load(list)
	why, _ := err.(error)
	return why
}
