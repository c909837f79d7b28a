//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	originPort = 5574
	agencyList = "it.example/bench"
)

// changes measures how a change of a list affects concurrent queries, for a local and a signed list, and prints it.
func (b *bench) changes(ctx context.Context) error {
	fmt.Fprintf(b.out, "\nA changed list (one name comes, one goes) under %d queries a second; of %d changes the median, and the sum of what was lost or wrong\n\n", probeRate, b.runs)
	fmt.Fprintf(b.out, "| | in effect after | longest answer | lost | wrong |\n|---|---|---|---|---|\n")
	if err := b.changedFile(ctx); err != nil {
		return fmt.Errorf("changing a file: %w", err)
	}
	if b.agency == "" {
		return nil
	}
	if err := b.changedRelease(ctx); err != nil {
		return fmt.Errorf("changing a signed list: %w", err)
	}
	return nil
}

// changedFile measures a change of the file of a local list.
func (b *bench) changedFile(ctx context.Context) error {
	command, err := b.dnsfilter()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(b.path("list"))
	if err != nil {
		return err
	}
	return b.underLoad(ctx, command, "a file", func(_ int, add, remove string) (func() (time.Time, error), error) {
		next := strings.Replace(string(text), remove+"\n", "", 1) + add + "\n"
		return func() (time.Time, error) {
			err := b.text("list.new", next)
			return time.Now(), cmp.Or(err, os.Rename(b.path("list.new"), b.path("list")))
		}, nil
	})
}

// underLoad starts a server, and changes its list several times under load. The function change prepares a change. The
// function that it returns makes the change, and returns the time of the change.
func (b *bench) underLoad(ctx context.Context, command []string, what string,
	change func(i int, add, remove string) (func() (time.Time, error), error),
) error {
	server, err := b.start(ctx, "0,1", command...)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := b.waitBlocked(server); err != nil {
		return err
	}
	p, err := newProbe()
	if err != nil {
		return err
	}
	defer p.close()
	if _, err := p.run(ctx, "warm.example", blockedName(0), nil); err != nil {
		return err
	}
	quiet, err := p.run(ctx, "warm.example", blockedName(0), nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "| nothing | | %s |\n", strings.SplitN(quiet.String(), " | ", 2)[1])
	var all []changed
	for i := range b.runs {
		add, remove := fmt.Sprintf("added-%d.example", i), blockedName(i+1)
		do, err := change(i, add, remove)
		if err != nil {
			return err
		}
		c, err := p.run(ctx, add, remove, do)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	fmt.Fprintf(b.out, "| %s | %s |\n", what, median(all))
	return nil
}

func median(all []changed) changed {
	var after, longest []time.Duration
	var m changed
	for _, c := range all {
		after, longest = append(after, c.after), append(longest, c.longest)
		m.lost, m.wrong = m.lost+c.lost, m.wrong+c.wrong
	}
	slices.Sort(after)
	slices.Sort(longest)
	m.after, m.longest = after[len(after)/2], longest[len(longest)/2]
	return m
}

// changedRelease measures a change of a signed list, see [bench.changes]. The agency pushes a delta to an origin, from
// which a running dnsfilter fetches it.
func (b *bench) changedRelease(ctx context.Context) error {
	origin := fmt.Sprintf("http://%s:%d", host, originPort)
	if err := b.foundList(ctx); err != nil {
		return err
	}
	server, err := b.start(ctx, "0,1", b.agency, "origin", "serve", b.path("origin"), "--listen",
		fmt.Sprintf("%s:%d", host, originPort))
	if err != nil {
		return err
	}
	defer server.stop()
	config := fmt.Sprintf("state: %s\nlisten: [udp://%s:%d]\nupstream: [%s:%d]\nlists: [{name: %s, root: agency/root.json, from: [%q], action: nxdomain}]\n",
		b.path("followed"), host, port, host, upstreamPort, agencyList, origin)
	if err := b.text("follow.yaml", config); err != nil {
		return err
	}
	return b.underLoad(ctx, []string{b.binary, "serve", "-c", b.path("follow.yaml")}, "a delta",
		func(_ int, add, remove string) (func() (time.Time, error), error) {
			prepare := [][]string{
				{"add", add, "--reason", "bench", "--author", "bench"},
				{"remove", remove, "--reason", "bench", "--author", "bench"},
				{"release"},
				{"sign", "--key", b.path("anna.key"), "--yes"},
			}
			return func() (time.Time, error) {
				if err := b.atAgency(ctx, []string{"push", origin}); err != nil {
					return time.Time{}, err
				}
				// The rename of this file publishes the release.
				info, err := os.Stat(filepath.Join(b.path("origin"), "lists", agencyList, "timestamp.json"))
				if err != nil {
					return time.Time{}, err
				}
				return info.ModTime(), nil
			}, b.atAgency(ctx, prepare...)
		})
}

// foundList creates an agency with one officer, an origin that trusts the agency, and a first release.
func (b *bench) foundList(ctx context.Context) error {
	for _, args := range [][]string{
		{"keygen", "-o", b.path("anna.key"), "--no-passphrase"},
		{"origin", "init", b.path("origin")},
		{
			"init", b.path("agency"), "--list", agencyList, "--origin-key", b.path("origin/online.pub"), "--officer",
			b.path("anna.pub"),
			"--threshold", "1",
		},
	} {
		if err := b.atAgency(ctx, args); err != nil {
			return err
		}
	}
	sign := []string{"sign", "--key", b.path("anna.key"), "--yes"}
	if err := b.atAgency(ctx, sign); err != nil {
		return err
	}
	n := 0
	if err := b.write("list", b.names, func() string { n++; return blockedName(n - 1) }); err != nil {
		return err
	}
	return b.atAgency(ctx, []string{"origin", "trust", b.path("origin"), b.path("agency/root.json")},
		[]string{"import", b.path("list"), "--reason", "bench", "--author", "bench"}, []string{"release"}, sign,
		[]string{"push", b.path("origin")})
}

// atAgency runs commands of the program blocklist for the agency. The state of the commands is in a folder beside the
// agency's.
func (b *bench) atAgency(ctx context.Context, commands ...[]string) error {
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, b.agency, args...) //nolint:gosec // our own words
		cmd.Env = append(os.Environ(), "BLOCKLIST_DIR="+b.path("agency"), "XDG_STATE_HOME="+b.path("state"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("running blocklist %s: %w", strings.Join(args, " "), err), errors.New(string(out)))
		}
	}
	return nil
}
