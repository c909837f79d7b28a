package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func applyCommand() *cobra.Command {
	var settings string
	cmd := &cobra.Command{
		Use:   "apply [-c dnsfilter.yaml] FILE",
		Short: "Take a release from a bundle, such as one on a USB stick",
		Long: `Takes a release from a bundle that 'blocklist bundle' has written, with the same verification and the same guards as one from
the network: in the running server, or in its state folder while none runs. What is there already, or older, changes nothing.
A file can't prove that nothing newer exists: it does not make a list fresher than the last timestamp has.

Exit codes: 0 the release is in force, 1 it is not: refused, or on hold.`,
		Example: "  dnsfilter apply -c /etc/dnsfilter/dnsfilter.yaml /media/usb/release.tar",
		Args:    unknown.Args(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return applyBundle(cmd, settings, args[0]) },
	}
	addSettings(cmd, &settings, "settings `file` of the server")
	return cmd
}

func applyBundle(cmd *cobra.Command, settings, file string) error {
	s, err := readSettings(settings)
	if err != nil {
		return err
	}
	log, err := newLog(cmd.ErrOrStderr(), "text", slog.LevelError)
	if err != nil {
		return err
	}
	a, err := service.ApplyBundle(cmd.Context(), s, file, log)
	switch {
	case errors.Is(err, blocklist.ErrBusy):
		return hinted{err, "a server runs with this state folder, and does not answer this user; run this as the user that it runs as"}
	case err != nil:
		return err
	case a.Hold != nil:
		return hinted{
			fmt.Errorf("%s serial %d: %w; serial %d stays in force", a.List, a.Hold.Serial, blocklist.ErrHeld, a.Serial),
			"dnsfilter holds shows why; dnsfilter accept puts it in force. Both ask the running server",
		}
	}
	how := "is in force now"
	if !a.Changed {
		how = "was in force already"
	}
	orders := ""
	if a.Urgent > 0 {
		orders = fmt.Sprintf(" and %d urgent orders", a.Urgent)
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s serial %d with %d entries%s %s\n", a.List, a.Serial, a.Entries, orders,
		how)
	return err
}
