package main

import (
	"crypto"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

// signFlags are the flags of sign.
type signFlags struct {
	open       openFlags
	key, out   string
	code       string
	signatures []string
	yes, again bool

	refuse string // the command that refuses instead of signing, without the flags that both commands have
}

func (a *app) sign() *cobra.Command {
	var s signFlags
	cmd := &cobra.Command{
		Use:   "sign [FILE|URL] --key FILE.key|agent:NAME",
		Short: "Sign what is pending: the root first, releases later",
		Long: `Sign what is pending: the root first, releases later. The command shows the content, read from the bytes that the signature
covers, and asks before it signs.

A root is signed by officers of the previous root and by its own officers. A key in the ssh-agent is named by agent: and the
comment or the SHA256:... fingerprint of the key.

With FILE, a request of "blocklist request", an officer signs on another machine, without the ledger. -o names the file for
the signature, --root is a root of the list that the officer trusts, and --identity decrypts an encrypted request.

With the URL of a desk ("blocklist desk") and a one-time --code, which a page of the desk shows, the command fetches the
request from there and brings the signature back.

The officer's machine remembers each signed serial (in XDG_STATE_HOME). It refuses to sign an older serial, or another state
of the same serial; --again signs it all the same.

With --signature, the files with signatures of other machines are added to what is pending: any number, in any order.`,
		Example: `  blocklist -C DIR sign --key anna.key
  blocklist -C DIR sign --key agent:anna@desk.example
  blocklist sign request.tar --root root.json --key bruno.key -o bruno.sig
  blocklist -C DIR sign --signature bruno.sig
  blocklist sign https://desk.example --code ABCDE-FGHIJ-KLMNO-PQRST --root root.json --key bruno.key`,
		Args: args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(s.signatures) > 0 && s.key != "":
				return usage("--signature adds what was signed elsewhere; it goes without --key")
			case len(s.signatures) > 0:
				return a.withLedger(func(l *publish.Ledger) error { return a.addSignatures(cmd, l, append(s.signatures, args...)) })
			case s.key == "":
				return usage("--key is missing")
			case len(args) > 1:
				return usage("one request at a time")
			case len(args) == 1 && isURL(args[0]):
				s.refuse = fmt.Sprintf("refuse %s --code %s", deskOf(args[0]), s.code)
				return a.signAtDesk(cmd.Context(), args[0], s)
			case s.code != "":
				return usage("--code goes with the URL of a desk")
			case len(args) == 1:
				s.refuse = fmt.Sprintf("refuse %s -o %s.refusal", args[0], strings.TrimSuffix(args[0], filepath.Ext(args[0])))
				return a.signToFile(cmd.Context(), args[0], s)
			case s.open != openFlags{} || s.out != "":
				return usage("--root, --identity and --output go with the FILE of a request")
			}
			s.refuse = "-C DIR refuse"
			return a.withLedger(func(l *publish.Ledger) error { return a.runSign(cmd, l, s) })
		},
	}
	cmd.Flags().StringVar(&s.key, "key", "", "the `FILE` with the officer's private key, or agent:NAME")
	cmd.Flags().BoolVar(&s.yes, "yes", false, "sign without asking")
	cmd.Flags().StringArrayVar(&s.signatures, "signature", nil, "a `FILE` with an officer's signature, to be added; may be repeated")
	cmd.Flags().StringVarP(&s.out, "output", "o", "", "the `FILE` for the signature of a request")
	codeFlag(cmd, &s.code)
	cmd.Flags().BoolVar(&s.again, "again", false, "sign although this machine has signed a newer serial, or another state of the same serial")
	s.open.add(cmd)
	return cmd
}

func (a *app) runSign(cmd *cobra.Command, l *publish.Ledger, s signFlags) error {
	if err := keys.Check(s.key); err != nil {
		return err
	}
	p, err := l.Pending()
	if err != nil {
		return err
	}
	remember, err := a.checkSeen(cmd.Context(), l, p, s.again)
	if err != nil {
		return err
	}
	a.describe(p)
	if p.Serial > 0 {
		if err := a.printRelease(cmd.Context(), l, p); err != nil {
			return err
		}
	}
	officer, err := a.askToSign(p, s)
	if err != nil {
		return err
	}
	done := a.during("signing")
	signed, err := l.Sign(cmd.Context(), p, officer)
	done()
	if err != nil {
		return err
	}
	if err := remember(); err != nil {
		return err
	}
	a.printSigner(signed)
	a.printf("signed: %s", signatures(signed))
	return a.printNext(cmd.Context(), l, signed)
}

// endsSoon is the remaining lifetime of a root or release below which the signing officer is warned.
const endsSoon = 7 * 24 * time.Hour

// askToSign asks the officer for consent, and returns the loaded key. A person who does not consent is told how to
// refuse. If the key needs no passphrase and is not the key of an officer, askToSign fails before it asks.
func (a *app) askToSign(p *publish.Pending, s signFlags) (crypto.Signer, error) {
	if left := time.Until(p.Expires); p.Number == 0 && left < endsSoon {
		a.printf("warning: it is valid for %s more; make it again for a longer time", max(left, 0).Round(time.Minute))
	}
	officer, locked := keys.Load(s.key, func() (string, error) { return "", keys.ErrPassphrase })
	if locked == nil {
		if err := p.CheckSigner(officer); err != nil {
			return nil, err
		}
	}
	if !s.yes {
		err := a.confirm("sign this?")
		if errors.Is(err, errNotSigned) && p.Root != 1 {
			err = withHint(err, "blocklist %s%s --key %s --reason TEXT drops it, and the ledger records why", s.refuse, s.open, s.key)
		}
		if err != nil {
			return nil, err
		}
	}
	if locked == nil {
		return officer, nil
	}
	return a.loadKey(s.key)
}
