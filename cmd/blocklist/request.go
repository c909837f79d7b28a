package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) request() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "request -o FILE",
		Short: "Write what an officer on another machine needs to sign what is pending",
		Long: `Write what an officer on another machine needs to sign what is pending, as one file. The officer needs no ledger: "blocklist
review" shows what it is about, "blocklist sign FILE" signs it, and "blocklist -C DIR sign --signature" adds the signature here.

The file is about as long as what changes, unless the release has a new snapshot, such as the first one.`,
		Example: "  blocklist -C DIR request -o request.tar",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.Pending()
				if err != nil {
					return err
				}
				a.describe(p)
				if err := writeFile(out, func(w io.Writer) error { return l.WriteRequest(cmd.Context(), w, p) }); err != nil {
					return err
				}
				a.printf("next: an officer runs blocklist sign %s --root root.json --key OFFICER.key -o OFFICER.sig", out)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `FILE` to be written")
	required(cmd, "output")
	return cmd
}

func (a *app) review() *cobra.Command {
	var root string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "review FILE --root root.json",
		Short: "Show all of what a signing request asks for, without a ledger",
		Long: `Show all of what a signing request asks for, without a ledger: who changed what and why, and each line that comes or goes, read
from the bytes that a signature covers. It is verified first: the roots follow from the given one, the release before was signed
under them, and the operations make these changes and no others.

The request of a list's first root needs no --root: compare its fingerprint by voice with the agency's.`,
		Example: "  blocklist review request.tar --root root.json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.withRequest(args[0], root, func(q *publish.Request) error { return a.showRequest(q, asJSON) })
		},
	}
	rootFileFlag(cmd, &root)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func rootFileFlag(cmd *cobra.Command, root *string) {
	cmd.Flags().StringVar(root, "root", "", "the `FILE` with a root of the list that you trust")
}

// withRequest opens a signing request, runs do, and closes the request.
func (a *app) withRequest(path, rootPath string, do func(*publish.Request) error) (err error) {
	var root []byte
	if rootPath != "" {
		if root, err = readAtMost(rootPath, maxRoot); err != nil {
			return err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	q, err := publish.OpenRequest(f, root)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	last, err := readSeen(q.Pending().List)
	if err != nil {
		return err
	}
	if err := q.CheckSeen(last); err != nil {
		a.printf("warning: %v", err)
	}
	return do(q)
}

func (a *app) showRequest(q *publish.Request, asJSON bool) error {
	return a.showPending(q.Pending(), each(q.Operations()), q.Review(), asJSON)
}

// signRequest signs a request, and writes the signature to a file.
func (a *app) signRequest(path string, s signFlags) error {
	if s.out == "" {
		return usage("-o says where the signature goes")
	}
	return a.withRequest(path, s.root, func(q *publish.Request) error {
		p := q.Pending()
		last, err := readSeen(p.List)
		if err != nil {
			return err
		}
		if err := q.CheckSeen(last); err != nil && !s.again {
			return withHint(err, "ask the others what happened; --again signs it all the same")
		}
		a.describe(p)
		if p.Serial > 0 {
			if err := errors.Join(a.printOperations(each(q.Operations()), maxShown), a.printChanges(q.Review(), "blocklist review "+path)); err != nil {
				return err
			}
		}
		if !s.yes {
			if err := a.confirm("sign this?"); err != nil {
				return err
			}
		}
		officer, err := a.loadKey(s.key)
		if err != nil {
			return err
		}
		signature, err := q.Sign(officer)
		if err != nil {
			return err
		}
		if err := rememberSigned(q, last); err != nil {
			return err
		}
		if err := writeFile(s.out, func(w io.Writer) error { _, err := w.Write(signature); return err }); err != nil {
			return err
		}
		a.printf("signed: %s", p.What())
		a.printf("next: the agency runs blocklist -C DIR sign --signature %s", filepath.Base(s.out))
		return nil
	})
}

// addSignatures adds officers' signatures to the pending root or release.
func (a *app) addSignatures(cmd *cobra.Command, l *publish.Ledger, files []string) error {
	var p *publish.Pending
	for _, file := range files {
		signature, err := readAtMost(file, publish.MaxSignature)
		if err != nil {
			return err
		}
		next, err := l.AddSignature(cmd.Context(), signature)
		if errors.Is(err, publish.ErrNothingPending) && p != nil && p.Root > 0 {
			break // a root takes effect with enough signatures; more are not needed
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		p = next
	}
	a.printf("signed: %s", signatures(p))
	return a.printNext(cmd.Context(), l, p)
}

// seenPath returns the file with the last signed release and root of a list, on this machine.
func seenPath(list string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "argine", "blocklist", "signed", filepath.FromSlash(list)+".json"), nil
}

// readSeen reads the last signed release and root of a list. Without a file it returns the zero value.
func readSeen(list string) (s publish.Seen, err error) {
	path, err := seenPath(list)
	if err != nil {
		return s, err
	}
	b, err := readAtMost(path, maxRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		err = fmt.Errorf("reading what you have signed: %s: %w", path, err)
	}
	return s, err
}

// rememberSigned stores the release or root of a request as signed. It runs before the signature is written.
func rememberSigned(q *publish.Request, last publish.Seen) error {
	s, err := q.Seen(last)
	if err != nil {
		return err
	}
	path, err := seenPath(q.Pending().List)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = writeFile(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(s) })
	}
	if err != nil {
		return withHint(fmt.Errorf("remembering what is signed: %w", err), "XDG_STATE_HOME names a folder that you may write to")
	}
	return nil
}

// signFlags are the flags of sign.
type signFlags struct {
	key, root, out string
	signatures     []string
	yes, again     bool
}
