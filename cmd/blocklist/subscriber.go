package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) subscriber() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscriber",
		Short: "Set to whom a confidential list is encrypted",
		Long: `Set the subscribers to whom a confidential list is encrypted. Changes take effect with the next release. After a removal, that
release has a new key. Subscribers can still read the releases that they could read before.`,
		Example: `  blocklist -C DIR subscriber add isp.example isp.pub --reason "contract 2026/3"
  blocklist -C DIR subscriber list`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("a command is missing: subscriber add, subscriber remove or subscriber list")
		},
	}
	cmd.AddCommand(changing(a.subscriberAdd()), changing(a.subscriberRemove()), a.subscriberList())
	return cmd
}

func (a *app) subscriberAdd() *cobra.Command {
	return a.subscriberChange(&cobra.Command{
		Use:   "add NAME RECIPIENT|FILE.pub",
		Short: "Encrypt the list to one more subscriber, from the next release on",
		Long: `Encrypt the list to one more subscriber, from the next release on. RECIPIENT is the subscriber's public key (age1... or
age1pq1...) or a file with it, made by "keygen --subscriber" or age-keygen. Make sure that the key is the subscriber's.`,
		Example: `  blocklist -C DIR subscriber add isp.example isp.pub --reason "contract 2026/3"`,
		Args:    args(unknown.Args(2, 2)),
	}, func(ctx context.Context, l *publish.Ledger, args []string, c publish.Audit) error {
		recipient := args[1]
		if !strings.HasPrefix(recipient, "age1") {
			text, err := readKeyFile(recipient)
			if err != nil {
				return err
			}
			recipient = text
		}
		if err := l.AddSubscriber(ctx, args[0], recipient, c); err != nil {
			return err
		}
		fingerprint, err := publish.Fingerprint([]byte(recipient))
		if err == nil {
			a.printf("%s has the fingerprint %s; compare it with the subscriber by voice", args[0], fingerprint)
		}
		return err
	})
}

func (a *app) subscriberRemove() *cobra.Command {
	return a.subscriberChange(&cobra.Command{
		Use:   "remove NAME",
		Short: "Encrypt the list to a subscriber no longer, from the next release on",
		Long: `Stop encrypting the list to a subscriber, from the next release on. That release has a new key, and all other subscribers
fetch a new snapshot. The removed subscriber can still read earlier releases, and urgent orders until that release.`,
		Example: `  blocklist -C DIR subscriber remove isp.example --reason "contract 2026/3 has ended"`,
		Args:    args(unknown.Args(1, 1)),
	}, func(ctx context.Context, l *publish.Ledger, args []string, c publish.Audit) error {
		if err := l.RemoveSubscriber(ctx, args[0], c); err != nil {
			return err
		}
		a.printf("until the next release, %s can still read urgent orders", args[0])
		return nil
	})
}

// subscriberChange completes a command that adds or removes a subscriber: it adds the flags, and makes the command call
// the function change and print the number of subscribers.
func (a *app) subscriberChange(cmd *cobra.Command,
	change func(context.Context, *publish.Ledger, []string, publish.Audit) error,
) *cobra.Command {
	var c publish.Audit
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withLedger(func(l *publish.Ledger) error {
			if err := change(cmd.Context(), l, args, c); err != nil {
				return err
			}
			all, err := l.Subscribers(cmd.Context())
			if err != nil {
				return err
			}
			a.result(fields{"subscribers": all})
			a.printf("%s", plural(uint64(len(all)), "subscriber", "subscribers"))
			a.next("blocklist -C %s release", a.dir)
			return nil
		})
	}
	authorFlag(cmd, &c.Author)
	cmd.Flags().StringVar(&c.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	return cmd
}

func (a *app) subscriberList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show to whom the list is encrypted",
		Example: "  blocklist -C DIR subscriber list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				all, err := l.Subscribers(cmd.Context())
				if err != nil {
					return err
				}
				same := func(s publish.Subscriber) publish.Subscriber { return s }
				return printAll(a, asJSON, each(all), same, subscriberText)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func subscriberText(s publish.Subscriber) string {
	text := fmt.Sprintf("%s  %s  %s  %s", s.Name, s.Kind, s.Added.Format(time.DateOnly), s.Author)
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text + "  " + s.Fingerprint
}

// describeRecipients prints the recipients of a release of a confidential list.
func (a *app) describeRecipients(r publish.Recipients) {
	if r.Same {
		a.printf("  confidential encrypted to the subscribers of the release before")
		return
	}
	a.printf("  confidential encrypted to %s", plural(uint64(r.Subscribers), "subscriber", "subscribers"))
	if r.Subscribers == 0 {
		a.printf("  warning      no subscriber can read this release: there is none; blocklist subscriber add")
	}
	if r.Before > 0 {
		a.printf("    the ledger was recovered, so who could read the release before is not known: %s", plural(uint64(r.Before), "subscriber", "subscribers"))
	}
	for _, name := range r.Come {
		a.printf("    comes %s", name)
	}
	for _, name := range r.Go {
		a.printf("    goes %s", name)
	}
	if r.NewKey {
		a.printf("    under a new key, with a new snapshot for all")
	}
}
