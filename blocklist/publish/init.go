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

// InitOptions describes a new list. Urgent, Confidential, Rules and Group are optional. Keys are public keys as text,
// the content of a .pub file.
type InitOptions struct {
	List      string       // name of the list, such as it.example/csam
	OriginKey string       // public online key of the list's origin
	Officers  []string     // public keys of the officers
	Threshold int          // how many officers must sign
	Urgent    UrgentLimits // limits on what one officer may list alone
	// Confidential means that the list is encrypted to its subscribers, see [Ledger.AddSubscriber]. Origins and mirrors
	// can't read the entries of a confidential list.
	Confidential bool
	Author       string // the author of the first operation
	Rules        Rules  // rules for new orders, see [Ledger.SetRules]
	// Group is the name or ID of a group of the operating system whose members can also read and change the folder. If it
	// is empty, only the owner can.
	Group string
}

// Init makes the agency's folder dir, with an empty ledger and the first root of the list. The root is pending until
// the officers sign it. The folder must be empty or missing. Only its owner, and the members of o.Group, can read it.
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

// makeFolders makes the missing folders inside the agency's folder.
func makeFolders(dir string) error {
	for _, name := range []string{rootsDir, pendingDir, releasesDir, filesDir} {
		if err := disk.MkdirAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// makeEmpty makes the agency's folder. Only its owner and the members of the group, if one is given, can read it,
// because a ledger has the plain text of a confidential list. Files that are made in the folder later get the same
// access rights ([disk.Inherit]).
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

// share gives a folder to a group, with the setgid bit: files made in the folder belong to the group, too.
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
