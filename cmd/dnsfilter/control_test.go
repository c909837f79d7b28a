package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func TestControlCommands(t *testing.T) {
	t.Parallel()
	path := folder(t, settings+"listen: [udp://127.0.0.1:0]\nupstream: [127.0.0.1:9]\n")
	for _, args := range [][]string{{"status"}, {"holds"}, {"accept", "local", "id"}, {"reject", "local", "id"}, {"stats"}, {"cache", "a.test"}, {"reload", "--dry-run"}} {
		code, stdout, stderr := runCommand(append(args, "-c", path)...)
		assert.Equal(t, exitFailed, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "no running service answers")
		assert.Contains(t, stderr, "dnsfilter: hint: dnsfilter serve must be running")
	}
	// A mistake in the settings does not keep these from asking: they need the state folder alone.
	for _, text := range []string{"listen: [x]\nstate: state\n", "lists: [\nstate: state\n  x\n"} {
		spoiled := folder(t, text)
		code, _, stderr := runCommand("status", "-c", spoiled)
		assert.Equal(t, exitFailed, code)
		assert.Contains(t, stderr, spoiled+":1:")
		assert.Contains(t, stderr, "dnsfilter: warning: the settings on disk have mistakes")
		assert.Contains(t, stderr, filepath.Join(filepath.Dir(spoiled), "state", "control.sock"))
	}
	code, _, _ := runCommand("accept", "local", "-c", path)
	assert.Equal(t, exitUsage, code)

	running, err := service.New(func() (*config.Settings, error) { return config.Read(path) }, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- running.Run(ctx, nil) }()
	defer func() { cancel(); assert.NoError(t, <-done) }()
	control := service.NewControl(filepath.Join(filepath.Dir(path), "state"))
	require.Eventually(t, func() bool { _, err := control.Status(t.Context()); return err == nil }, time.Minute, 10*time.Millisecond)

	code, stdout, stderr := runCommand("status", "-c", path)
	assert.Equal(t, exitDone, code, stderr)
	assert.Regexp(t, `(?m)^local +nxdomain, 2 entries$`, stdout)
	text := stdout
	_, stdout, _ = runCommand("status", "-c", path, "--json")
	var s service.Status
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	file := filepath.Join(filepath.Dir(path), "list.txt")
	assert.Equal(t, []service.ListStatus{{List: "local", File: file, Action: "nxdomain", Entries: 2, Format: "argine"}}, s.Lists)
	assert.Contains(t, text, file)
	_, stdout, _ = runCommand("holds", "-c", path)
	assert.Equal(t, "nothing is on hold\n", stdout)
	code, _, stderr = runCommand("accept", "-c", path, "local", "id")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "nothing is on hold with this ID")
	code, _, stderr = runCommand("accept", "-c", path, "other", "id")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, `there is no list "other"`)
	_, stdout, _ = runCommand("reload", "--dry-run", "-c", path)
	assert.Equal(t, "nothing would change\n", stdout)
	_, stdout, _ = runCommand("cache", "-c", path, "a.test")
	assert.Equal(t, "nothing is cached\n", stdout)
	_, stdout, _ = runCommand("stats", "-c", path, "list_entries")
	assert.Equal(t, "dnsfilter_list_entries{list=local}  2\n", stdout)
	_, stdout, _ = runCommand("stats", "-c", path, "--json", "list_entries")
	var stats []service.Stat
	require.NoError(t, json.Unmarshal([]byte(stdout), &stats))
	assert.Equal(t, []service.Stat{{Name: "dnsfilter_list_entries{list=local}", Help: "Entries of the list.", Value: 2}}, stats)
	// What the server could not read is no part of what it enforces, also for lookup.
	require.NoError(t, os.WriteFile(file, []byte("new.example\n\x00"), 0o600))
	require.Eventually(t, func() bool {
		s, err := control.Status(t.Context())
		return err == nil && s.Lists[0].Error != ""
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(path, []byte(settings), 0o600))
	_, _, stderr = runCommand("lookup", "-c", path, "new.example")
	assert.Contains(t, stderr, "has not taken over the file of list local: ")
}

func TestPrintCached(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, printCached(&out, []service.CachedAnswer{
		{Type: "A", Rcode: "NOERROR", Records: []string{"a.example.\t60\tIN\tA\t192.0.2.1"}, Seconds: 40},
		{Type: "A", DO: true, CD: true, Rcode: "NXDOMAIN", Seconds: -90, Stale: true, Action: "nxdomain", List: "l", Entry: "listed.test"},
		{Type: "MX", Rcode: "SERVFAIL", Seconds: -1, Stale: true, Failing: true},
	}))
	assert.Equal(t, `A        NOERROR, fresh for 40s
         a.example. 60 IN A 192.0.2.1
A DO CD  NXDOMAIN, expired 1m30s ago
         withheld: nxdomain (list l, entry listed.test)
MX       SERVFAIL, expired 1s ago, and could not be refreshed
`, out.String())
}

func TestPrintStats(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, printStats(&out, []service.Stat{{Name: "a", Value: 12345678}, {Name: "b", Count: 3, Value: 0.0123, Median: 0.01, P99: 0}}))
	assert.Equal(t, "a  12345678\nb  3, mean 12.3ms, half in 10ms, 99% in more than all bounds\n", out.String())
}

func TestPrintPlan(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, printPlan(&out, &service.Plan{
		Changes: config.Changes{Added: []string{"new"}, Removed: []string{"old"}, Changed: []string{"c", "d"}, Keys: []string{"listen"}, Restart: []string{"listen"}, Lost: []string{"list old"}},
		Files: []service.FileChange{{List: "d", File: "d.txt", Before: 3, After: 0, Held: &guard.Report{Findings: []guard.Finding{
			{Check: guard.CheckEmpty, Severity: guard.SeverityHold, Why: "none of the 3 entries is left"},
		}}}},
	}))
	assert.Equal(t, `new lists          new
changed lists      c, d
removed lists      old
changed settings   listen
needs a restart    listen
taken away         list old
changed file of d  d.txt, 0 entries (in force: 3)
                   the guards would hold it:
                   held: empty: none of the 3 entries is left
`, out.String())
}

func TestPrintHolds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 3, 8, 0, 0, 0, time.UTC)
	s := service.Status{Lists: []service.ListStatus{{
		List: "it.example/test", Signed: true, Serial: 41, Entries: 10, Follows: true, Expires: at,
		Hold: &subscribe.Hold{
			ID: "5a0e", Serial: 42, Entries: 11, Created: at, Since: at, Override: "an order", Rejected: true,
			Report: &guard.Report{Held: 1, Reported: 2, Findings: []guard.Finding{
				{Check: guard.CheckSuffix, Severity: guard.SeverityHold, Entry: "co.uk", Why: "a public suffix"},
				{Check: guard.CheckLooks, Severity: guard.SeverityReport, Entry: "a.test", Why: "looks like b.test"},
			}},
		},
	}}}
	var out bytes.Buffer
	require.NoError(t, printHolds(&out, s, "f.yaml"))
	assert.Equal(t, `it.example/test serial 42 of 2026-05-03T08:00:00Z, 11 entries (in force: serial 41, 10 entries), on hold since 2026-05-03T08:00:00Z
  the agency's guards held it, too; it says: an order
  held: public-suffix: co.uk: a public suffix
  note: lookalike: a.test: looks like b.test
  and 1 more
  rejected; nothing is to be done
  dnsfilter accept -c f.yaml it.example/test 5a0e
  dnsfilter reject -c f.yaml it.example/test 5a0e
`, out.String())
	out.Reset()
	require.NoError(t, printStatus(&out, s))
	assert.Contains(t, out.String(), "10 entries, serial 41, fresh until 2026-05-03T08:00:00Z")
	assert.Contains(t, out.String(), "on hold: serial 42; dnsfilter holds shows why")

	out.Reset()
	s = service.Status{Lists: []service.ListStatus{{List: "a", Action: "nodata"}}}
	s.Actions = map[string]map[string]uint64{"a": {"nodata": 2, "monitor": 1}, "quorum/1": {"nxdomain": 3}, "allow/x": {"pass": 4}}
	require.NoError(t, printStatus(&out, s))
	s.Lists[0].Hold, s.Lists[0].Error = &subscribe.Hold{}, "the file is empty"
	var held strings.Builder
	require.NoError(t, printStatus(&held, s))
	assert.Contains(t, held.String(), "on hold: the file as it was before the error; dnsfilter holds shows why")
	assert.Regexp(t, `(?s)a +nodata, 0 entries\n +monitor: 1\n +nodata: 2\nallow/x\n +pass: 4\nquorum/1\n +nxdomain: 3\n$`, out.String())
}
