package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// originSubscriber returns the command that registers the subscribers whose receipts an origin accepts.
func (a *app) originSubscriber() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscriber",
		Short: "Set whose receipts the origin accepts",
		Long: `Set whose receipts the origin accepts. A receipt is a subscriber's signed statement that it enforces a release; blocklist
receipts shows them.`,
		Example: `  blocklist origin subscriber add ORIGIN --list it.example/csam receipts.pub
  blocklist origin subscriber list ORIGIN --list it.example/csam`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("a command is missing: origin subscriber add, origin subscriber remove or origin subscriber list")
		},
	}
	cmd.AddCommand(changing(a.originSubscriberAdd()), changing(a.originSubscriberRemove()), a.originSubscriberList())
	return cmd
}

// withReceipts adds --list to a command about receipts, and makes it call run with the opened origin and the other
// arguments.
func withReceipts(cmd *cobra.Command, list *string, run func(*origin.Origin, []string) error) {
	cmd.Flags().StringVar(list, "list", "", "the `NAME` of the list")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		o, err := origin.Open(args[0], origin.Options{})
		if err != nil {
			return err
		}
		return run(o, args[1:])
	}
	required(cmd, "list")
}

func (a *app) originSubscriberAdd() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use:   "add ORIGIN --list NAME FILE.pub...",
		Short: "Accept receipts that are signed with these keys",
		Long: `Accept receipts that are signed with these keys. Each file is the .pub file of one subscriber, made by "keygen
--no-passphrase". Receipts are shown under the name in the key. Reading them needs the token in the origin's folder.`,
		Example: "  blocklist origin subscriber add ORIGIN --list it.example/csam receipts.pub",
		Args:    args(unknown.Args(2, -1)),
	}
	withReceipts(cmd, &list, func(o *origin.Origin, files []string) error {
		for _, path := range files {
			key, err := readKeyFile(path)
			if err != nil {
				return err
			}
			name, err := o.AddSubscriber(cmd.Context(), list, key)
			if err != nil {
				return err
			}
			fingerprint, err := publish.Fingerprint([]byte(key))
			if err != nil {
				return err
			}
			a.printf("receipts of %s for %s are taken; fingerprint of the key: %s", name, list, fingerprint)
		}
		a.result(fields{"list": list, "token": o.TokenPath(list)})
		a.printf("they are read with the token in %s", o.TokenPath(list))
		return nil
	})
	return cmd
}

func (a *app) originSubscriberRemove() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use:     "remove ORIGIN --list NAME SUBSCRIBER...",
		Short:   "Accept no receipts of these subscribers any more",
		Example: "  blocklist origin subscriber remove ORIGIN --list it.example/csam isp.example",
		Args:    args(unknown.Args(2, -1)),
	}
	withReceipts(cmd, &list, func(o *origin.Origin, names []string) error {
		for _, name := range names {
			if err := o.RemoveSubscriber(cmd.Context(), list, name); err != nil {
				return err
			}
			a.printf("receipts of %s for %s are refused from now on", name, list)
		}
		a.result(fields{"list": list, "removed": names})
		return nil
	})
	return cmd
}

func (a *app) originSubscriberList() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use:     "list ORIGIN --list NAME",
		Short:   "Show the keys whose receipts are accepted, one a line, as receipts --keys reads them",
		Example: "  blocklist origin subscriber list ORIGIN --list it.example/csam",
		Args:    args(unknown.Args(1, 1)),
	}
	withReceipts(cmd, &list, func(o *origin.Origin, _ []string) error {
		text, err := o.SubscriberKeys(list)
		if err == nil {
			_, err = fmt.Fprint(a.stdout, text)
		}
		return err
	})
	return cmd
}
