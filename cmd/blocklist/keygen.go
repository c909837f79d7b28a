package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) keygen() *cobra.Command {
	var out, name, from, kind string
	var plain, subscriber bool
	cmd := &cobra.Command{
		Use:   "keygen -o FILE.key",
		Short: "Make an officer's key pair, or a subscriber's",
		Long: `Make an officer's key pair: FILE.key, which the officer keeps secret, and FILE.pub, which init needs.

The private key is encrypted with a passphrase. It is typed at the terminal, or comes from the environment variable
` + passphraseVariable + `. No file is overwritten.

With --key, an existing key is used: an ed25519 key in the ssh-agent, which may be in a hardware token. Only FILE.pub is
written.

With --no-passphrase, the key is for a resolver, which starts without a person and signs receipts. The origin needs FILE.pub
("origin subscriber add").

With --subscriber, the key pair is for a subscriber to confidential lists. FILE is an age identity: the resolver decrypts
lists with it. The file with the ending .pub has the recipient, to which the agency encrypts lists. The identity has no
passphrase, because a resolver starts without a person.`,
		Example: `  blocklist keygen -o anna.key
  blocklist keygen -o anna.pub --key agent:anna@desk.example
  blocklist keygen --no-passphrase --name isp.example -o receipts.key
  blocklist keygen --subscriber -o isp.age`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usage("-o says where the key goes")
			}
			if subscriber {
				return a.keygenSubscriber(out, kind)
			}
			base := strings.TrimSuffix(strings.TrimSuffix(out, ".key"), ".pub")
			if name == "" {
				name = filepath.Base(base)
			}
			if from != "" {
				return a.keygenAgent(from, base+".pub", name)
			}
			return a.keygenFile(out, base+".pub", name, plain)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `FILE` for the private key; the public key gets the ending .pub")
	cmd.Flags().StringVar(&name, "name", "", "the officer's `NAME` (default: that of the file)")
	cmd.Flags().StringVar(&from, "key", "", keyUsage)
	cmd.Flags().BoolVar(&subscriber, "subscriber", false, "make the key pair of a subscriber to confidential lists")
	cmd.Flags().StringVar(&kind, "kind", "hybrid", "the `KIND` of a subscriber's key: hybrid (safe from quantum computers as well) or x25519")
	cmd.Flags().BoolVar(&plain, "no-passphrase", false, "leave the private key unprotected")
	return cmd
}

// keygenFile makes an officer's key pair in two files.
func (a *app) keygenFile(private, public, name string, plain bool) error {
	phrase := ""
	if !plain {
		err := checkNew(private, public)
		if err == nil {
			phrase, err = a.newPassphrase(passphraseVariable)
		}
		if err != nil {
			return err
		}
	}
	key, err := keys.Generate(private, public, name, phrase)
	if err != nil {
		return err
	}
	a.printf("private key: %s, for %s alone", private, name)
	return a.madeKey(public, key)
}

// keygenSubscriber makes the key pair of a subscriber.
func (a *app) keygenSubscriber(path, kind string) error {
	public := strings.TrimSuffix(path, ".age") + ".pub"
	recipient, err := keys.GenerateIdentity(path, public, kind)
	if err != nil {
		return err
	}
	a.printf("private key: %s, for the resolver alone", path)
	return a.madeKey(public, recipient)
}

// madeKey prints a new public key, its file, and its fingerprint.
func (a *app) madeKey(path, public string) error {
	fingerprint, err := publish.Fingerprint([]byte(public))
	if err != nil {
		return err
	}
	a.result(fields{"public_key": path, "fingerprint": fingerprint})
	a.printf("public key:  %s\nfingerprint: %s", path, fingerprint)
	return nil
}

// checkNew fails if one of the files exists. It is called before the user is asked for a passphrase.
func checkNew(paths ...string) error {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("writing %s: %w: a key file is never overwritten; choose another name", path, fs.ErrExist)
		}
	}
	return nil
}

// newPassphraseVariable is the environment variable with the new passphrase of a key.
const newPassphraseVariable = "BLOCKLIST_NEW_PASSPHRASE" //nolint:gosec // the name of a variable

func (a *app) changePassphrase() *cobra.Command {
	return &cobra.Command{
		Use:   "passphrase FILE.key",
		Short: "Change the passphrase of an officer's key",
		Long: `Change the passphrase of an officer's key. The key stays the same, and so does FILE.pub. Copies of the file keep the old
passphrase: delete them.

Both passphrases are typed at the terminal, or come from the environment: ` + passphraseVariable + ` and ` + newPassphraseVariable + `.`,
		Example: "  blocklist passphrase anna.key",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(_ *cobra.Command, args []string) error {
			err := keys.ChangePassphrase(args[0],
				func() (string, error) { return a.passphrase(passphraseVariable, "passphrase of "+args[0]+": ") },
				func() (string, error) { return a.newPassphrase(newPassphraseVariable) })
			if err != nil {
				return err
			}
			a.result(fields{"private_key": args[0]})
			a.printf("%s has a new passphrase", args[0])
			return nil
		},
	}
}

// keyUsage is the help text for the name of a key in the ssh-agent.
const keyUsage = "a `KEY` in the ssh-agent: agent: and its comment or SHA256:... fingerprint"

// keygenAgent writes the public key of a key pair in the ssh-agent to a file.
func (a *app) keygenAgent(key, path, name string) error {
	if !strings.HasPrefix(key, keys.AgentPrefix) {
		return usage("--key %q: it needs %s and the comment or SHA256:... fingerprint of a key in the ssh-agent", key, keys.AgentPrefix)
	}
	public, err := keys.WriteAgentPublic(key, path, name)
	if err != nil {
		return err
	}
	a.printf("private key: %s, in the ssh-agent", key)
	return a.madeKey(path, public)
}
