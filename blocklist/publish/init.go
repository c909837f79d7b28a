package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// InitOptions describe a new list. Urgent, Confidential and Rules are optional. Keys are public keys as text, the
// content of a .pub file.
type InitOptions struct {
	List      string       // its name, such as it.example/csam
	OriginKey string       // the online key of the list's origin
	Officers  []string     // who may sign
	Threshold int          // how many officers must sign
	Urgent    UrgentLimits // limits on what one officer may list alone
	// Confidential encrypts the list to its subscribers, see [Ledger.AddSubscriber]. Origins and mirrors can't read any
	// entry.
	Confidential bool
	Author       string // who makes the list
	Rules        Rules  // what new orders must keep to, see [Ledger.SetRules]
	// Group is the name or number of a group of the operating system that shares the folder: its members can change the
	// list. If it is empty, the folder is private to its owner.
	Group string
}

// Init makes the agency's folder dir, with an empty ledger and the first root of the list, which is pending until
// officers sign it. The folder must be empty or missing. Only its owner can read it, or the group.
func Init(ctx context.Context, dir string, o InitOptions) error {
	spec := trust.RootSpec{
		List: o.List, Version: 1, Expires: lifetime(rootLifetime), Threshold: o.Threshold,
		Urgent: trust.Urgent(o.Urgent), Confidential: o.Confidential,
	}
	var err error
	if spec.Online, err = notekey.Parse(o.OriginKey); err != nil {
		return fmt.Errorf("reading the origin's key: %w", err)
	}
	for _, text := range o.Officers {
		key, err := notekey.Parse(text)
		if err != nil {
			return fmt.Errorf("reading an officer's key: %w", err)
		}
		spec.Officers = append(spec.Officers, key)
	}
	root, err := trust.NewRoot(spec)
	if err != nil {
		return err
	}
	by := Audit{Author: o.Author, Reason: fmt.Sprintf("%s, signed by %d of %d officers", o.List, o.Threshold, len(o.Officers))}
	_, err = o.Rules.compile()
	if err := errors.Join(by.Check(), err); err != nil {
		return err
	}
	if err := makeEmpty(dir, o.Group); err != nil {
		return err
	}
	if err := makeFolders(dir); err != nil {
		return err
	}
	if err := disk.WriteFile(filepath.Join(dir, pendingDir, trust.RootName(1)), root, disk.Inherit); err != nil {
		return err
	}
	return ledger.Create(ctx, dir, o.List, by, func(l *ledger.Ledger) error {
		if o.Rules.isZero() {
			return nil
		}
		return o.Rules.set(ctx, l.Record, Audit{Author: o.Author})
	})
}

// makeFolders makes the parts of the agency's folder that are missing.
func makeFolders(dir string) error {
	for _, name := range []string{rootsDir, pendingDir, releasesDir, filesDir} {
		if err := disk.MkdirAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// makeEmpty makes the folder, accessible to its owner only or to a group, because a ledger has the plain text of a
// confidential list. Everything that is made in the folder later gets the access rights of the folder ([disk.Inherit]).
func makeEmpty(dir, group string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("making a ledger in %s: %w; name an empty or a new folder", dir, errNotEmpty)
	}
	if group == "" {
		return os.Chmod(dir, 0o700) //nolint:gosec // a folder needs to be searched, by its owner alone
	}
	return share(dir, group)
}

// share gives a folder to a group. What is made in the folder belongs to the group, too (setgid).
func share(dir, group string) error {
	number := group
	if g, err := user.LookupGroup(group); err == nil {
		number = g.Gid
	}
	id, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("sharing %s: %w: there is no group %q", dir, blocklist.ErrMalformed, group)
	}
	if err := os.Chown(dir, -1, id); err != nil {
		return fmt.Errorf("sharing %s with group %s, of which you must be a member: %w", dir, group, err)
	}
	return os.Chmod(dir, 0o770|os.ModeSetgid)
}

var errNotEmpty = errors.New("the folder is not empty")
