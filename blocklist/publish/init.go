package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// InitOptions describe a new list. Urgent, Confidential and Rules are optional. Keys are public keys as text, the content
// of a .pub file.
type InitOptions struct {
	List      string       // its name, such as it.example/csam
	OriginKey string       // the online key of the list's origin
	Officers  []string     // who may sign
	Threshold int          // how many officers must sign
	Urgent    UrgentLimits // what one officer may list alone
	// Confidential encrypts the list to its subscribers, see [Ledger.AddSubscriber]. Origins and mirrors can't read any
	// entry.
	Confidential bool
	Author       string // who makes the list
	Rules        Rules  // what new orders must keep to, see [Ledger.SetRules]
}

// Init makes the agency's folder dir, with an empty ledger and the first root of the list, which is pending until
// officers sign it. The folder must be empty or missing. Only its owner can read it.
func Init(ctx context.Context, dir string, o InitOptions) error {
	spec := trust.RootSpec{List: o.List, Version: 1, Expires: lifetime(rootLifetime), Threshold: o.Threshold, Urgent: trust.Urgent(o.Urgent), Confidential: o.Confidential}
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
	if err := makeEmpty(dir); err != nil {
		return err
	}
	for _, name := range []string{rootsDir, pendingDir, releasesDir, filesDir} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	if err := disk.WriteFile(filepath.Join(dir, pendingDir, trust.RootName(1)), root, 0o644); err != nil {
		return err
	}
	return ledger.Create(ctx, dir, o.List, by, func(l *ledger.Ledger) error {
		if o.Rules.isZero() {
			return nil
		}
		return o.Rules.set(ctx, l.Record, Audit{Author: o.Author})
	})
}

// makeEmpty makes the folder with access for its owner only, because a ledger has the plain text of a confidential
// list.
func makeEmpty(dir string) error {
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
	return os.Chmod(dir, 0o700) //nolint:gosec // a folder needs to be searched, by its owner alone
}

var errNotEmpty = errors.New("the folder is not empty")
