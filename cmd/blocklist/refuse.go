package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// refuseFlags are the flags of refuse.
type refuseFlags struct {
	open       openFlags
	cause      publish.Audit
	key, out   string
	code       string
	signatures []string
}

func (a *app) refuse() *cobra.Command {
	var r refuseFlags
	cmd := &cobra.Command{
		Use:   "refuse [FILE|URL] --key FILE.key|agent:NAME --reason TEXT",
		Short: "Drop what is pending instead of signing it, and record why",
		Long: `Drop what is pending, the root first, instead of signing it. The ledger records the officer, the subject and the
reason, with the officer's signature; blocklist verify checks it. The entries stay the same: correct them, then make another
release.

With FILE, a request of "blocklist request", an officer refuses on another machine, without the ledger. -o names the file for
the refusal. --signature adds this file to the ledger. With the URL of a desk and a one-time --code, as for "blocklist sign",
the refusal goes to the desk.`,
		Example: `  blocklist -C DIR refuse --key bruno.key --reason "example.com is the site of a hospital"
  blocklist refuse request.tar --root root.json --key bruno.key --reason "example.com is the site of a hospital" -o bruno.refusal
  blocklist -C DIR refuse --signature bruno.refusal
  blocklist refuse https://desk.example --code ABCDE-FGHIJ-KLMNO-PQRST --root root.json --key bruno.key --reason "a hospital"`,
		Args: args(unknown.Args(0, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(r.signatures) > 0 && (r.key != "" || len(args) > 0):
				return usage("--signature adds what was refused elsewhere; it goes alone")
			case len(r.signatures) > 0:
				return a.withLedger(func(l *publish.Ledger) error { return a.addRefusals(cmd, l, r.signatures) })
			case r.key == "":
				return usage("--key is missing")
			case r.cause.Reason == "":
				return usage("--reason is missing")
			case len(args) == 1 && isURL(args[0]):
				return a.refuseAtDesk(cmd.Context(), args[0], r)
			case r.code != "":
				return usage("--code goes with the URL of a desk")
			case len(args) == 1:
				return a.refuseToFile(args[0], r)
			case r.open != openFlags{} || r.out != "":
				return usage("--root, --identity and --output go with the FILE of a request")
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.runRefuse(cmd, l, r) })
		},
	}
	cmd.Flags().StringVar(&r.key, "key", "", "the `FILE` with the officer's private key, or agent:NAME")
	cmd.Flags().StringVar(&r.cause.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&r.cause.Reference, "ref", "", "the order or decision behind it, a `TEXT` for the ledger")
	cmd.Flags().StringArrayVar(&r.signatures, "signature", nil, "a `FILE` with an officer's refusal, to be added; may be repeated")
	cmd.Flags().StringVarP(&r.out, "output", "o", "", "the `FILE` for the refusal of a request")
	codeFlag(cmd, &r.code)
	r.open.add(cmd)
	return cmd
}

func (a *app) runRefuse(cmd *cobra.Command, l *publish.Ledger, r refuseFlags) error {
	p, err := l.Pending()
	if part := (*publish.PartError)(nil); errors.As(err, &part) && part.Pending() {
		p, err = l.Unreadable()
	}
	if err != nil {
		return err
	}
	officer, err := a.loadKey(r.key)
	if err != nil {
		return err
	}
	if err := l.Refuse(cmd.Context(), p, officer, r.cause); err != nil {
		return err
	}
	a.result(p)
	return a.printRefused(cmd.Context(), l, p.What())
}

// printRefused prints what was refused, and which serials are not used again.
func (a *app) printRefused(ctx context.Context, l *publish.Ledger, what string) error {
	a.printf("refused: %s; nothing of it is in force", what)
	return a.printUsedUp(ctx, l, "the next release has the serial after it")
}
