package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) request() *cobra.Command {
	var r requestFlags
	cmd := &cobra.Command{
		Use:   "request -o FILE",
		Short: "Write what an officer on another machine needs to sign what is pending",
		Long: `Write a signing request: one file with all that an officer on another machine needs to sign what is pending. The
officer needs no ledger. "blocklist review" shows the request, "blocklist sign FILE" signs it, and "blocklist -C DIR sign
--signature" adds the signature to the ledger. To drop it: "blocklist refuse FILE" and "blocklist -C DIR refuse --signature".
For urgent orders: "blocklist urgent add --request FILE".

The file is about as long as the changes. If the release has a new snapshot, such as the first one, it has that, too.

The request of a confidential list is encrypted with age. --recipient names a file with an officer's recipient, made by
"blocklist keygen --subscriber" or age-keygen. Recipients are given each time and not stored.`,
		Example: `  blocklist -C DIR request -o request.tar
  blocklist -C DIR request -o request.age --recipient anna-age.pub --recipient bruno-age.pub`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.Pending()
				if err != nil {
					return err
				}
				a.describe(p)
				return a.writeRequest(cmd.Context(), l, p, r)
			})
		},
	}
	cmd.Flags().StringVarP(&r.out, "output", "o", "", "the `FILE` to be written")
	r.recipientFlag(cmd)
	required(cmd, "output")
	return cmd
}

// requestFlags has the flags for writing a signing request.
type requestFlags struct {
	out        string
	recipients []string
}

func (r *requestFlags) recipientFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.recipients, "recipient", nil, "a `FILE` with an officer's age recipient, to encrypt the request; may be repeated")
}

func (a *app) writeRequest(ctx context.Context, l *publish.Ledger, p *publish.Pending, r requestFlags) error {
	to, err := readKeyFiles(r.recipients)
	if err != nil {
		return err
	}
	if err := writeFile(r.out, func(w io.Writer) error { return l.WriteRequest(ctx, w, p, to...) }); err != nil {
		return err
	}
	with := " --root root.json"
	if p.Root == 1 {
		with = "" // officers compare its fingerprint
	}
	if len(to) > 0 {
		with += " --identity OFFICER.age"
	}
	a.result(fields{"file": r.out, "pending": p})
	a.next("an officer runs blocklist sign %s%s --key OFFICER.key -o OFFICER.sig", r.out, with)
	return nil
}

func (a *app) review() *cobra.Command {
	var o openFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "review FILE --root root.json",
		Short: "Show all of what a signing request asks for, without a ledger",
		Long: `Show a signing request in full, without a ledger: who changed what and why, and each line that is added or removed, read from
the bytes that a signature covers. The request is verified first: its roots follow from the given root, the previous release
was signed under these roots, and the operations make exactly these changes. For urgent orders it shows their ends.

The request of a list's first root needs no --root: compare the fingerprint of the root by voice with the agency.`,
		Example: "  blocklist review request.tar --root root.json",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRequest(args[0], args[0], o, func(q *publish.Request) error {
				if _, err := a.checkSeen(cmd.Context(), q, q.Pending(), true); err != nil {
					return err
				}
				return a.showPending(q.Pending(), each(q.Operations()), readersOf(q), q.Review(), asJSON)
			})
		},
	}
	o.add(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// openFlags has the flags for opening a signing request.
type openFlags struct{ root, identity string }

// String returns the flags as they are typed, with a blank before each.
func (o openFlags) String() (text string) {
	if o.root != "" {
		text += " --root " + o.root
	}
	if o.identity != "" {
		text += " --identity " + o.identity
	}
	return text
}

func (o *openFlags) add(cmd *cobra.Command) {
	rootFileFlag(cmd, &o.root)
	cmd.Flags().StringVar(&o.identity, "identity", "", "the `FILE` with your age identity, for an encrypted request")
}

func rootFileFlag(cmd *cobra.Command, root *string) {
	cmd.Flags().StringVar(root, "root", "", "the `FILE` with a root of the list that you trust")
}

// withRequest opens a signing request, calls the function do with it, and closes it. In errors, the request has the
// given name.
func (a *app) withRequest(path, name string, o openFlags, do func(*publish.Request) error) (err error) {
	var root, identity []byte
	if o.root != "" {
		if root, err = readRoot(o.root); err != nil {
			return err
		}
	}
	if o.identity != "" {
		if identity, err = readAtMost(o.identity, maxRoot); err != nil {
			return err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	q, err := publish.OpenRequest(f, root, identity)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	return do(q)
}

// signToFile signs a request, and writes the signature to a file.
func (a *app) signToFile(ctx context.Context, path string, s signFlags) error {
	if s.out == "" {
		return usage("-o says where the signature goes")
	}
	return a.signRequest(ctx, path, path, s, func(signature []byte, what string) error {
		if err := writeFile(s.out, func(w io.Writer) error { _, err := w.Write(signature); return err }); err != nil {
			return err
		}
		a.printf("signed: %s", what)
		a.result(fields{"file": s.out, "signed": what})
		a.next("the agency runs blocklist -C DIR sign --signature %s", filepath.Base(s.out))
		return nil
	})
}

// signRequest signs the request in a file. Then it calls deliver with the signature, and with a phrase that names the
// signed metadata. The argument name says where the request comes from: the file, or the URL of a desk.
func (a *app) signRequest(ctx context.Context, path, name string, s signFlags,
	deliver func(signature []byte, what string) error,
) error {
	if err := keys.Check(s.key); err != nil {
		return err
	}
	return a.withRequest(path, name, s.open, func(q *publish.Request) error {
		p := q.Pending()
		q.ConfirmClock(a.confirmClock())
		remember, err := a.checkSeen(ctx, q, p, s.again)
		if err != nil {
			return err
		}
		a.describe(p)
		if !isURL(name) && !p.Created.IsZero() { // a desk sends only what is pending
			a.printf("note: it was made on %s; if it was refused or replaced since, the file can't say so: ask the agency",
				p.Created.UTC().Format("2006-01-02 15:04 MST"))
		}
		if err := a.printRequest(q, name); err != nil {
			return err
		}
		officer, err := a.askToSign(p, s)
		if err != nil {
			return err
		}
		signature, err := q.Sign(officer)
		if err != nil {
			return err
		}
		if err := remember(); err != nil {
			return err
		}
		return deliver(signature, p.What())
	})
}

// printRequest prints a summary of a request.
func (a *app) printRequest(q *publish.Request, name string) error {
	if q.Pending().Root > 0 {
		return nil
	}
	if q.Pending().IsRelease() {
		if err := a.printOperations(each(q.Operations()), maxShown); err != nil {
			return err
		}
		if err := a.printReaders(q.Pending(), readersOf(q)); err != nil {
			return err
		}
	}
	all := "blocklist review " + name
	if isURL(name) {
		all = "the desk"
	}
	return a.printChanges(q.Review(), all)
}

func readersOf(q *publish.Request) func() (publish.Recipients, error) {
	return func() (publish.Recipients, error) { return q.Recipients(), nil }
}

// refuseToFile writes an officer's refusal of a request to a file.
func (a *app) refuseToFile(path string, r refuseFlags) error {
	if r.out == "" {
		return usage("-o says where the refusal goes")
	}
	return a.refuseRequest(path, path, r, func(refusal []byte, what string) error {
		if err := writeFile(r.out, func(w io.Writer) error { _, err := w.Write(refusal); return err }); err != nil {
			return err
		}
		a.printf("refused: %s", what)
		a.result(fields{"file": r.out})
		a.next("the agency runs blocklist -C DIR refuse --signature %s", filepath.Base(r.out))
		return nil
	})
}

// refuseRequest refuses the request in a file. Then it calls deliver with the refusal, as [app.signRequest] does.
func (a *app) refuseRequest(path, name string, r refuseFlags, deliver func(refusal []byte, what string) error) error {
	if err := keys.Check(r.key); err != nil {
		return err
	}
	return a.withRequest(path, name, r.open, func(q *publish.Request) error {
		officer, err := a.loadKey(r.key)
		if err != nil {
			return err
		}
		refusal, err := q.Refuse(officer, r.cause)
		if err != nil {
			return err
		}
		return deliver(refusal, q.Pending().What())
	})
}

// addSignatures adds officers' signatures to the pending root, release or urgent orders.
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
		a.printSigner(p)
	}
	a.printf("signed: %s", signatures(p))
	return a.printNext(cmd.Context(), l, p)
}

// printSigner prints a note if the officer had already signed.
func (a *app) printSigner(p *publish.Pending) {
	if p.Again {
		a.printf("already signed by %s", p.Signer)
	}
}

// addRefusals records officers' refusals, and drops the pending root, release or urgent orders.
func (a *app) addRefusals(cmd *cobra.Command, l *publish.Ledger, files []string) error {
	var refused []string
	for _, file := range files {
		refusal, err := readAtMost(file, publish.MaxSignature)
		if err != nil {
			return err
		}
		what, err := l.AddRefusal(cmd.Context(), refusal)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		refused = append(refused, what)
		if err := a.printRefused(cmd.Context(), l, what); err != nil {
			return err
		}
	}
	a.result(fields{"refused": refused})
	return nil
}

// seenPath returns the path of the file on this machine with the last signed release and root of a list.
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

// readSeen reads the last signed states of the lists with this name. If there is no file, it returns none.
func readSeen(list string) (all []publish.Seen, err error) {
	path, err := seenPath(list)
	if err != nil {
		return nil, err
	}
	b, err := readAtMost(path, maxMemory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		if bytes.HasPrefix(b, []byte("{")) { // an earlier version of this program knew one list of a name
			b = slices.Concat([]byte("["), b, []byte("]"))
		}
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		err = fmt.Errorf("reading what you have signed: %s: %w", path, err)
	}
	return all, err
}

// maxMemory is the maximum size of the file with signed states, in bytes. Real files are smaller.
const maxMemory = 8 << 20

// memory compares pending metadata with the states that an officer signed before. Ledgers and signing requests
// implement it.
type memory interface {
	CheckSeen(ctx context.Context, p *publish.Pending, all []publish.Seen) error
	Remember(p *publish.Pending, all []publish.Seen) ([]publish.Seen, error)
}

// checkSeen compares pending metadata with the states that were signed on this machine. It returns the function
// remember, which records the pending state as signed; call it before the signature leaves the machine. If the argument
// again (the flag --again) is true, a difference is only a warning.
func (a *app) checkSeen(ctx context.Context, m memory, p *publish.Pending,
	again bool,
) (remember func() error, err error) {
	all, err := readSeen(p.List)
	if err != nil {
		return nil, err
	}
	done := a.during("comparing with what was signed")
	err = m.CheckSeen(ctx, p, all)
	done()
	if err != nil {
		if !again && !errors.Is(err, publish.ErrMadeAgain) {
			return nil, withHint(err, "ask the other officers for the digest that they have signed; blocklist recover brings a ledger up to date that is behind; if %s was made again before it was pushed, --again signs it", p.What())
		}
		a.printf("warning: %v", err)
	}
	return func() error {
		next, err := m.Remember(p, all)
		if err != nil {
			return err
		}
		return writeSeen(p.List, next)
	}, nil
}

// writeSeen stores the last signed states of the lists with this name.
func writeSeen(list string, all []publish.Seen) error {
	path, err := seenPath(list)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = writeFile(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(all) })
	}
	if err != nil {
		return withHint(fmt.Errorf("remembering what is signed: %w", err), "XDG_STATE_HOME names a folder that you may write to")
	}
	return nil
}
